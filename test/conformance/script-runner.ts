/**
 * Runs the directives of one script against this loader and says how each came out.
 *
 * WebAssembly specification, interpreter/README.md "Scripts", with the Component Model's additions. Core modules
 * in a script run on the engine; what the script registers can be imported by what follows.
 */

import { inspect } from "node:util";
import { ComponentError, type ComponentErrorCode, Trap } from "../../sandbox/component/errors.ts";
import { instantiateComponent } from "../../sandbox/component/index.ts";
import { action } from "./actions.ts";
import { type Assembled, assemble, loadComponent, TextRefused } from "./components.ts";
import { text } from "./constants.ts";
import { meetsResults } from "./expectations.ts";
import { isUnsupported, NotSupported, type Outcome, outcomeOf } from "./outcome.ts";
import { type Definition, type RunningInstance, ScriptState } from "./script-state.ts";
import { spectest } from "./spectest.ts";
import { trapCodes } from "./traps.ts";
import { type Directive, type Expression, splitDirectives } from "./wast.ts";

export interface DirectiveResult {
  readonly directive: Directive;
  readonly outcome: Outcome;
}

/**
 * Implementations draw the line between invalid and malformed differently, so that of scripts of others "any" refusal
 * will do. "exact" tells the two apart; the text parser's refusal counts, since some scripts test rules of the text
 * format. By "loader" it does not: a slip in the text would be taken for the rule.
 */
type Refusals = "any" | "exact" | "loader";

export interface ScriptOptions {
  /** What components of the script may import, by name. */
  readonly hostImports?: Readonly<Record<string, unknown>>;
  /** What satisfies `assert_invalid` and `assert_malformed`; "exact" unless said otherwise. */
  readonly refusals?: Refusals;
}

interface Script {
  readonly text: string;
  readonly refusals: Refusals;
  readonly state: ScriptState;
}

/** Runs all directives of a script, in order. */
export async function runScript(scriptText: string, options: ScriptOptions = {}): Promise<DirectiveResult[]> {
  const state = new ScriptState({ spectest: await spectest(), ...options.hostImports });
  const script: Script = { text: scriptText, refusals: options.refusals ?? "exact", state };
  const results: DirectiveResult[] = [];
  for (const directive of splitDirectives(scriptText)) {
    results.push({ directive, outcome: await outcome(directive, script) });
  }
  return results;
}

async function outcome(directive: Directive, script: Script): Promise<Outcome> {
  try {
    await runDirective(directive, script);
    return { kind: "passed" };
  } catch (error) {
    return outcomeOf(error);
  }
}

async function runDirective({ keyword, operands, expression }: Directive, script: Script): Promise<void> {
  const { state } = script;
  const [first, second] = operands;
  switch (keyword) {
    case "component":
    case "module":
      if (first?.kind === "atom" && first.text === "instance") return instantiateDefinition(operands, state);
      return define(expression, script);
    case "register":
      return register(text(first), second, state);
    case "invoke":
    case "get":
      action(expression, state)?.();
      return;
    case "assert_return":
      return expectReturn(first, operands.slice(1), state);
    case "assert_trap":
      return expectTrap(await attempt(first, script), text(second));
    case "assert_exhaustion":
      return expectTrap(await attempt(first, script), "call stack exhausted");
    case "assert_exception":
      return expectTrap(await attempt(first, script), "uncaught exception");
    case "assert_unlinkable":
      return expectUnlinkable(await attempt(first, script));
    case "assert_invalid":
    case "assert_malformed":
    case "assert_invalid_custom":
    case "assert_malformed_custom":
      return expectRefused(keyword, first, script);
    default:
      throw new NotSupported(`the directive ${keyword}`);
  }
}

/** `(component …)` or `(module …)`: loaded, and instantiated unless it is only a definition. */
async function define(expression: Expression, { text: script, state }: Script): Promise<void> {
  const name = definedName(expression);
  try {
    const { definition, isDefinition } = await load(script, expression);
    state.definitions.put(name, { value: definition });
    if (isDefinition) return;
  } catch (error) {
    const failed = { outcome: outcomeOf(asNotSupported(error)) };
    state.definitions.put(name, failed);
    state.instances.put(name, failed);
    throw asNotSupported(error);
  }
  makeInstance(name, name, state);
}

/** The name in `(component $name …)`, known even when the component can't be loaded. */
function definedName(expression: Expression): string | undefined {
  if (expression.kind !== "list") return undefined;
  const named = expression.items
    .slice(1, 3)
    .find((item) => item.kind === "atom" && item.text.startsWith("$"));
  return named?.kind === "atom" ? named.text : undefined;
}

/** A component that should be good: what its text needs of the text parser, or of the host, may be missing. */
function asNotSupported(error: unknown): unknown {
  if (error instanceof TextRefused) return new NotSupported(`in the text parser: ${error.message}`);
  if (error instanceof ComponentError && error.code === "component/import-missing") {
    return new NotSupported(`from the host: ${error.message}`);
  }
  return error;
}

async function load(
  script: string,
  expression: Expression,
): Promise<{ definition: Definition; isDefinition: boolean }> {
  const assembled = await assemble(script, expression);
  return { definition: definitionOf(assembled), isDefinition: assembled.isDefinition };
}

function definitionOf({ kind, bytes }: Assembled): Definition {
  if (kind === "component") return { kind, component: loadComponent(bytes) };
  return { kind, module: new WebAssembly.Module(new Uint8Array(bytes)) };
}

/** `(component instance $instance $definition)`. */
function instantiateDefinition(operands: readonly Expression[], state: ScriptState): void {
  const names = operands.slice(1).map((one) => (one.kind === "atom" ? one.text : undefined));
  makeInstance(names[0], names[1], state);
}

function makeInstance(name: string | undefined, definition: string | undefined, state: ScriptState): void {
  try {
    const instance = instantiate(state.definitions.get(definition), state);
    state.instances.put(name, { value: instance });
    if (name !== undefined && instance.kind === "component") register(name.slice(1), undefined, state);
  } catch (error) {
    const shown = asNotSupported(error);
    state.instances.put(name, { outcome: outcomeOf(shown) });
    throw shown;
  }
}

function instantiate(definition: Definition, { imports }: ScriptState): RunningInstance {
  if (definition.kind === "component") {
    const { exports } = instantiateComponent(definition.component, imports);
    return { kind: "component", exports };
  }
  const { exports } = new WebAssembly.Instance(definition.module, imports as WebAssembly.Imports);
  return { kind: "module", exports };
}

/** `(register "name" $instance?)`: what follows can import from it. */
function register(as: string, instance: Expression | undefined, state: ScriptState): void {
  state.imports[as] = state.instances.get(instance?.kind === "atom" ? instance.text : undefined).exports;
}

function expectReturn(
  call: Expression | undefined,
  expected: readonly Expression[],
  state: ScriptState,
): void {
  const returned = action(call, state)?.();
  if (!meetsResults(returned, expected)) {
    throw new Error(`returned ${inspect(returned, { depth: 6 })}, which is not what is expected`);
  }
}

/** What an action or an instantiation threw. */
async function attempt(expression: Expression | undefined, script: Script): Promise<unknown> {
  let run = action(expression, script.state);
  if (run === undefined && expression !== undefined) {
    const { definition } = await load(script.text, expression);
    run = () => instantiate(definition, script.state);
  }
  let returned: unknown;
  try {
    returned = run?.();
  } catch (error) {
    return error;
  }
  throw new Error(`nothing was thrown, it returned ${inspect(returned)}`);
}

function expectTrap(error: unknown, message: string): void {
  const codes = trapCodes(message);
  if (error instanceof Trap && codes.includes(error.code)) return;
  if (error instanceof Trap) throw new Error(`${error.code} (${error.message}) instead of: ${message}`);
  const isCoreTrap = error instanceof WebAssembly.RuntimeError || error instanceof WebAssembly.Exception;
  if (isCoreTrap && codes.includes("trap/wasm")) return;
  if (error instanceof RangeError && codes.includes("trap/stack-overflow")) return;
  throw error;
}

function expectUnlinkable(error: unknown): void {
  if (error instanceof WebAssembly.LinkError || error instanceof TypeError) return;
  const codes: readonly ComponentErrorCode[] = ["component/import-missing", "component/invalid"];
  if (error instanceof ComponentError && codes.includes(error.code)) return;
  throw error;
}

async function expectRefused(
  keyword: string,
  expression: Expression | undefined,
  { text: script, refusals }: Script,
): Promise<void> {
  if (expression === undefined) throw new Error("a component is missing");
  const error = await refusal(script, expression);
  if (!(error instanceof ComponentError)) {
    const isRefusal = error instanceof TextRefused || error instanceof WebAssembly.CompileError;
    if (isRefusal && refusals !== "loader") return;
    throw error;
  }
  if (isUnsupported(error)) throw error;
  const codes = refusals === "any" ? ANY_REFUSAL : exactCodes(keyword);
  if (!codes.includes(error.code)) throw new Error(`refused, but not with ${codes.join(" or ")}: ${error}`);
}

const ANY_REFUSAL: readonly ComponentErrorCode[] = [
  "component/invalid",
  "component/malformed",
  "component/not-a-component",
  "component/limit-exceeded",
];

function exactCodes(keyword: string): readonly ComponentErrorCode[] {
  return keyword.startsWith("assert_invalid")
    ? ["component/invalid"]
    : ["component/malformed", "component/not-a-component"];
}

async function refusal(script: string, expression: Expression): Promise<unknown> {
  try {
    await load(script, expression);
  } catch (error) {
    return error;
  }
  return new Error("it was accepted");
}
