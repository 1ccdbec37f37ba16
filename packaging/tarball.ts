/** The tarball of Skerry, to be unpacked at / of a device without dpkg, or into the tree of an image. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltPackage, type PackageContent, runTool } from "./package-content.ts";

/** Builds `skerry_<version>_<architecture>.tar.gz` in `outdir`. Throws Error where tar fails. */
export async function buildTarball(content: PackageContent, outdir: string): Promise<BuiltPackage> {
  const { tree, version, architecture, epochSeconds } = content;
  const path = join(outdir, `skerry_${version}_${architecture}.tar.gz`);
  await runTool("tar", [
    "--create",
    `--file=${path}`,
    // gzip, which the smallest devices unpack, without the name and time that it would write.
    "--use-compress-program=gzip -9n",
    "--sort=name",
    "--format=gnu",
    `--mtime=@${epochSeconds}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    `--directory=${tree}`,
    // What is unpacked at / is not to change what / itself is.
    "usr",
  ]);
  return { path, sizeBytes: (await stat(path)).size };
}
