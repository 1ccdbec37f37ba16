/**
 * A pair of pseudo-terminals without socat: two `script` processes (util-linux; part of every Debian), each holding a terminal,
 * joined by this process. Slower than socat, and nothing to install.
 */

import type { ChildProcess } from "node:child_process";
import { symlink, unlink } from "node:fs/promises";
import { DeviceError } from "./errors.ts";
import { MAX_TOOL_OUTPUT_LENGTH, VIRTUAL_PORT_TIMEOUT_MS } from "./limits.ts";
import { spawnTied } from "./tied-process.ts";

/** Names the terminal, makes it a plain wire, and keeps it until the process is ended. */
const HOLD_TERMINAL = "tty; stty raw -echo; echo ready; exec sleep 2147483647";
const READY = /^(\/dev\/\S+)\s+ready\s+$/;

export interface PtyPair {
  readonly nearPath: string;
  readonly farPath: string;
  /** Never rejects; both ends hang up. */
  close(): Promise<void>;
}

/** Makes a pair; `link`, if given, becomes a symbolic link to the far end. Throws DeviceError "device/tool-missing", "device/failed". */
export async function startScriptPair(name: string, link: string | undefined): Promise<PtyPair> {
  const holders = [holdTerminal(), holdTerminal()] as const;
  const close = async (): Promise<void> => {
    await Promise.all(holders.map(end));
    if (link !== undefined) await unlink(link).catch(() => undefined);
  };
  try {
    const [nearPath, farPath] = await Promise.all([pathOf(name, holders[0]), pathOf(name, holders[1])]);
    join(holders[0], holders[1]);
    join(holders[1], holders[0]);
    if (link !== undefined) await symlink(farPath, link);
    return { nearPath, farPath: link ?? farPath, close };
  } catch (error) {
    await close();
    if (error instanceof DeviceError) throw error;
    throw new DeviceError("device/failed", `virtual serial port ${name}: no link at ${link}`, {
      cause: error,
    });
  }
}

function holdTerminal(): ChildProcess {
  return spawnTied("KILL", "script", ["-qfc", HOLD_TERMINAL, "/dev/null"], {
    stdio: ["pipe", "pipe", "ignore"],
    // script takes the user's shell; a service's user has one that only says that it is none.
    env: { ...process.env, SHELL: "/bin/sh" },
  });
}

function join(from: ChildProcess, to: ChildProcess): void {
  if (from.stdout === null || to.stdin === null) return;
  // A holder that was ended breaks the pipe: the port hangs up, which its reader sees.
  to.stdin.on("error", () => undefined);
  from.stdout.pipe(to.stdin);
}

/** Reads what the shell prints until the terminal is ready. */
async function pathOf(name: string, holder: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (code: "device/failed" | "device/tool-missing", reason: string): void =>
    reject(new DeviceError(code, `virtual serial port ${name}: ${reason}`));
  const timer = setTimeout(
    () => fail("device/failed", "script made no terminal in time"),
    VIRTUAL_PORT_TIMEOUT_MS,
  );
  let output = "";
  const onData = (bytes: Buffer): void => {
    output = (output + bytes.toString("latin1")).slice(0, MAX_TOOL_OUTPUT_LENGTH);
    const path = READY.exec(output)?.[1];
    if (path !== undefined) resolve(path);
  };
  const onExit = (): void => fail("device/failed", "script ended");
  holder.once("error", () =>
    fail("device/tool-missing", "it needs socat or script, and neither is installed: apt-get install socat"),
  );
  holder.once("exit", onExit);
  holder.stdout?.on("data", onData);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    holder.off("exit", onExit);
    holder.stdout?.off("data", onData);
    holder.stdout?.pause();
  }
}

async function end(holder: ChildProcess): Promise<void> {
  if (holder.pid === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  holder.once("exit", () => resolve());
  // Asked politely, script waits two seconds for its shell; without it the terminal hangs up, and the shell ends by that.
  holder.kill("SIGKILL");
  await promise;
}
