/**
 * `npm run package [-- --arch amd64|arm64|armhf] [--outdir DIR]`: the packages of Skerry for devices, a .deb and a tarball for each
 * architecture. The same commit gives the same bytes: times in them are the commit's, or those of SOURCE_DATE_EPOCH (in seconds).
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { VERSION } from "../agent/version.ts";
import { installMissing } from "../qemu/debian-packages.ts";
import { buildDebianPackage } from "./debian.ts";
import { ARCHITECTURES, type Architecture, installedSizeBytes, layOutWithDocuments } from "./layout.ts";
import { buildTarball } from "./tarball.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const USAGE = `usage: npm run package [-- --arch ARCHITECTURE] [--outdir DIR]

  --arch ARCHITECTURE   ${ARCHITECTURES.join(", ")}; may be given several times (default: all of them)
  --outdir DIR          where the packages go (default: packages)
  --help                print this

Makes skerry_<version>_<architecture>.deb, and a .tar.gz for devices without dpkg.
SOURCE_DATE_EPOCH, in seconds, is the time that they carry (default: the last commit's).
`;

const TOOLS = [
  { command: "dpkg-deb", package: "dpkg" },
  { command: "tar", package: "tar" },
] as const;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const task = readTask(argv);
  if (typeof task === "number") return task;
  try {
    const missing = installMissing(TOOLS).map((tool) => tool.package);
    if (missing.length > 0) throw new Error(`missing on this machine: ${missing.join(", ")}`);
    // The bundles and dpkg-deb read it, too.
    const epochSeconds = sourceDateSeconds();
    process.env["SOURCE_DATE_EPOCH"] = String(epochSeconds);
    // Permissions of files are in the packages; what the builder's own would be is not to matter.
    process.umask(0o022);
    await mkdir(task.outdir, { recursive: true });
    for (const architecture of task.architectures)
      await buildPackages(architecture, task.outdir, epochSeconds);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function buildPackages(
  architecture: Architecture,
  outdir: string,
  epochSeconds: number,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-package-"));
  try {
    const tree = join(folder, "tree");
    await layOutWithDocuments(tree, architecture, epochSeconds);
    const sizeBytes = await installedSizeBytes(tree);
    const content = { tree, architecture, version: VERSION, epochSeconds };
    // The tarball first: the .deb's own files are added to the tree.
    const tarball = await buildTarball(content, outdir);
    const debian = await buildDebianPackage(content, outdir);
    for (const { path, sizeBytes: packedBytes } of [debian, tarball]) {
      console.log(`${path}  ${mebibytes(packedBytes)}, installed ${mebibytes(sizeBytes)}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

/** @throws Error if the environment names a time that is none */
function sourceDateSeconds(): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined) {
    if (!/^\d{1,12}$/.test(given)) throw new Error(`SOURCE_DATE_EPOCH is no number of seconds: "${given}"`);
    return Number(given);
  }
  const { status, stdout } = spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" });
  // An unpacked archive has no commits.
  return status === 0 ? Number(stdout) : Math.floor(Date.now() / 1_000);
}

interface Task {
  readonly architectures: readonly Architecture[];
  readonly outdir: string;
}

function readTask(argv: readonly string[]): Task | number {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        arch: { type: "string", multiple: true },
        outdir: { type: "string", default: "packages" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const architectures = values.arch?.map(readArchitecture) ?? ARCHITECTURES;
    return { architectures: [...new Set(architectures)], outdir: resolve(values.outdir) };
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}

function readArchitecture(text: string): Architecture {
  const architecture = ARCHITECTURES.find((known) => known === text);
  if (architecture === undefined) throw new Error(`--arch: ${ARCHITECTURES.join(", ")}, not "${text}"`);
  return architecture;
}
