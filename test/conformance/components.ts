/**
 * Components and core modules of a script: their bytes, made from text, `binary` or `quote`.
 */

import { type Component, checkCoreModules, compileComponent } from "../../sandbox/component/index.ts";
import { parseText } from "./text-parser.ts";
import type { Expression } from "./wast.ts";

/** A `(component …)` or `(module …)` of a script. */
export interface Assembled {
  readonly kind: "component" | "module";
  readonly name: string | undefined;
  /** `(component definition …)`: not instantiated by itself. */
  readonly isDefinition: boolean;
  readonly bytes: Uint8Array;
}

/** The text parser refused the component; some rules are its business. */
export class TextRefused extends Error {
  override readonly name = "TextRefused";
}

const MODIFIERS: ReadonlySet<string> = new Set(["definition", "binary", "quote"]);

/** Makes the bytes of a `(component …)` or `(module …)` expression: from text, `binary` or `quote`. */
export async function assemble(script: string, expression: Expression): Promise<Assembled> {
  if (expression.kind !== "list") throw new Error("a component has to stand in parentheses");
  const [head, ...others] = expression.items;
  const kind = head?.kind === "atom" && head.text === "module" ? "module" : "component";
  const { modifiers, name, rest } = readModifiers(others);
  const isDefinition = modifiers.has("definition");
  if (modifiers.has("binary")) return { kind, name, isDefinition, bytes: joinStrings(rest) };
  const [first] = rest;
  let fields = first === undefined ? "" : script.slice(first.start, expression.end - 1);
  if (modifiers.has("quote")) fields = new TextDecoder().decode(joinStrings(rest));
  return { kind, name, isDefinition, bytes: await assembleText(`(${kind} ${name ?? ""} ${fields}\n)`) };
}

function readModifiers(items: readonly Expression[]): {
  modifiers: ReadonlySet<string>;
  name: string | undefined;
  rest: readonly Expression[];
} {
  const modifiers = new Set<string>();
  let name: string | undefined;
  let rest = items;
  for (let head = rest[0]; head?.kind === "atom"; head = rest[0]) {
    if (MODIFIERS.has(head.text)) modifiers.add(head.text);
    else if (head.text.startsWith("$")) name = head.text;
    else break;
    rest = rest.slice(1);
  }
  return { modifiers, name, rest };
}

async function assembleText(text: string): Promise<Uint8Array> {
  try {
    return await parseText(text);
  } catch (error) {
    const current = withCurrentReferences(text);
    if (current !== text) return assembleText(current);
    throw new TextRefused(parserReason(String(error)), { cause: error });
  }
}

/** Older scripts name the parts of a core instance without their sort: `(memory $i "m")`, `(realloc (func $i "r"))`. */
function withCurrentReferences(text: string): string {
  return text
    .replace(/\(memory\s+(\$[^\s()"]+|\d+)\s+("[^"]*")\s*\)/g, "(memory (core memory $1 $2))")
    .replace(/\((realloc|post-return|callback)\s+\(func\s/g, "($1 (core func ");
}

/** The parser shows its error as the structure that it is; the reason and the line of text are in it. */
function parserReason(message: string): string {
  const reason = /kind: (?:Custom\("(.*?)"\) }|(Lex\(.*?\)))/.exec(message);
  const line = /snippet: "\s*(.*?)\s*" }\), file/.exec(message)?.[1];
  const shown = `${reason?.[1] ?? reason?.[2]}, in ${line ?? "a line unknown"}`;
  return reason === null ? message : shown.replaceAll('\\"', '"');
}

function joinStrings(expressions: readonly Expression[]): Uint8Array {
  return Buffer.concat(
    expressions.flatMap((expression) => (expression.kind === "string" ? [expression.bytes] : [])),
  );
}

/** Decodes and validates a component and has the engine check its core modules, as staging does. */
export function loadComponent(bytes: Uint8Array): Component {
  const component = compileComponent(bytes);
  checkCoreModules(component);
  return component;
}
