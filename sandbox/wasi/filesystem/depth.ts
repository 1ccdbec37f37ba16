/**
 * How deep folders lie in each other. A folder with a quota is copied and removed by the agent, with paths whose length
 * and depth are bounded; a module must not be able to make one that the agent can't handle.
 */

import { readdirSync, readlinkSync } from "node:fs";
import { FilesystemError, unless } from "./error-code.ts";

const SLASH = Buffer.from("/");

/**
 * Levels from the folder open as `root` down to the one open as `folder`, 0 if they are the same.
 *
 * @throws FilesystemError `not-permitted` when somebody moved it out meanwhile
 */
export function depthBelow(root: number, folder: number): number {
  // Latin 1 keeps each byte a character: only slashes matter.
  const [top, path] = [root, folder].map((descriptor) =>
    readlinkSync(`/proc/self/fd/${descriptor}`, "latin1"),
  );
  if (top === undefined || path === undefined || (path !== top && !path.startsWith(`${top}/`))) {
    throw new FilesystemError("not-permitted");
  }
  return path.slice(top.length).split("/").length - 1;
}

/** Levels of folders below the one at `systemPath`; counting ends beyond `maxLevels`. */
export function heightOf(systemPath: string, maxLevels: number): number {
  let level: Buffer[] = [Buffer.from(systemPath)];
  let height = 0;
  for (; level.length > 0 && height <= maxLevels; height += 1) {
    level = level.flatMap(foldersIn);
  }
  return height - 1;
}

/** Paths are bytes here: what lies in the folder need not be the module's doing. */
function foldersIn(path: Buffer): Buffer[] {
  const options = { withFileTypes: true, encoding: "buffer" } as const;
  const entries = unless(["ENOENT", "ENOTDIR"], () => readdirSync(path, options)) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => Buffer.concat([path, SLASH, name]));
}
