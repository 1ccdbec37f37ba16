/** The programs of Debian that this project's tests and machines stand on, and how they come onto a machine. */
import { spawnSync } from "node:child_process";

/** A program, and the package that has it. */
export interface DebianTool {
  readonly command: string;
  readonly package: string;
}

/** Installs what is missing where that may be done (root, apt); returns what is missing after that. */
export function installMissing<Tool extends DebianTool>(tools: readonly Tool[]): readonly Tool[] {
  const missing = tools.filter((tool) => !isInstalled(tool.command));
  if (missing.length === 0 || process.getuid?.() !== 0 || !isInstalled("apt-get")) return missing;
  const packages = [...new Set(missing.map((tool) => tool.package))];
  console.log(`Installing ${packages.join(", ")} …`);
  // No service comes up by itself: what needs one starts its own.
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  spawnSync("apt-get", ["update", "-qq"], { env: environment, stdio: "ignore" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return missing.filter((tool) => !isInstalled(tool.command));
}

/** Debian keeps daemons and tools for file systems where not everybody's path leads. */
function isInstalled(command: string): boolean {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const test = command.startsWith("/") ? `test -e ${command}` : `command -v ${command}`;
  return spawnSync("sh", ["-c", test], { env: { ...process.env, PATH: path } }).status === 0;
}
