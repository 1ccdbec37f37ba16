/**
 * Runs before the tests (npm's `pretest`): sees to the real parts that they use. Where it may (root on a Debian machine) it installs
 * what is missing through apt; elsewhere it says in a line which tests will be left out.
 */
import { spawnSync } from "node:child_process";

const TOOLS = [
  { command: "mosquitto", package: "mosquitto", use: "the tests against a real MQTT broker" },
  { command: "socat", package: "socat", use: "the tests over a pseudo-terminal pair" },
  { command: "openssl", package: "openssl", use: "the tests over TLS" },
] as const;

const missing = TOOLS.filter((tool) => !isInstalled(tool.command));
if (missing.length > 0) {
  const packages = missing.map((tool) => tool.package);
  if (process.getuid?.() === 0 && isInstalled("apt-get")) install(packages);
  for (const tool of missing) {
    if (!isInstalled(tool.command)) {
      console.log(
        `${tool.command} is not installed: ${tool.use} are left out (on Debian: apt-get install ${tool.package}).`,
      );
    }
  }
}

/** Debian keeps daemons in /usr/sbin, which is not on everybody's path. */
function isInstalled(command: string): boolean {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  return (
    spawnSync("sh", ["-c", `command -v ${command}`], { env: { ...process.env, PATH: path } }).status === 0
  );
}

function install(packages: readonly string[]): void {
  console.log(`Installing ${packages.join(", ")} …`);
  // The broker's own service must not come up on its default port: the tests start their own.
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  spawnSync("apt-get", ["update", "-qq"], { env: environment, stdio: "ignore" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
}
