/**
 * The tiny machine's disk: busybox, Node and Skerry on ext4 with its journal, 256 MiB (an SD card's size is a power of two). Unpacked packages, the
 * files of rootfs/ on top; the third of it that Skerry is changes with each build, so it is a step of its own.
 */
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layOut } from "../../packaging/layout.ts";
import { cached } from "../cached.ts";
import { extractCommand, extractPackages, type PackageTree } from "../debian.ts";
import { run } from "../run.ts";
import { filesBelow, sourcesOfSkerry } from "../sources.ts";

const ROOTFS = fileURLToPath(new URL("rootfs/", import.meta.url));
const SIZE = "256M";
const USERLAND: PackageTree = {
  suite: "forky",
  architecture: "armhf",
  packages: ["nodejs", "busybox-static", "ca-certificates"],
};
/** What nobody reads on such a machine. */
const LEFT_OUT = [
  "usr/share/doc",
  "usr/share/man",
  "usr/share/locale",
  "usr/share/lintian",
  "usr/lib/arm-linux-gnueabihf/gconv",
  "var/cache",
  "var/lib/apt",
  "var/lib/dpkg",
];
/** The commands that the machine's scripts and the tests use. */
const BUSYBOX_COMMANDS = (
  "[ base64 cat chmod cp cut date dd df dmesg echo env find free grep head hostname id ip kill ln ls mkdir mount mv pgrep pidof " +
  "printf ps reboot rm sed sh sha256sum sleep sort stat stty sync tail tar test time top touch tr umount uname wc wget"
).split(" ");

/** The file with the disk's contents, not to be written to: machines have overlays. Built unless the cache has it. */
export async function buildImage(note: (line: string) => void): Promise<string> {
  const userland = await cached(
    "tiny-userland",
    [extractCommand(USERLAND).join(" "), LEFT_OUT.join(" "), BUSYBOX_COMMANDS.join(" ")],
    note,
    unpackUserland,
  );
  const skerry = await cached("tiny-skerry", await sourcesOfSkerry(), note, (folder) =>
    layOut(folder, "armhf"),
  );
  const rootfs = await filesBelow(ROOTFS);
  const folder = await cached("tiny-image", [userland, skerry, SIZE, ...rootfs], note, async (result) => {
    const tree = join(result, "tree");
    for (const part of [join(userland, "tree"), skerry, ROOTFS]) {
      await mkdir(tree, { recursive: true });
      await run(["cp", "-a", `${part}/.`, tree], { logFile: join(result, "build.log") });
    }
    const image = join(result, "root.ext4");
    await run(["/sbin/mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", tree, image, SIZE], {
      logFile: join(result, "build.log"),
    });
    await rm(tree, { recursive: true });
  });
  return join(folder, "root.ext4");
}

async function unpackUserland(folder: string): Promise<void> {
  const tree = join(folder, "tree");
  await extractPackages(USERLAND, tree, join(folder, "build.log"));
  await Promise.all(LEFT_OUT.map((path) => rm(join(tree, path), { recursive: true, force: true })));
  // What the base system's package would make of a merged /usr.
  for (const name of ["bin", "sbin", "lib"]) {
    await mkdir(join(tree, "usr", name), { recursive: true });
    await symlink(`usr/${name}`, join(tree, name));
  }
  for (const command of BUSYBOX_COMMANDS) await symlink("busybox", join(tree, "usr/bin", command));
  await symlink("../bin/busybox", join(tree, "usr/sbin/init"));
  for (const name of ["proc", "sys", "run", "root", "etc/skerry", "var/log", "var/lib/skerry"]) {
    await mkdir(join(tree, name), { recursive: true });
  }
}
