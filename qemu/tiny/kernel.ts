/** The tiny machine's kernel and device tree, cross-compiled from Debian's kernel source. */
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../cached.ts";
import { extractCommand, extractPackages, type PackageTree } from "../debian.ts";
import { run } from "../run.ts";

const FRAGMENT = fileURLToPath(new URL("kernel.config", import.meta.url));
const BOARD = fileURLToPath(new URL("board.dts", import.meta.url));
const VERSION = "6.12";
const SOURCE: PackageTree = { suite: "trixie", architecture: "all", packages: [`linux-source-${VERSION}`] };
const DEVICE_TREES = "arch/arm/boot/dts/nxp/imx";
/**
 * QEMU's serial port does not show activity on its line (USR2's WAKE bit), so the driver's guard against a flood of garbage, which some
 * boards suffer from, would reset the port after a few characters. It never sees one here.
 */
const SERIAL_DRIVER = "drivers/tty/serial/imx.c";
const FLOOD_CONDITION = "++sport->idle_counter > 3";
const CROSS = { ARCH: "arm", CROSS_COMPILE: "arm-linux-gnueabihf-" };

export interface Kernel {
  readonly image: string;
  readonly deviceTree: string;
}

/** Builds it (minutes) unless the cache has it. */
export async function buildKernel(note: (line: string) => void): Promise<Kernel> {
  const [fragment, board] = await Promise.all([readFile(FRAGMENT, "utf8"), readFile(BOARD, "utf8")]);
  const folder = await cached(
    "tiny-kernel",
    [extractCommand(SOURCE).join(" "), fragment, board, FLOOD_CONDITION],
    note,
    compile,
  );
  return { image: join(folder, "zImage"), deviceTree: join(folder, "board.dtb") };
}

async function compile(folder: string): Promise<void> {
  const logFile = join(folder, "build.log");
  const packages = join(folder, "packages");
  await extractPackages(SOURCE, packages, logFile);
  const archive = join(packages, `usr/src/linux-source-${VERSION}.tar.xz`);
  await run(["tar", "-xf", archive, "-C", folder], { logFile });
  const cwd = join(folder, `linux-source-${VERSION}`);
  await replaceOnce(join(cwd, SERIAL_DRIVER), FLOOD_CONDITION, "false");
  const make = (...targets: string[]): Promise<void> =>
    run(["make", "-s", `-j${availableParallelism()}`, ...targets], { cwd, env: CROSS, logFile });
  await make("tinyconfig");
  await run(["scripts/kconfig/merge_config.sh", "-m", "-r", ".config", FRAGMENT], {
    cwd,
    env: CROSS,
    logFile,
  });
  await make("olddefconfig");
  requireFragment(await readFile(FRAGMENT, "utf8"), await readFile(join(cwd, ".config"), "utf8"));
  await copyFile(BOARD, join(cwd, DEVICE_TREES, "skerry-tiny.dts"));
  await make("zImage", "nxp/imx/skerry-tiny.dtb");
  await copyFile(join(cwd, "arch/arm/boot/zImage"), join(folder, "zImage"));
  await copyFile(join(cwd, DEVICE_TREES, "skerry-tiny.dtb"), join(folder, "board.dtb"));
  await copyFile(join(cwd, ".config"), join(folder, "config"));
  await Promise.all([rm(cwd, { recursive: true }), rm(packages, { recursive: true })]);
}

async function replaceOnce(path: string, text: string, substitute: string): Promise<void> {
  const parts = (await readFile(path, "utf8")).split(text);
  if (parts.length !== 2) throw new Error(`${path} has "${text}" ${parts.length - 1} times, not once`);
  await writeFile(path, parts.join(substitute));
}

/** What a fragment asks for and depends on something that is off is dropped by kconfig without a word. */
function requireFragment(fragment: string, config: string): void {
  const settings = new Set(config.split("\n"));
  const lost = fragment.split("\n").filter((line) => /^CONFIG_\w+=[^n]/.test(line) && !settings.has(line));
  if (lost.length > 0) throw new Error(`the kernel's configuration dropped ${lost.join(", ")}`);
}
