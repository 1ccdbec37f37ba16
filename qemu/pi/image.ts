/**
 * The pi machine's disk: Debian 13 with systemd on ext4. Its packages are unpacked by the machine itself and installed by its own dpkg, once, under
 * emulation: their scripts run where they belong, and the host needs neither root nor binfmt_misc for them.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../cached.ts";
import { extractCommand, extractPackages, type PackageTree } from "../debian.ts";
import { run } from "../run.ts";
import { filesBelow } from "../sources.ts";
import { boardCommand } from "./board.ts";
import type { PiKernel } from "./kernel.ts";

const ROOTFS = fileURLToPath(new URL("rootfs/", import.meta.url));
const SIZE = "1G";
const SYSTEM: PackageTree = {
  suite: "trixie",
  architecture: "arm64",
  packages: ["?and(?essential,?archive(stable))", "apt", "kmod", "nodejs", "systemd", "systemd-sysv", "udev"],
  // Debian 13 has Node 20. What Node 24 needs newer than there comes along.
  later: { suite: "forky", packages: ["nodejs", "libnode*", "node-*", "libuv1*", "libc6", "libc-bin"] },
  keepsArchives: true,
};
/** What rootfs/usr/local/sbin/make-system says at its end. */
const MADE = "the system is made";
const SHOWN_LINES = 45;

/** The file with the disk's contents, not to be written to: machines have overlays. Built (minutes) unless the cache has it. */
export async function buildPiImage(kernel: PiKernel, note: (line: string) => void): Promise<string> {
  const packages = await cached("pi-packages", [extractCommand(SYSTEM).join(" ")], note, (folder) =>
    extractPackages(SYSTEM, join(folder, "packages.tar"), join(folder, "build.log")),
  );
  const inputs = [kernel.image, packages, SIZE, ...(await filesBelow(ROOTFS))];
  const folder = await cached("pi-system", inputs, note, (result) =>
    makeSystem(result, kernel, join(packages, "packages.tar")),
  );
  return join(folder, "root.ext4");
}

async function makeSystem(folder: string, kernel: PiKernel, packages: string): Promise<void> {
  const logFile = join(folder, "build.log");
  const image = join(folder, "root.ext4");
  const rootfs = join(folder, "rootfs.tar");
  const consoleLog = join(folder, "console.log");
  await run(["/sbin/mke2fs", "-q", "-t", "ext4", image, SIZE], { logFile });
  const owner = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX"];
  await run(["tar", "-cf", rootfs, ...owner, "-C", ROOTFS, "etc", "usr"], { logFile });
  const board = boardCommand({
    kernel,
    disk: { file: image, format: "raw", cache: "unsafe" },
    archives: [packages, kernel.modules, rootfs],
    kernelArguments: "make=system",
  });
  await run([...board, "-display", "none", "-monitor", "none", "-serial", `file:${consoleLog}`], { logFile });
  const said = await readFile(consoleLog, "utf8");
  if (!said.includes(MADE)) {
    const end = said.split("\n").slice(-SHOWN_LINES).join("\n");
    throw new Error(`the machine did not make its system; its console's last lines:\n${end}`);
  }
  await rm(rootfs);
}
