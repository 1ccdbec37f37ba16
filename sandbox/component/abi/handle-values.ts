/**
 * Owned and borrowed handles as values: between a handle table and what the other side sees of the resource.
 *
 * Component Model, CanonicalABI.md `lift_own`, `lift_borrow`, `lower_own`, `lower_borrow`. Another component sees
 * the representation, the host an object.
 */

import { ownedHandle } from "../handles.ts";
import { fromHostBorrow, fromHostOwn, toHostBorrow, toHostOwn } from "../host-resources.ts";
import { trapIf } from "../traps.ts";
import type { LiftLowerContext } from "./context.ts";
import type { Side, ValueType } from "./types.ts";

type HandleType = Extract<ValueType, { kind: "own" | "borrow" }>;

/** From a handle's index in the guest's table to the representation, or to the host's object. */
export function liftHandle(type: HandleType, side: Side): (cx: LiftLowerContext, index: number) => unknown {
  const { resource } = type;
  if (type.kind === "own") {
    return (cx, index) => {
      const handle = cx.instance.handles.remove(index, resource);
      trapIf(!handle.own, "cannot lift a borrowed handle as an owned one");
      return side === "host" ? toHostOwn(resource, handle.representation) : handle.representation;
    };
  }
  return (cx, index) => {
    const handle = cx.instance.handles.get(index, resource);
    cx.scope.lend(handle);
    return side === "host" ? toHostBorrow(cx, resource, handle.representation) : handle.representation;
  };
}

/** From the representation, or the host's object, to what the guest gets: a handle's index, or its own representation. */
export function lowerHandle(type: HandleType, side: Side): (cx: LiftLowerContext, value: unknown) => number {
  const { resource } = type;
  if (type.kind === "own") {
    return (cx, value) => {
      const representation = side === "host" ? fromHostOwn(resource, value) : Number(value);
      return cx.instance.handles.add(ownedHandle(resource, representation));
    };
  }
  return (cx, value) => {
    const lent =
      side === "host"
        ? fromHostBorrow(cx, resource, value)
        : { representation: Number(value), release: undefined };
    if (cx.instance === resource.implementation) return lent.representation;
    cx.scope.borrowCount += 1;
    return cx.instance.handles.add({
      type: resource,
      representation: lent.representation,
      own: false,
      scope: cx.scope,
      lendCount: 0,
      release: lent.release,
    });
  };
}
