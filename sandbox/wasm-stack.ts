/**
 * The guest's part of an error's stack: where it was, by its functions' names (the name section of its core modules), a
 * line per frame, the innermost first. Frames of the host say nothing to whoever wrote the module.
 */

import { MAX_FRAME_NAME_LENGTH, MAX_STACK_FRAMES } from "./limits.ts";

/** V8: `    at module.function (wasm://wasm/…:wasm-function[7]:0x1f)`, or without a name and parentheses. */
const FRAME = /^ {4}at (?:(.*) \()?wasm:\/\/.*:(wasm-function\[[0-9]+\]:0x[0-9a-f]+)\)?$/;

/** How many frames V8 writes into `stack`: by default ten, of which the host has half. */
export function keepLongStacks(): void {
  Error.stackTraceLimit = MAX_STACK_FRAMES;
}

/** `main (wasm-function[36]:0x2062)` per line; empty if no guest was involved. */
export function wasmStack(stack: string): string {
  return stack
    .split("\n")
    .map((line) => FRAME.exec(line))
    .filter((found) => found !== null)
    .map(([, name, place]) => (name === undefined ? place : `${printable(name)} (${place})`))
    .join("\n");
}

/** Names come from the module and end in logs and terminals. */
function printable(name: string): string {
  return name.slice(0, MAX_FRAME_NAME_LENGTH).replace(/[\p{C}\p{Z}]/gu, "?");
}
