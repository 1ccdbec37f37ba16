/**
 * The text parser for scripts of any origin: some texts make it panic, and an instance that trapped can't be entered
 * again, so that the texts after it need a new one.
 */

import { componentFromText } from "../support/wat.ts";

type Parse = (text: string) => Promise<Uint8Array>;

let parse: Parse = componentFromText;
let panics = 0;

/** The bytes of a component or core module written as text; rejects with the parser's own message. */
export async function parseText(text: string): Promise<Uint8Array> {
  try {
    return await parse(text);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) parse = await newParser();
    throw error;
  }
}

/** A module of its own, by its own URL, since a module's instance is made once. */
async function newParser(): Promise<Parse> {
  panics += 1;
  const entry = import.meta.resolve("@bytecodealliance/jco-transpile/wasm-tools");
  const { tools, $init } = await import(new URL(`../vendor/wasm-tools.js?${panics}`, entry).href);
  await $init;
  return async (text) => tools.parse(text);
}
