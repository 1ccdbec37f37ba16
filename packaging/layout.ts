/**
 * What of Skerry lies where on a device, whatever brings it there (a package of Debian's, a tarball, an image):
 *
 *     usr/bin/skerry                 starts Node with the flags that pay on a small device
 *     usr/lib/skerry/skerry.js       the command, package.json
 *     usr/lib/skerry/dist/           the bundles, and serialport.node: the one native addon, for one architecture
 *     usr/lib/skerry/wit/            what modules are written against
 *     usr/lib/systemd/, sysusers.d/  the service and its user (packaging/tree)
 *     usr/share/doc/skerry/, man/    how it is installed, an example configuration, licences, the manual page
 */
import { copyFile, cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { VERSION } from "../agent/version.ts";
import { buildBundles } from "../build.ts";
import { copyrightText } from "./copyright.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ADDONS = join(ROOT, "node_modules/@serialport/bindings-cpp/prebuilds");

/** Debian's name of an architecture, and the addon that the `serialport` package brings for it. */
const ADDON_OF = {
  amd64: "linux-x64/@serialport+bindings-cpp.glibc.node",
  arm64: "linux-arm64/@serialport+bindings-cpp.armv8.glibc.node",
  armhf: "linux-arm/@serialport+bindings-cpp.armv7.glibc.node",
} as const;

export type Architecture = keyof typeof ADDON_OF;
export const ARCHITECTURES: readonly Architecture[] = ["amd64", "arm64", "armhf"];

const BLOCK_BYTES = 4_096;

const LAUNCHER = `#!/bin/sh
# One arena of malloc's and a young generation of 1 MiB: less memory for what an agent does. Nothing makes code from text.
export MALLOC_ARENA_MAX=1
flags="--max-semi-space-size=1 --disallow-code-generation-from-strings"
# The optimising compiler takes tens of MiB for a large module, outside of every limit: too much where memory is short.
while read -r name kibibytes _; do [ "$name" = MemTotal: ] && break; done < /proc/meminfo
[ "$kibibytes" -ge 131072 ] || flags="$flags --liftoff-only"
exec "\${SKERRY_NODE:-node}" $flags /usr/lib/skerry/skerry.js "$@"
`;

/** Documents for whoever installs it, compressed as Debian's policy wants it for long ones. */
const DOCUMENTS = {
  "CHANGELOG.md": "NEWS.gz",
  LICENSE: "LICENSE",
  "docs/INSTALL.md": "README.md",
  "packaging/device.toml": "examples/device.toml",
} as const;

/** Lays out what runs, without a word for people: below `folder`, for devices of an architecture. */
export async function layOut(folder: string, architecture: Architecture): Promise<void> {
  await layOutPrograms(folder, architecture);
}

/**
 * Lays out all of Skerry, with its documents.
 *
 * @param epochSeconds the day that the manual page carries, in seconds since 1970
 */
export async function layOutWithDocuments(
  folder: string,
  architecture: Architecture,
  epochSeconds: number,
): Promise<void> {
  const bundledPackages = await layOutPrograms(folder, architecture);
  await layOutDocuments(join(folder, "usr/share"), bundledPackages, epochSeconds);
}

/** Resolves to the folders of the npm packages whose code is in the bundles. */
async function layOutPrograms(folder: string, architecture: Architecture): Promise<readonly string[]> {
  const library = join(folder, "usr/lib/skerry");
  await cp(join(ROOT, "packaging/tree"), folder, { recursive: true });
  await Promise.all([
    mkdir(library, { recursive: true }),
    mkdir(join(folder, "usr/bin"), { recursive: true }),
  ]);
  await writeFile(join(folder, "usr/bin/skerry"), LAUNCHER, { mode: 0o755 });
  const bundledPackages = await buildBundles(join(library, "dist"), { serialport: "beside" });
  await copyFile(join(ADDONS, ADDON_OF[architecture]), join(library, "dist/serialport.node"));
  for (const file of ["skerry.js", "package.json"]) await copyFile(join(ROOT, file), join(library, file));
  await cp(join(ROOT, "wit"), join(library, "wit"), { recursive: true });
  return bundledPackages;
}

async function layOutDocuments(
  share: string,
  bundledPackages: readonly string[],
  epochSeconds: number,
): Promise<void> {
  const [documents, manuals] = [join(share, "doc/skerry"), join(share, "man/man1")];
  await mkdir(join(documents, "examples"), { recursive: true });
  await mkdir(manuals, { recursive: true });
  for (const [source, name] of Object.entries(DOCUMENTS)) {
    const text = await readFile(join(ROOT, source));
    await writeFile(join(documents, name), name.endsWith(".gz") ? gzipSync(text, { level: 9 }) : text);
  }
  await writeFile(join(documents, "copyright"), await copyrightText(bundledPackages));
  const date = new Date(epochSeconds * 1_000).toISOString().slice(0, "2000-01-01".length);
  const manual = (await readFile(join(ROOT, "packaging/skerry.1"), "utf8"))
    .replace("@VERSION@", VERSION)
    .replace("@DATE@", date);
  await writeFile(join(manuals, "skerry.1.gz"), gzipSync(manual, { level: 9 }));
}

/** All files below a folder, in order. */
export async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** What the files take on a disk of 4 KiB blocks, in bytes. */
export async function installedSizeBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await filesOf(folder)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES, 0);
}
