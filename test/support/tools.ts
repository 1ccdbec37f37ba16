/**
 * Programs of the machine that some tests need (Mosquitto, socat, OpenSSL). Where one is missing, the test is
 * left out with a line that says so; in CI (the environment variable CI is set) a test left out is a failure.
 */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ExecutionContext } from "ava";

export type Tool =
  | "mosquitto"
  | "mosquitto_passwd"
  | "mosquitto_sub"
  | "openssl"
  | "script"
  | "setpriv"
  | "socat"
  | "zstd";

/** Debian keeps daemons in /usr/sbin, which is not in the PATH of a user who is not root. */
const FURTHER_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

/** The tool's path, or undefined if this machine does not have it. */
export function findTool(tool: Tool): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).concat(FURTHER_FOLDERS);
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, tool))
    .find(isExecutableFile);
}

/** The tool's path; throws where it is missing (a test calls requireTool first). */
export function toolPath(tool: Tool): string {
  const path = findTool(tool);
  if (path === undefined) {
    throw new Error(`${tool} is not installed`);
  }
  return path;
}

/**
 * Whether the test can go on. Otherwise it has passed with a line that names what is missing (failed in CI),
 * and has to return: `if (!requireTool(t, "mosquitto")) return;`
 */
export function requireTool(t: ExecutionContext, ...tools: readonly Tool[]): boolean {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length === 0) {
    return true;
  }
  const line = `left out: ${missing.join(", ")} not installed`;
  if ((process.env["CI"] ?? "") === "") {
    t.log(line);
    t.pass(line);
  } else {
    t.fail(`${line}; in CI every test has to run`);
  }
  return false;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
