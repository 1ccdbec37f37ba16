/**
 * What of Skerry lies where on a device, whatever brings it there (a package of Debian's, a tarball, an image):
 *
 *     usr/bin/skerry                 starts Node with the flags that pay on a small device
 *     usr/lib/skerry/skerry.js       the command, package.json
 *     usr/lib/skerry/dist/           the bundles, and serialport.node: the one native addon, for one architecture
 *     usr/lib/skerry/wit/            what modules are written against
 */
import { copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBundles } from "../build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ADDONS = join(ROOT, "node_modules/@serialport/bindings-cpp/prebuilds");

/** Debian's name of an architecture, and the addon that the `serialport` package brings for it. */
const ADDON_OF = {
  amd64: "linux-x64/@serialport+bindings-cpp.glibc.node",
  arm64: "linux-arm64/@serialport+bindings-cpp.armv8.glibc.node",
  armhf: "linux-arm/@serialport+bindings-cpp.armv7.glibc.node",
} as const;

export type Architecture = keyof typeof ADDON_OF;

const LAUNCHER = `#!/bin/sh
# One arena of malloc's and a young generation of 1 MiB: less memory for what an agent does. Nothing makes code from text.
export MALLOC_ARENA_MAX=1
flags="--max-semi-space-size=1 --disallow-code-generation-from-strings"
# The optimising compiler takes tens of MiB for a large module, outside of every limit: too much where memory is short.
while read -r name kibibytes _; do [ "$name" = MemTotal: ] && break; done < /proc/meminfo
[ "$kibibytes" -ge 131072 ] || flags="$flags --liftoff-only"
exec "\${SKERRY_NODE:-node}" $flags /usr/lib/skerry/skerry.js "$@"
`;

/** Lays Skerry out below `folder` for devices of an architecture. */
export async function layOut(folder: string, architecture: Architecture): Promise<void> {
  const library = join(folder, "usr/lib/skerry");
  await Promise.all([
    mkdir(library, { recursive: true }),
    mkdir(join(folder, "usr/bin"), { recursive: true }),
  ]);
  await writeFile(join(folder, "usr/bin/skerry"), LAUNCHER, { mode: 0o755 });
  await buildBundles(join(library, "dist"), { serialport: "beside" });
  await copyFile(join(ADDONS, ADDON_OF[architecture]), join(library, "dist/serialport.node"));
  for (const file of ["skerry.js", "package.json"]) await copyFile(join(ROOT, file), join(library, file));
  await cp(join(ROOT, "wit"), join(library, "wit"), { recursive: true });
}
