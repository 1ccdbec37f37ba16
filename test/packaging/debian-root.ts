/** A Debian system in a folder, with Node 24 and systemd's tools, for a test to install packages in; none of it is running. */
import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildDebianPackage } from "../../packaging/debian.ts";
import { layOutWithDocuments } from "../../packaging/layout.ts";
import { cached } from "../../qemu/cached.ts";
import { run } from "../../qemu/run.ts";

const execute = promisify(execFile);
const EPOCH_SECONDS = 1_790_000_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

const BOOTSTRAP = [
  "mmdebstrap",
  "--mode=root",
  "--variant=minbase",
  // The testing suite's index is sometimes mirrored past its date; its signature holds all the same.
  '--aptopt=Acquire::Check-Valid-Until "false"',
  "--include=nodejs,systemd",
  "forky",
];

export interface DebianRoot {
  readonly folder: string;
  /** Runs a command inside, with /proc of its own; rejects with its output if it fails. */
  run(...command: readonly string[]): Promise<string>;
}

/** Why there can't be one here; undefined if there can. */
export async function whyNoDebianRoot(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "they need root";
  for (const [program = "", ...args] of [
    ["mmdebstrap", "--version"],
    ["unshare", "--mount", "--pid", "--fork", "true"],
  ]) {
    try {
      await execute(program, args);
    } catch {
      return `${program} is missing or may not be used`;
    }
  }
  return undefined;
}

/** Makes one in `folder`; the first time, Debian's packages for it are fetched. */
export async function makeDebianRoot(folder: string): Promise<DebianRoot> {
  const base = await cached(
    "packaging-debian",
    [BOOTSTRAP.join(" ")],
    (line) => console.log(line),
    (built) => run([...BOOTSTRAP, join(built, "root")], { logFile: join(built, "build.log") }),
  );
  const root = join(folder, "root");
  await execute("cp", ["--archive", "--reflink=auto", join(base, "root"), root]);
  return {
    folder: root,
    async run(...command) {
      const isolated = [
        "--mount",
        "--pid",
        "--fork",
        `--mount-proc=${root}/proc`,
        "chroot",
        root,
        ...command,
      ];
      const env = { PATH: "/usr/sbin:/usr/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
      const { stdout, stderr } = await execute("unshare", isolated, { env, maxBuffer: MAX_OUTPUT_BYTES });
      return stdout + stderr;
    },
  };
}

/** Puts a file of this machine into the root; gives its path there. */
export async function bringFile(root: DebianRoot, path: string, name: string): Promise<string> {
  await cp(path, join(root.folder, "root", name));
  return `/root/${name}`;
}

/** Builds Skerry's package of a version in `folder`, and brings it into the root; gives its path there. */
export async function bringPackage(root: DebianRoot, folder: string, version: string): Promise<string> {
  const tree = join(folder, `tree-${version}`);
  await layOutWithDocuments(tree, "amd64", EPOCH_SECONDS);
  const content = { tree, architecture: "amd64", version, epochSeconds: EPOCH_SECONDS } as const;
  const { path } = await buildDebianPackage(content, folder);
  return bringFile(root, path, `skerry_${version}.deb`);
}
