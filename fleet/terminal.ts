/** Asking at the terminal without showing what is typed. */

import type { Readable } from "node:stream";
import type { TextOutput } from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { MAX_PASSPHRASE_LENGTH } from "./limits.ts";

/** Standard input when it is a terminal. */
export interface Terminal extends Readable {
  setRawMode(on: boolean): unknown;
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
/** A line ends with one of these: "\r" is what Enter gives in raw mode. */
const ENDS: ReadonlySet<string> = new Set(["\r", "\n", CTRL_C, CTRL_D]);
const BACKSPACES: ReadonlySet<string> = new Set(["\u0008", "\u007f"]);

/**
 * Reads one line. Backspace and Ctrl-U correct it; Ctrl-C and Ctrl-D throw FleetError "fleet/cancelled".
 */
export async function askHidden(input: Terminal, output: TextOutput, prompt: string): Promise<string> {
  // First: what is typed as soon as the question stands must not be shown either.
  input.setRawMode(true);
  output.write(prompt);
  input.resume();
  try {
    return await readLine(input);
  } finally {
    input.setRawMode(false);
    input.pause();
    output.write("\n");
  }
}

function readLine(input: Terminal): Promise<string> {
  const line = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  const typed: string[] = [];
  const cancel = (how: string): void =>
    line.reject(new FleetError("fleet/cancelled", `Nothing was changed: ${how}`));
  const onData = (bytes: Buffer): void => {
    const characters = [...decoder.decode(bytes, { stream: true })];
    const end = characters.findIndex((character) => ENDS.has(character));
    for (const character of characters.slice(0, end < 0 ? undefined : end)) edit(typed, character);
    if (end < 0) return;
    // What was typed or pasted after the line belongs to the next question.
    const rest = characters.slice(end + 1).join("");
    input.pause();
    if (rest !== "") input.unshift(Buffer.from(rest));
    if (isInterrupt(characters[end])) cancel("it was interrupted");
    else line.resolve(typed.join(""));
  };
  const onEnd = (): void => cancel("the input ended");
  if (input.readableEnded) onEnd();
  input.on("data", onData);
  input.once("end", onEnd);
  return line.promise.finally(() => {
    input.off("data", onData);
    input.off("end", onEnd);
  });
}

function isInterrupt(character: string | undefined): boolean {
  return character === CTRL_C || character === CTRL_D;
}

function edit(typed: string[], character: string): void {
  if (character === CTRL_U) typed.length = 0;
  else if (BACKSPACES.has(character)) typed.pop();
  else if (character >= " " && typed.length < MAX_PASSPHRASE_LENGTH) typed.push(character);
}
