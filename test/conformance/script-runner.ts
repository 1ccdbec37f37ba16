/**
 * Runs the directives of one script against this loader and says how each came out.
 *
 * A directive that needs a later feature (async, threads, maps …) is told from a wrong one by the loader's own answer,
 * `component/unsupported`.
 */

import { ComponentError, type ComponentErrorCode } from "../../sandbox/component/errors.ts";
import { assembleComponent, loadComponent, TextRefused } from "./components.ts";
import { type Directive, type Expression, splitDirectives } from "./wast.ts";

export type Outcome =
  | { readonly kind: "right" }
  /** Needs a feature that the loader names as unsupported. */
  | { readonly kind: "later" }
  /** A directive that this runner does not run (yet). */
  | { readonly kind: "not-run" }
  | { readonly kind: "wrong"; readonly why: string };

export interface DirectiveResult {
  readonly directive: Directive;
  readonly outcome: Outcome;
}

const RIGHT: Outcome = { kind: "right" };

/** Runs all directives of a script, in order. */
export async function runScript(script: string): Promise<DirectiveResult[]> {
  const results: DirectiveResult[] = [];
  for (const directive of splitDirectives(script)) {
    results.push({ directive, outcome: await runDirective(script, directive) });
  }
  return results;
}

async function runDirective(script: string, directive: Directive): Promise<Outcome> {
  const [operand] = directive.operands;
  switch (directive.keyword) {
    case "component":
      if (operand?.kind === "atom" && operand.text === "instance") return { kind: "not-run" };
      return expectLoads(script, directive.expression);
    case "assert_invalid":
      return expectRefused(script, operand, ["component/invalid"]);
    case "assert_malformed":
      return expectRefused(script, operand, ["component/malformed", "component/not-a-component"]);
    default:
      return { kind: "not-run" };
  }
}

async function expectLoads(script: string, expression: Expression): Promise<Outcome> {
  const error = await refusal(script, expression);
  if (error === undefined) return RIGHT;
  if (isUnsupported(error)) return { kind: "later" };
  return { kind: "wrong", why: `a valid component was refused: ${error}` };
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
  if (isUnsupported(error)) return { kind: "later" };
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
