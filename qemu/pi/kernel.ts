/**
 * The pi machine's kernel: Debian's own for arm64, with its modules for the disk, and an initrd of busybox and the few modules that reach
 * that disk. (Debian's initramfs-tools would have to run on the architecture that it makes one for.)
 */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../cached.ts";
import { extractCommand, extractPackages, type PackageTree } from "../debian.ts";
import { run } from "../run.ts";

const INIT = fileURLToPath(new URL("init.sh", import.meta.url));
const PACKAGES: PackageTree = {
  suite: "trixie",
  architecture: "arm64",
  packages: ["linux-image-arm64", "busybox-static"],
};
/** What the initrd brings up: the disk, and the file system on it, which asks for its checksum by name. */
const NEEDED_AT_ONCE = ["virtio_blk", "crc32c_generic", "ext4"];

export interface PiKernel {
  readonly image: string;
  readonly initrd: string;
  /** An archive of /usr/lib/modules. */
  readonly modules: string;
}

/** Takes it from its package unless the cache has it. */
export async function buildPiKernel(note: (line: string) => void): Promise<PiKernel> {
  const inputs = [extractCommand(PACKAGES).join(" "), NEEDED_AT_ONCE.join(" "), await readFile(INIT)];
  const folder = await cached("pi-kernel", inputs, note, assemble);
  return {
    image: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    modules: join(folder, "modules.tar"),
  };
}

async function assemble(folder: string): Promise<void> {
  const logFile = join(folder, "build.log");
  const tree = join(folder, "tree");
  await extractPackages(PACKAGES, tree, logFile);
  const [release = ""] = await readdir(join(tree, "usr/lib/modules"));
  await copyFile(join(tree, "boot", `vmlinuz-${release}`), join(folder, "vmlinuz"));
  // As the package's own script does when it is installed.
  await run(["/sbin/depmod", "-b", join(tree, "usr"), release], { logFile });
  await run(
    ["tar", "-cf", join(folder, "modules.tar"), "--owner=0", "--group=0", "-C", tree, "usr/lib/modules"],
    { logFile },
  );
  await makeInitrd({ tree, release, folder, logFile });
  await rm(tree, { recursive: true });
}

interface InitrdParts {
  readonly tree: string;
  readonly release: string;
  readonly folder: string;
  readonly logFile: string;
}

async function makeInitrd({ tree, release, folder, logFile }: InitrdParts): Promise<void> {
  const root = join(folder, "initrd-root");
  for (const name of ["bin", "dev", "modules", "root"]) await mkdir(join(root, name), { recursive: true });
  await copyFile(join(tree, "usr/bin/busybox"), join(root, "bin/busybox"));
  await copyFile(INIT, join(root, "init"));
  await run(["chmod", "755", join(root, "init"), join(root, "bin/busybox")], { logFile });
  const modules = join(tree, "usr/lib/modules", release);
  const order = inLoadingOrder(await readFile(join(modules, "modules.dep"), "utf8"), NEEDED_AT_ONCE);
  for (const path of order) {
    const packed = join(root, "modules", basename(path));
    await copyFile(join(modules, path), packed);
    await run(["xz", "-d", packed], { logFile });
  }
  await writeFile(join(root, "modules/order"), order.map((path) => `${basename(path, ".xz")}\n`).join(""));
  const pack = 'cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 > "$2"';
  await run(["sh", "-c", pack, "sh", root, join(folder, "initrd")], { logFile });
  await rm(root, { recursive: true });
}

/**
 * Paths of modules and of what they depend on, each after all that it needs; `dependencies` is a modules.dep, which lists
 * them per module from the nearest to the furthest.
 */
function inLoadingOrder(dependencies: string, names: readonly string[]): readonly string[] {
  const lines = dependencies.split("\n").map((line) => line.split(/: ?/));
  const chains = names.map((name) => {
    const [path, needed] =
      lines.find(([each]) => each !== undefined && basename(each) === `${name}.ko.xz`) ?? [];
    if (path === undefined) throw new Error(`the kernel has no module ${name}`);
    return [path, ...(needed ?? "").split(" ").filter((each) => each !== "")].toReversed();
  });
  return [...new Set(chains.flat())];
}
