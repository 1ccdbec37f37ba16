/** What a build step on top of this repository's own files is made of. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StepInputs } from "./cached.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OF_SKERRY = [
  "agent",
  "devices",
  "fleet",
  "ota",
  "packaging",
  "sandbox",
  "wit",
  "build.ts",
  "skerry.js",
  "skerry.ts",
  "package.json",
  "package-lock.json",
];

/** Everything that Skerry's bundles and packages are built from. */
export async function sourcesOfSkerry(): Promise<StepInputs> {
  return (await Promise.all(OF_SKERRY.map((name) => filesBelow(join(ROOT, name))))).flat();
}

/** Names and contents of a file, or of all files below a folder, in order. */
export async function filesBelow(path: string): Promise<StepInputs> {
  if (!(await stat(path)).isDirectory()) return [path.slice(ROOT.length), await readFile(path)];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    files.sort().map(async (file) => [file.slice(ROOT.length), await readFile(file)]),
  );
  return contents.flat();
}
