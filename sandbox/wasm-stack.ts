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

/** The `unreachable` by which the loader traps for the guest (component/traps.ts): a module of 32 bytes, without names. */
const RAISED_TRAP = "wasm-function[0]:0x1e";

/** `main (wasm-function[36]:0x2062)` per line, a frame that comes several times on end once; empty if no guest was involved. */
export function wasmStack(stack: string): string {
  const frames = stack
    .split("\n")
    .map((line) => FRAME.exec(line))
    .filter((found) => found !== null)
    .map(([, name, place = ""]) => (name === undefined ? place : `${printable(name)} (${place})`));
  if (frames[0] === RAISED_TRAP) frames.shift();
  return withoutRepetition(frames).join("\n");
}

function withoutRepetition(frames: readonly string[]): string[] {
  const lines: string[] = [];
  for (let index = 0; index < frames.length; ) {
    let next = index + 1;
    while (next < frames.length && frames[next] === frames[index]) next += 1;
    const times = next - index;
    lines.push(times === 1 ? `${frames[index]}` : `${frames[index]}, ${times} times`);
    index = next;
  }
  return lines;
}

/** Names come from the module and end in logs and terminals. */
function printable(name: string): string {
  return name.slice(0, MAX_FRAME_NAME_LENGTH).replace(/[\p{C}\p{Z}]/gu, "?");
}
