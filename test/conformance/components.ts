/**
 * Components of a script: their bytes, made from text, `binary` or `quote`.
 */

import { type Component, checkCoreModules, compileComponent } from "../../sandbox/component/index.ts";
import { componentFromText } from "../support/wat.ts";
import type { Expression } from "./wast.ts";

/** A `(component …)` of a script. */
export interface ScriptComponent {
  readonly name: string | undefined;
  /** `(component definition …)`: not instantiated by itself. */
  readonly isDefinition: boolean;
  readonly bytes: Uint8Array;
}

/** The text parser refused the component; some rules are its business. */
export class TextRefused extends Error {
  override readonly name = "TextRefused";
}

/** Makes the bytes of a `(component …)` expression: from text, `binary` or `quote`. */
export async function assembleComponent(script: string, expression: Expression): Promise<ScriptComponent> {
  if (expression.kind !== "list") throw new Error("a component has to stand in parentheses");
  const modifiers = new Set(["definition", "binary", "quote"]);
  const found = new Set<string>();
  let name: string | undefined;
  let rest = expression.items.slice(1);
  for (let head = rest[0]; head?.kind === "atom"; head = rest[0]) {
    if (modifiers.has(head.text)) found.add(head.text);
    else if (head.text.startsWith("$")) name = head.text;
    else break;
    rest = rest.slice(1);
  }
  const isDefinition = found.has("definition");
  if (found.has("binary")) return { name, isDefinition, bytes: joinStrings(rest) };
  const first = rest[0];
  const fields = found.has("quote")
    ? new TextDecoder().decode(joinStrings(rest))
    : first === undefined
      ? ""
      : script.slice(first.start, expression.end - 1);
  return { name, isDefinition, bytes: await assembleText(`(component ${name ?? ""} ${fields})`) };
}

async function assembleText(text: string): Promise<Uint8Array> {
  try {
    return await componentFromText(text);
  } catch (error) {
    throw new TextRefused(String(error), { cause: error });
  }
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
