/**
 * The .deb of Skerry, by dpkg-deb: what Debian's policy 4.7 asks of a binary package (control file, maintainer scripts, checksums, copyright,
 * changelog; the manual page comes with the layout).
 *
 * It depends on the distribution's Node instead of bringing one: docs/INSTALL.md, "Which Node".
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { filesOf, installedSizeBytes } from "./layout.ts";
import { type BuiltPackage, type PackageContent, runTool } from "./package-content.ts";

const SCRIPTS = fileURLToPath(new URL("debian/", import.meta.url));
const MAINTAINER = "Skerry maintainers <maintainers@skerry.example>";

/** The native addon's own: it is built against these versions' symbols. */
const ADDON_DEPENDS = "libc6 (>= 2.28), libgcc-s1 (>= 3.5), libstdc++6 (>= 5)";

/** Builds `skerry_<version>_<architecture>.deb` in `outdir`; adds to the tree what is Debian's. Throws Error where dpkg-deb fails. */
export async function buildDebianPackage(content: PackageContent, outdir: string): Promise<BuiltPackage> {
  const { tree, architecture } = content;
  const version = debianVersion(content.version);
  await mkdir(join(tree, "etc/skerry"), { recursive: true });
  // Every Debian system has this text already.
  await rm(join(tree, "usr/share/doc/skerry/LICENSE"));
  await writeFile(
    join(tree, "usr/share/doc/skerry/changelog.gz"),
    gzipSync(changelog(content), { level: 9 }),
  );

  const control = join(tree, "DEBIAN");
  const checksums = await md5sums(tree);
  const sizeBytes = await installedSizeBytes(tree);
  await mkdir(control);
  await writeFile(join(control, "control"), controlFile(content, sizeBytes));
  await writeFile(join(control, "md5sums"), checksums);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await copyFile(join(SCRIPTS, script), join(control, script));
  }
  const path = join(outdir, `skerry_${version}_${architecture}.deb`);
  // xz: what every dpkg of the last ten years unpacks.
  await runTool("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", tree, path]);
  return { path, sizeBytes: (await stat(path)).size };
}

/** Debian sorts "~" before the end of a version, as semver sorts "-". */
function debianVersion(version: string): string {
  return version.replace("-", "~");
}

function controlFile({ version, architecture }: PackageContent, sizeBytes: number): string {
  return `Package: skerry
Version: ${debianVersion(version)}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${Math.ceil(sizeBytes / 1_024)}
Depends: nodejs (>= 24), ${ADDON_DEPENDS}, init-system-helpers (>= 1.51), systemd | systemd-standalone-sysusers | systemd-sysusers
Recommends: ca-certificates
Section: net
Priority: optional
Description: over-the-air update agent for small Linux devices
 Skerry receives signed WebAssembly components over MQTT, verifies them, stages
 them with rollback, and runs them in a sandbox whose only way out is the
 sensors, serial ports and topics that the device's owner granted.
 .
 The package has the agent for devices, and the commands with which modules
 are tried and a fleet is operated.
`;
}

function changelog({ version, epochSeconds }: PackageContent): string {
  const date = new Date(epochSeconds * 1_000).toUTCString().replace("GMT", "+0000");
  return `skerry (${debianVersion(version)}) unstable; urgency=medium

  * What is new: /usr/share/doc/skerry/NEWS.gz

 -- ${MAINTAINER}  ${date}
`;
}

async function md5sums(tree: string): Promise<string> {
  const lines: string[] = [];
  for (const path of await filesOf(tree)) {
    const digest = createHash("md5")
      .update(await readFile(path))
      .digest("hex");
    lines.push(`${digest}  ${relative(tree, path)}\n`);
  }
  return lines.join("");
}
