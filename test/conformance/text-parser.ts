/** The text parser for scripts of any origin: where a text makes it panic, the next one gets a new instance of it. */

import { freshWasmTools, type WasmTools } from "../support/wat.ts";

let tools: WasmTools | undefined;

/** The bytes of a component or core module written as text; rejects with the parser's own message. */
export async function parseText(text: string): Promise<Uint8Array> {
  try {
    tools ??= await freshWasmTools();
    return tools.parse(text);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) tools = undefined;
    throw error;
  }
}
