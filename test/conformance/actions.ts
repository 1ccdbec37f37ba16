/**
 * Actions of a script: `(invoke $instance? "name" constant…)` and `(get $instance? "name")`.
 */

import { Trap } from "../../sandbox/component/errors.ts";
import { parseFunctionName, pascalCase } from "../../sandbox/component/names.ts";
import { constantValue, text } from "./constants.ts";
import { NotSupported } from "./outcome.ts";
import type { RunningInstance, ScriptState } from "./script-state.ts";
import type { Expression } from "./wast.ts";

/** The action as a function; `undefined` if the expression is none. */
export function action(expression: Expression | undefined, state: ScriptState): (() => unknown) | undefined {
  if (expression?.kind !== "list") throw new Error("an action has to stand in parentheses");
  const [head, ...operands] = expression.items;
  if (head?.kind !== "atom" || !["invoke", "get"].includes(head.text)) return undefined;
  const [first] = operands;
  const instanceName = first?.kind === "atom" ? first.text : undefined;
  const [name, ...constants] = instanceName === undefined ? operands : operands.slice(1);
  const instance = state.instances.get(instanceName);
  if (head.text === "get") return () => globalValue(instance.exports[text(name)]);
  const exported = exportedFunction(instance, text(name));
  const args = constants.map(constantValue);
  return instance.kind === "module" ? () => exported(...args) : () => componentResult(exported, args);
}

/** A `result` that is an error is thrown by jco's conventions; a script expects it as a value. */
function componentResult(exported: CallableFunction, args: readonly unknown[]): unknown {
  try {
    return exported(...args);
  } catch (error) {
    if (error instanceof Trap || typeof error !== "object" || error === null || !("payload" in error)) {
      throw error;
    }
    return { tag: "err", val: error.payload };
  }
}

function globalValue(exported: unknown): unknown {
  if (exported instanceof WebAssembly.Global) return exported.value;
  throw new NotSupported("reading an export that is no global");
}

/** A function by its exact name; `interface#name` for one of an exported interface. */
function exportedFunction(instance: RunningInstance, name: string): CallableFunction {
  const [path, own] = name.includes("#") ? name.split("#", 2) : [undefined, name];
  const scope = path === undefined ? instance.exports : Object(instance.exports[path]);
  const exported = Reflect.get(scope, own ?? "") ?? resourceFunction(scope, own ?? "");
  if (typeof exported !== "function") throw new Error(`no exported function ${name}`);
  return exported;
}

/** Constructors, methods and statics stand on the resource's class. */
function resourceFunction(scope: object, name: string): unknown {
  const parsed = parseFunctionName(name);
  if (parsed.kind === "free") return undefined;
  const Class: unknown = Reflect.get(scope, pascalCase(parsed.resource));
  if (typeof Class !== "function") return undefined;
  if (parsed.kind === "constructor") return (...args: unknown[]) => Reflect.construct(Class, args);
  if (parsed.kind === "static") return Reflect.get(Class, parsed.name);
  const method: unknown = Reflect.get(Class.prototype, parsed.name);
  if (typeof method !== "function") return undefined;
  return (self: unknown, ...args: unknown[]) => Reflect.apply(method, self, args);
}
