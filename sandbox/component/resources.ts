/**
 * The built-ins on resources that a guest imports.
 *
 * Component Model, CanonicalABI.md `canon resource.new`, `canon resource.drop` and `canon resource.rep`.
 */

import { type ComponentInstance, enter, leave, outerSet } from "./component-instance.ts";
import { ownedHandle, type ResourceType } from "./handles.ts";
import { raiseTrap } from "./traps.ts";

/** Traps unless the instance may call out now. */
export function requireMayLeave(instance: ComponentInstance): void {
  if (!instance.mayLeave) raiseTrap("cannot leave component instance", "trap/canonical-abi");
}

/** `canon resource.new`: (representation) → handle index. */
export function resourceNew(
  instance: ComponentInstance,
  type: ResourceType,
): (representation: number) => number {
  return (representation) => {
    requireMayLeave(instance);
    return instance.handles.add(ownedHandle(type, representation));
  };
}

/** `canon resource.rep`: (handle index) → representation. */
export function resourceRepresentation(
  instance: ComponentInstance,
  type: ResourceType,
): (index: number) => number {
  return (index) => instance.handles.get(index, type).representation;
}

/** `canon resource.drop`: (handle index) → (), running the destructor when the handle owned the resource. */
export function resourceDrop(instance: ComponentInstance, type: ResourceType): (index: number) => void {
  const destroy = destructorFor(type, instance);
  return (index) => {
    requireMayLeave(instance);
    const handle = instance.handles.remove(index, type);
    if (handle.own) {
      destroy(handle.representation);
      return;
    }
    if (handle.scope !== undefined) handle.scope.borrowCount -= 1;
    handle.release?.();
  };
}

/**
 * The destructor as a caller runs it: a guest's is entered like any call of it.
 *
 * @param caller `undefined` for the host
 */
export function destructorFor(
  type: ResourceType,
  caller: ComponentInstance | undefined,
): (representation: number) => void {
  const { implementation, destructor } = type;
  if (implementation === undefined || destructor === undefined) return destructor ?? (() => {});
  const entered = outerSet(implementation, caller);
  return (representation) => {
    enter(entered);
    destructor(representation);
    leave(entered);
  };
}
