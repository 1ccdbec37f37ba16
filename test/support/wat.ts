/** Components and core modules from their text format, for tests; the parser is wast, compiled to WebAssembly. */

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

/** The bytes of a component (or core module) written as text; rejects with the parser's own message. */
export async function componentFromText(text: string): Promise<Uint8Array> {
  return parse(text);
}

/** What tests use of wasm-tools. */
export interface WasmTools {
  readonly parse: (text: string) => Uint8Array;
  readonly componentWit: (bytes: Uint8Array) => string;
}

let instances = 0;

/**
 * The tools in an instance of their own: some texts and bytes make them panic, and an instance that trapped can't be
 * entered again. A module is instantiated once for each URL.
 */
export async function freshWasmTools(): Promise<WasmTools> {
  instances += 1;
  const entry = import.meta.resolve("@bytecodealliance/jco-transpile/wasm-tools");
  const { tools, $init } = await import(new URL(`../vendor/wasm-tools.js?${instances}`, entry).href);
  await $init;
  return tools;
}
