/**
 * `canon lift`: a core function as a function of the component, and how the host calls it.
 *
 * Component Model, CanonicalABI.md `canon lift`, synchronous. An instance that threw out of its code stays entered,
 * which is what makes a trap final.
 */

import { CallScope, type LiftLowerContext } from "./abi/context.ts";
import type { FlatValue } from "./abi/flatten.ts";
import { resultLifter } from "./abi/lift.ts";
import { parameterLowerer } from "./abi/lower.ts";
import { containsBorrow, type FunctionType } from "./abi/types.ts";
import { enter, enteringSet, leave } from "./component-instance.ts";
import { unwrapResult } from "./results.ts";
import { endedGuest, toHostError } from "./traps.ts";

/** A function of core WebAssembly, or a lowered one, which looks the same. */
export type CoreFunction = (...args: FlatValue[]) => unknown;

/** A function that a guest implements. */
export interface LiftedFunction {
  readonly kind: "lifted";
  readonly type: FunctionType;
  readonly core: CoreFunction;
  /** The context of the implementing instance, by the function's canonical options. */
  readonly cx: LiftLowerContext;
  readonly postReturn: CoreFunction | undefined;
}

/** A function that the host implements. */
export interface HostFunction {
  readonly kind: "host";
  /** Its interface and name, for messages. */
  readonly name: string;
  readonly type: FunctionType;
  readonly call: (...args: unknown[]) => unknown;
}

export type ComponentFunction = LiftedFunction | HostFunction;

/** Whether a call may pass borrowed handles. */
export function passesBorrows(type: FunctionType): boolean {
  return type.parameters.some((parameter) => containsBorrow(parameter.type));
}

/**
 * The function as JavaScript calls it. It throws a `Trap` when the guest traps, an Error with `payload` when it
 * returns the error of a `result`, a TypeError for an argument of the wrong type, and what a host function threw.
 *
 * @param subject the function's name, for messages
 */
export function hostCallable(lifted: LiftedFunction, subject: string): (...args: unknown[]) => unknown {
  let invoke: Invoke | undefined;
  const unwrap = lifted.type.result?.kind === "result" ? unwrapResult : undefined;
  return (...args) => {
    let value: unknown;
    try {
      invoke ??= passesBorrows(lifted.type) ? buildBorrowingInvoke(lifted) : buildInvoke(lifted);
      value = invoke(args);
    } catch (error) {
      throw toHostError(error, subject);
    }
    return unwrap === undefined ? value : unwrap(value);
  };
}

type Invoke = (args: readonly unknown[], scope?: CallScope) => unknown;

function buildInvoke(lifted: LiftedFunction): Invoke {
  const { cx, core, type } = lifted;
  const entered = enteringSet(cx.instance, undefined);
  const lower = parameterLowerer(type, "host");
  const lift = resultLifter(type.result, "host");
  return (args, scope) => {
    enter(entered);
    cx.refresh();
    let flat: FlatValue[];
    try {
      flat = lower(cx, args);
    } catch (error) {
      // A value of the wrong type is the host's mistake: the guest has seen nothing of it.
      if (!endedGuest(error)) leave(entered);
      throw error;
    }
    const returned = callCore(core, flat);
    cx.refresh();
    const value = lift(cx, returned);
    if (scope !== undefined) scope.requireBorrowsDropped();
    runPostReturn(lifted, returned);
    leave(entered);
    return value;
  };
}

/** Each call has a scope of its own, which ends with it however it ends. */
function buildBorrowingInvoke(lifted: LiftedFunction): Invoke {
  const { cx } = lifted;
  const invoke = buildInvoke(lifted);
  return (args) => {
    const scope = new CallScope();
    cx.scope = scope;
    try {
      return invoke(args, scope);
    } finally {
      scope.end();
    }
  };
}

/** Runs the function's `post-return`, if it has one, with what the core function had returned. */
export function runPostReturn(lifted: LiftedFunction, returned: unknown): void {
  const { postReturn, cx } = lifted;
  if (postReturn === undefined) return;
  cx.instance.mayLeave = false;
  postReturn(returned as FlatValue);
  cx.instance.mayLeave = true;
}

/** Calls a core function; a spread of few arguments costs more than the call. */
export function callCore(core: CoreFunction, flat: readonly FlatValue[]): unknown {
  const { length } = flat;
  if (length === 0) return core();
  if (length > 4) return core(...flat);
  const a = flat[0] as FlatValue;
  if (length === 1) return core(a);
  const b = flat[1] as FlatValue;
  if (length === 2) return core(a, b);
  const c = flat[2] as FlatValue;
  return length === 3 ? core(a, b, c) : core(a, b, c, flat[3] as FlatValue);
}
