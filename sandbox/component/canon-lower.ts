/**
 * `canon lower`: a component's function as a core function that the guest imports.
 *
 * Component Model, CanonicalABI.md `canon lower`, synchronous. A function of another component is lifted and lowered
 * in one go; whatever it throws reaches the caller as a trap.
 */

import { CallScope, type LiftLowerContext } from "./abi/context.ts";
import type { FlatValue } from "./abi/flatten.ts";
import { parameterLifter, resultLifter } from "./abi/lift.ts";
import { parameterLowerer, resultLowerer } from "./abi/lower.ts";
import {
  type ComponentFunction,
  type CoreFunction,
  callCore,
  type HostFunction,
  type LiftedFunction,
  passesBorrows,
  runPostReturn,
} from "./canon-lift.ts";
import { enter, enteringSet, leave } from "./component-instance.ts";
import { requireMayLeave } from "./resources.ts";
import { errorCase } from "./results.ts";
import { propagateTrap, raiseHostFailure } from "./traps.ts";

type Run = (flat: readonly FlatValue[]) => FlatValue | undefined;

/** The function as the core module of `cx`'s instance calls it. Its closures are built at the first call. */
export function lowerFunction(callee: ComponentFunction, cx: LiftLowerContext): CoreFunction {
  let run: Run | undefined;
  return (...flat) => {
    try {
      run ??= callee.kind === "host" ? lowerHostFunction(callee, cx) : lowerLiftedFunction(callee, cx);
      return run(flat);
    } catch (error) {
      return propagateTrap(error);
    }
  };
}

function lowerHostFunction(callee: HostFunction, cx: LiftLowerContext): Run {
  const { type } = callee;
  const lift = parameterLifter(type, "host");
  const lower = resultLowerer(type.result, "host");
  const call = type.result?.kind === "result" ? callForResult(callee) : callForValue(callee);
  const borrows = passesBorrows(type);
  return (flat) => {
    requireMayLeave(cx.instance);
    cx.refresh();
    const scope = borrows ? new CallScope() : undefined;
    if (scope !== undefined) cx.scope = scope;
    const value = call(lift(cx, flat));
    scope?.end();
    cx.refresh();
    try {
      return lower(cx, value, flat);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new TypeError(`${callee.name} of the host returned a wrong value: ${error.message}`, {
        cause: error,
      });
    }
  };
}

function callForValue({ call }: HostFunction): (args: readonly unknown[]) => unknown {
  return (args) => {
    try {
      return call(...args);
    } catch (error) {
      return raiseHostFailure(error);
    }
  };
}

function callForResult({ call }: HostFunction): (args: readonly unknown[]) => unknown {
  return (args) => {
    try {
      return { tag: "ok", val: call(...args) };
    } catch (error) {
      return errorCase(error);
    }
  };
}

function lowerLiftedFunction(callee: LiftedFunction, cx: LiftLowerContext): Run {
  const { type, core } = callee;
  const entered = enteringSet(callee.cx.instance, cx.instance);
  const liftParameters = parameterLifter(type, "component");
  const lowerParameters = parameterLowerer(type, "component");
  const liftResult = resultLifter(type.result, "component");
  const lowerResult = resultLowerer(type.result, "component");
  const borrows = passesBorrows(type);
  return (flat) => {
    requireMayLeave(cx.instance);
    enter(entered);
    const callerScope = borrows ? new CallScope() : undefined;
    const calleeScope = borrows ? new CallScope() : undefined;
    if (callerScope !== undefined) cx.scope = callerScope;
    if (calleeScope !== undefined) callee.cx.scope = calleeScope;

    cx.refresh();
    const values = liftParameters(cx, flat);
    callee.cx.refresh();
    const returned = callCore(core, lowerParameters(callee.cx, values));
    callee.cx.refresh();
    const value = liftResult(callee.cx, returned);
    calleeScope?.requireBorrowsDropped();
    cx.refresh();
    const result = lowerResult(cx, value, flat);
    runPostReturn(callee, returned);
    leave(entered);
    callerScope?.end();
    return result;
  };
}
