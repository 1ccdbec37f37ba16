/**
 * The run-time state of one component instance: its handle table and who may enter and leave it.
 *
 * Component Model, CanonicalABI.md "Component Instances", synchronous part. A trap leaves `mayEnter` false on all
 * that was entered, so that an instance that trapped can't be entered again.
 */

import { HandleTable } from "./handles.ts";
import { raiseTrap } from "./traps.ts";

export class ComponentInstance {
  readonly parent: ComponentInstance | undefined;
  readonly handles = new HandleTable();
  /** False while the instance is inside, and ever after a trap. */
  mayEnter = true;
  /** False while a `realloc` or a `post-return` runs: neither may call out. */
  mayLeave = true;

  constructor(parent: ComponentInstance | undefined) {
    this.parent = parent;
  }

  selfAndAncestors(): ComponentInstance[] {
    const chain: ComponentInstance[] = [];
    for (let one: ComponentInstance | undefined = this; one !== undefined; one = one.parent) chain.push(one);
    return chain;
  }
}

/**
 * The instances that a call enters (spec: `entering_set`), or `undefined` when the caller may never make the call:
 * synchronous calls between a component and its ancestors, or within one component, would be re-entrance.
 *
 * @param caller `undefined` for the host
 */
export function enteringSet(
  callee: ComponentInstance,
  caller: ComponentInstance | undefined,
): readonly ComponentInstance[] | undefined {
  const related =
    caller !== undefined &&
    (caller.selfAndAncestors().includes(callee) || callee.selfAndAncestors().includes(caller));
  return related ? undefined : outerSet(callee, caller);
}

/** The callee and its ancestors without those that the caller is inside already: what a destructor enters. */
export function outerSet(
  callee: ComponentInstance,
  caller: ComponentInstance | undefined,
): readonly ComponentInstance[] {
  const inside = caller === undefined ? [] : caller.selfAndAncestors();
  return callee.selfAndAncestors().filter((one) => !inside.includes(one));
}

/** Enters the instances, or traps when one of them is inside already or has trapped. */
export function enter(instances: readonly ComponentInstance[] | undefined): void {
  if (instances === undefined) return void cannotEnter();
  // Counted loops, here and below: this is on the way of every call, and an iterator is not free.
  for (let index = 0; index < instances.length; index++) {
    const instance = instances[index] as ComponentInstance;
    if (!instance.mayEnter) cannotEnter();
  }
  setMayEnter(instances, false);
}

export function leave(instances: readonly ComponentInstance[] | undefined): void {
  if (instances !== undefined) setMayEnter(instances, true);
}

function setMayEnter(instances: readonly ComponentInstance[], mayEnter: boolean): void {
  for (let index = 0; index < instances.length; index++) {
    const instance = instances[index] as ComponentInstance;
    instance.mayEnter = mayEnter;
  }
}

function cannotEnter(): never {
  return raiseTrap("cannot enter component instance", "trap/cannot-enter");
}
