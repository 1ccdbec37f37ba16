/** Components and core modules from their text format, for tests; the parser is wast, compiled to WebAssembly. */

import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";

/** The bytes of a component (or core module) written as text; rejects with the parser's own message. */
export async function componentFromText(text: string): Promise<Uint8Array> {
  return parse(text);
}
