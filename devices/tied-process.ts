/** Programs that end with the agent, however it ends: after a kill -9 nobody else would end them. */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * As `spawn`; the kernel sends the program `signal` when this process is gone. That is Linux's PR_SET_PDEATHSIG, which util-linux's
 * setpriv sets (part of every Debian); where that is missing, the program stays until it ends by itself.
 */
export function spawnTied(
  signal: "TERM" | "KILL",
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  return isInstalled("setpriv") && isInstalled(program)
    ? spawn("setpriv", ["--pdeathsig", signal, program, ...args], options)
    : spawn(program, args, options);
}

function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
