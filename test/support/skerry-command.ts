/** Runs the command line as a user does: in a process of its own. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SKERRY = fileURLToPath(new URL("../../skerry.js", import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * @param input what stands in standard input before it ends; `open` leaves it open and empty
 * @param until interrupts the command, as a person would, when its standard error has this
 * @param env variables on top of this process's
 */
export async function skerry(
  args: readonly string[],
  input: Uint8Array | "open" = new Uint8Array(0),
  until?: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [SKERRY, ...args], { env: { ...process.env, ...env } });
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr.push(chunk);
    // Once: a second signal ends the command without its ado.
    if (!child.killed && until?.test(Buffer.concat(output.stderr).toString())) child.kill("SIGINT");
  });
  // A command that ends before it has read everything is no failure of the test.
  child.stdin.on("error", () => undefined);
  if (input !== "open") child.stdin.end(input);
  await once(child, "close");
  return {
    code: child.exitCode,
    stdout: Buffer.concat(output.stdout),
    stderr: Buffer.concat(output.stderr).toString(),
  };
}
