/** What the machines are built and run with, all of it packages of Debian. */
import { type DebianTool, installMissing } from "./debian-packages.ts";

const TOOLS: readonly DebianTool[] = [
  { command: "qemu-system-arm", package: "qemu-system-arm" },
  { command: "qemu-system-aarch64", package: "qemu-system-arm" },
  { command: "qemu-img", package: "qemu-utils" },
  { command: "mosquitto", package: "mosquitto" },
  { command: "mmdebstrap", package: "mmdebstrap" },
  { command: "mke2fs", package: "e2fsprogs" },
  { command: "arm-linux-gnueabihf-gcc", package: "gcc-arm-linux-gnueabihf" },
  { command: "make", package: "make" },
  { command: "gcc", package: "gcc" },
  { command: "/usr/include/stdio.h", package: "libc6-dev" },
  { command: "bc", package: "bc" },
  { command: "flex", package: "flex" },
  { command: "bison", package: "bison" },
  { command: "depmod", package: "kmod" },
  { command: "cpio", package: "cpio" },
  { command: "xz", package: "xz-utils" },
];

/**
 * Installs what is missing where that may be done.
 *
 * @throws Error that names the packages that somebody has to install
 */
export function requireTools(): void {
  const missing = [...new Set(installMissing(TOOLS).map((tool) => tool.package))];
  if (missing.length === 0) return;
  throw new Error(`missing on this machine (on Debian: apt-get install ${missing.join(" ")})`);
}
