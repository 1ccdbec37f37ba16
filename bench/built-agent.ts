/** The agent as a device runs it: bundled, and lying as the package lies when it is installed. */
import { copyFile, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBundles } from "../build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");
const SOURCES = ["agent", "ota", "sandbox", "devices", "fleet", "skerry.ts", "build.ts", "package-lock.json"];

/** Builds dist/ where it is missing or older than a source. */
export async function ensureBuilt(note: (line: string) => void): Promise<void> {
  const builtMs = await modifiedMs(join(DIST, "skerry.js"));
  const sourcesMs = await Promise.all(SOURCES.map((name) => newestMs(join(ROOT, name))));
  if (builtMs !== undefined && builtMs >= Math.max(...sourcesMs)) return;
  note("building dist/ …");
  await buildBundles(DIST);
}

/**
 * Lays the built package out in `folder`, for in the clone skerry.js would run the sources. Returns the arguments of node
 * before `agent --config …`.
 */
export async function installAgent(folder: string): Promise<readonly string[]> {
  const command = join(folder, "skerry.js");
  await copyFile(join(ROOT, "skerry.js"), command);
  await copyFile(join(ROOT, "package.json"), join(folder, "package.json"));
  await symlink(DIST, join(folder, "dist"));
  return [command];
}

async function newestMs(path: string): Promise<number> {
  const names = (await stat(path)).isDirectory() ? await readdir(path, { recursive: true }) : [""];
  const times = await Promise.all(names.map((name) => modifiedMs(join(path, name))));
  return Math.max(0, ...times.map((time) => time ?? 0));
}

async function modifiedMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    // Not built yet, or a source that an editor is just replacing.
    return undefined;
  }
}
