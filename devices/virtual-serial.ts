/**
 * A serial port that leads to a program instead of a wire: a pair of pseudo-terminals, joined by socat (or, where that is
 * missing, as script-pty.ts does it). The module has one end through the same binding as a real port; the owner's program
 * opens the other.
 *
 * For development and demonstrations. socat ends with the agent, after a kill -9 as well (tied-process.ts).
 */

import type { ChildProcess } from "node:child_process";
import { DeviceError, errnoOf } from "./errors.ts";
import { MAX_TOOL_OUTPUT_LENGTH, VIRTUAL_PORT_TIMEOUT_MS } from "./limits.ts";
import { type PtyPair, startScriptPair } from "./script-pty.ts";
import { spawnTied } from "./tied-process.ts";

/** Makes a pair by what is installed; see `VirtualPortPair.start` and `startScriptPair`. */
export async function startVirtualPair(name: string, link: string | undefined): Promise<PtyPair> {
  try {
    return await VirtualPortPair.start(name, link);
  } catch (error) {
    if (!(error instanceof DeviceError) || error.code !== "device/tool-missing") throw error;
    return startScriptPair(name, link);
  }
}

/** A pair that socat joins. */
export class VirtualPortPair implements PtyPair {
  /** The module's end. */
  readonly nearPath: string;
  /** The end for a program of the owner. */
  readonly farPath: string;
  readonly #socat: ChildProcess;

  private constructor(nearPath: string, farPath: string, socat: ChildProcess) {
    this.nearPath = nearPath;
    this.farPath = farPath;
    this.#socat = socat;
  }

  /**
   * Makes a pair; `link`, if given, becomes a symbolic link to the far end.
   *
   * Throws DeviceError "device/tool-missing" without socat, "device/failed" if it makes no pair.
   */
  static async start(name: string, link: string | undefined): Promise<VirtualPortPair> {
    const far = link === undefined ? "pty,raw,echo=0" : `pty,raw,echo=0,link=${escapeOption(link)}`;
    const socat = spawnTied("TERM", "socat", ["-d", "-d", "pty,raw,echo=0", far], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      const [nearPath, farPath] = await pathsOf(name, socat);
      return new VirtualPortPair(nearPath, link ?? farPath, socat);
    } catch (error) {
      socat.kill();
      throw error;
    }
  }

  /** Ends socat; both ends hang up. Resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#socat.exitCode !== null || this.#socat.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socat.once("exit", () => resolve());
    this.#socat.kill();
    const timer = setTimeout(() => this.#socat.kill("SIGKILL"), VIRTUAL_PORT_TIMEOUT_MS);
    await promise;
    clearTimeout(timer);
  }
}

/** Reads socat's log until it has named both ends and moves data between them. */
async function pathsOf(name: string, socat: ChildProcess): Promise<readonly [near: string, far: string]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly [string, string]>();
  let output = "";
  const fail = (reason: string, cause?: unknown) =>
    reject(new DeviceError("device/failed", `virtual serial port ${name}: ${reason}`, { cause }));
  const timer = setTimeout(() => fail("socat made no pair in time"), VIRTUAL_PORT_TIMEOUT_MS);

  socat.once("error", (error) => {
    if (errnoOf(error) !== "ENOENT") return fail(`socat does not start: ${error.message}`, error);
    const message = `virtual serial port ${name} needs socat, which is not installed: apt-get install socat`;
    reject(new DeviceError("device/tool-missing", message, { cause: error }));
  });
  // Not "exit": what it said last may still be on its way then.
  socat.once("close", () => fail(`socat ended: ${output.trim()}`));
  socat.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(0, MAX_TOOL_OUTPUT_LENGTH);
    if (!output.includes("starting data transfer loop")) return;
    const [near, far] = [...output.matchAll(/PTY is (\S+)/g)].map((match) => match[1]);
    if (near !== undefined && far !== undefined) resolve([near, far]);
  });
  return promise.finally(() => clearTimeout(timer));
}

/** A path as a value in one of socat's addresses, in which commas, colons and the like have a meaning. */
function escapeOption(path: string): string {
  return path.replace(/[\\,:!'"()[\]{} ]/g, "\\$&");
}
