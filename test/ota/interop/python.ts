/**
 * Python with python-tuf: the machine's own where it is installed, otherwise one in a tree of Debian's packages, which root makes with mmdebstrap once
 * (Debian 12 does not have the package, its successors do).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { cached } from "../../../qemu/cached.ts";
import { extractCommand, extractPackages, type PackageTree } from "../../../qemu/debian.ts";
import { installMissing } from "../../../qemu/debian-packages.ts";

const NEEDED =
  "import tuf.ngclient; from securesystemslib.signer import CryptoSigner; CryptoSigner.generate_ed25519()";
const TREE: PackageTree = {
  suite: "trixie",
  architecture: "all",
  packages: ["python3-tuf", "python3-cryptography", "ca-certificates"],
};
const AUTHORITIES = "usr/share/ca-certificates/mozilla";

/** Runs a script with arguments and standard input; resolves to what it prints. Rejects with its errors if it fails. */
export type Python = (script: string, args: readonly string[], input: string) => Promise<string>;

/** Undefined where there is none and none can be made. */
export async function findPython(): Promise<Python | undefined> {
  const own: Python = (...call) => runPython(["python3"], ...call);
  if (await works(own)) return own;
  if (process.getuid?.() !== 0) return undefined;
  if (installMissing([{ command: "mmdebstrap", package: "mmdebstrap" }]).length > 0) return undefined;
  const tree = await cached("python-tuf", [extractCommand(TREE).join(" ")], () => undefined, makeTree);
  return (...call) => runPython(["chroot", join(tree, "root"), "/usr/bin/python3"], ...call);
}

async function works(python: Python): Promise<boolean> {
  try {
    await python(NEEDED, [], "");
    return true;
  } catch {
    return false;
  }
}

async function makeTree(folder: string): Promise<void> {
  const root = join(folder, "root");
  await extractPackages(TREE, root, join(folder, "build.log"));
  // What the packages' own scripts would do: the merged /usr, and the list of authorities without which `requests` is not imported.
  for (const name of ["bin", "sbin", "lib", "lib64"]) await symlink(`usr/${name}`, join(root, name));
  await mkdir(join(root, "etc/ssl/certs"), { recursive: true });
  for (const name of await readdir(join(root, AUTHORITIES))) {
    const certificate = await readFile(join(root, AUTHORITIES, name));
    await appendFile(join(root, "etc/ssl/certs/ca-certificates.crt"), certificate);
  }
}

async function runPython(
  command: readonly string[],
  script: string,
  args: readonly string[],
  input: string,
): Promise<string> {
  const [program = "", ...before] = command;
  const child = spawn(program, [...before, "-c", script, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  const exited = once(child, "exit");
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [printed, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`Python ended with ${code}: ${errors}`);
  return printed;
}
