/**
 * Runs the directives of one script against this loader and says how each came out.
 *
 * A directive that needs a later feature (async, threads, maps …) is told from a wrong one by the loader's own answer,
 * `component/unsupported`.
 */

import { inspect } from "node:util";
import {
  ComponentError,
  type ComponentErrorCode,
  Trap,
  type TrapCode,
} from "../../sandbox/component/errors.ts";
import { type Component, type Instance, instantiateComponent } from "../../sandbox/component/index.ts";
import { assembleComponent, loadComponent, TextRefused } from "./components.ts";
import { constantValue, sameValue, text } from "./values.ts";
import { type Directive, type Expression, splitDirectives } from "./wast.ts";

export type Outcome =
  | { readonly kind: "right" }
  /** Needs a feature that the loader names as unsupported. */
  | { readonly kind: "later" }
  | { readonly kind: "wrong"; readonly why: string };

export interface DirectiveResult {
  readonly directive: Directive;
  readonly outcome: Outcome;
}

const RIGHT: Outcome = { kind: "right" };
const LATER: Outcome = { kind: "later" };

/** What the directives so far have left behind; `undefined` stands for what needs a later feature. */
interface ScriptState {
  readonly definitions: Map<string, Component | undefined>;
  readonly instances: Map<string, Instance | undefined>;
  /** The instance that an `invoke` without a name means. */
  current: Instance | undefined;
}

/** Runs all directives of a script, in order. */
export async function runScript(script: string): Promise<DirectiveResult[]> {
  const state: ScriptState = { definitions: new Map(), instances: new Map(), current: undefined };
  const results: DirectiveResult[] = [];
  for (const directive of splitDirectives(script)) {
    results.push({ directive, outcome: await runDirective(script, directive, state) });
  }
  return results;
}

async function runDirective(script: string, directive: Directive, state: ScriptState): Promise<Outcome> {
  const [operand, expected] = directive.operands;
  switch (directive.keyword) {
    case "component":
      if (operand?.kind === "atom" && operand.text === "instance")
        return instantiateDefinition(directive, state);
      return defineComponent(script, directive.expression, state);
    case "assert_invalid":
      return expectRefused(script, operand, ["component/invalid"]);
    case "assert_malformed":
      return expectRefused(script, operand, ["component/malformed", "component/not-a-component"]);
    case "assert_return":
      return expectReturn(operand, expected, state);
    case "assert_trap":
      return expectTrap(operand, expected, state);
    default:
      return { kind: "wrong", why: "this runner does not know the directive" };
  }
}

/** `(component …)`: loaded, and instantiated unless it is only a definition. */
async function defineComponent(script: string, expression: Expression, state: ScriptState): Promise<Outcome> {
  const assembled = await assembleComponent(script, expression);
  let component: Component | undefined;
  try {
    component = loadComponent(assembled.bytes);
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    if (!isUnsupported(error)) return { kind: "wrong", why: `a valid component was refused: ${error}` };
  }
  if (assembled.name !== undefined) state.definitions.set(assembled.name, component);
  if (assembled.isDefinition) return component === undefined ? LATER : RIGHT;
  return instantiate(component, assembled.name, state);
}

/** `(component instance $instance $definition)`. */
function instantiateDefinition(directive: Directive, state: ScriptState): Outcome {
  const [, name, definition] = directive.operands;
  if (name?.kind !== "atom" || definition?.kind !== "atom") {
    return { kind: "wrong", why: "an instance and a definition have to be named" };
  }
  return instantiate(state.definitions.get(definition.text), name.text, state);
}

function instantiate(
  component: Component | undefined,
  name: string | undefined,
  state: ScriptState,
): Outcome {
  const instance = component === undefined ? undefined : instantiateComponent(component, {});
  state.current = instance;
  if (name !== undefined) state.instances.set(name, instance);
  return instance === undefined ? LATER : RIGHT;
}

function expectReturn(
  action: Expression | undefined,
  expected: Expression | undefined,
  state: ScriptState,
): Outcome {
  const call = invocation(action, state);
  if (call === undefined) return LATER;
  const wanted = expected === undefined ? undefined : constantValue(expected);
  const returned = call();
  if (sameValue(returned, wanted)) return RIGHT;
  return { kind: "wrong", why: `returned ${inspect(returned)} instead of ${inspect(wanted)}` };
}

/** The wording of traps is each runtime's own; which kind of trap it is must fit. */
function expectTrap(
  action: Expression | undefined,
  expected: Expression | undefined,
  state: ScriptState,
): Outcome {
  const call = invocation(action, state);
  if (call === undefined) return LATER;
  const message = text(expected);
  try {
    return { kind: "wrong", why: `returned ${inspect(call())} instead of trapping: ${message}` };
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    if (trapCodes(message).includes(error.code)) return RIGHT;
    return { kind: "wrong", why: `trapped with ${error.code} (${error.message}) instead of: ${message}` };
  }
}

function trapCodes(message: string): readonly TrapCode[] {
  if (message.includes("cannot enter component instance")) return ["trap/cannot-enter"];
  if (message.includes("unreachable")) return ["trap/wasm"];
  return ["trap/canonical-abi"];
}

/** `(invoke $instance? "name" constant…)` as a function; `undefined` when the instance needs a later feature. */
function invocation(action: Expression | undefined, state: ScriptState): (() => unknown) | undefined {
  if (action?.kind !== "list") throw new Error("an invocation has to stand in parentheses");
  const [, first, ...others] = action.items;
  const named = first?.kind === "atom";
  const instance = named ? state.instances.get(first.text) : state.current;
  if (instance === undefined) return undefined;
  const [name, ...args] = named ? others : [first, ...others];
  const exported = instance.exports[text(name)];
  if (typeof exported !== "function") throw new Error(`no exported function ${text(name)}`);
  return () => exported(...args.map((arg) => constantValue(arg ?? action)));
}

/** The text parser's refusal counts as well: some scripts test rules of the text format. */
async function expectRefused(
  script: string,
  expression: Expression | undefined,
  codes: readonly ComponentErrorCode[],
): Promise<Outcome> {
  if (expression === undefined) return { kind: "wrong", why: "the directive has no component" };
  const error = await refusal(script, expression);
  if (error === undefined) return { kind: "wrong", why: "the component was accepted" };
  if (error instanceof TextRefused) return RIGHT;
  if (isUnsupported(error)) return LATER;
  if (error instanceof ComponentError && codes.includes(error.code)) return RIGHT;
  return { kind: "wrong", why: `refused, but not with ${codes.join(" or ")}: ${error}` };
}

async function refusal(script: string, expression: Expression): Promise<Error | undefined> {
  try {
    loadComponent((await assembleComponent(script, expression)).bytes);
    return undefined;
  } catch (error) {
    if (error instanceof ComponentError || error instanceof TextRefused) return error;
    throw error;
  }
}

function isUnsupported(error: Error): boolean {
  return error instanceof ComponentError && error.code === "component/unsupported";
}
