/** Runs the programs that build the machines; their output goes to a log and is shown only when one fails. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";

const SHOWN_LINES = 15;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Output of all commands of a build, one after the other. */
  readonly logFile: string;
}

/**
 * Runs a command to its end.
 *
 * @throws Error with its last lines of output if it can't be started or ends with another code than 0
 */
export async function run(command: readonly string[], options: RunOptions): Promise<void> {
  const [program = "", ...args] = command;
  const log = await open(options.logFile, "a");
  try {
    await log.write(`$ ${command.join(" ")}\n`);
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", log.fd, log.fd],
    });
    const [code, signal] = await once(child, "close");
    if (code !== 0) throw new Error(`${program} ended with ${code ?? signal}`);
  } catch (error) {
    const lines = (await readFile(options.logFile, "utf8")).trimEnd().split("\n").slice(-SHOWN_LINES);
    throw new Error(`${command.join(" ")} failed; the end of ${options.logFile}:\n${lines.join("\n")}`, {
      cause: error,
    });
  } finally {
    await log.close();
  }
}
