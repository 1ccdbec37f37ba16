/**
 * What a command that was killed left in the repository folder: the temporary files of metadata, and the folders that releases are put together
 * in. Nothing reads them.
 */

import { glob, rm } from "node:fs/promises";
import { join } from "node:path";
import { ioError } from "./files.ts";
import { REPOSITORY_NAMES } from "./repository.ts";

/** Where a release is put together; with its plus sign it is no version's folder. */
export function stagingFolder(releaseFolder: string): string {
  return `${releaseFolder}+${process.pid}.tmp`;
}

/** Removes it; for the folder's one writer (lock.ts), since another's files look the same. Throws FleetError "fleet/io". */
export async function removeLeftovers(folder: string): Promise<void> {
  const patterns = [...REPOSITORY_NAMES.map((name) => `${name}/*.tmp`), "targets/*/*/*+*.tmp"];
  for await (const path of glob(patterns, { cwd: folder })) {
    try {
      await rm(join(folder, path), { recursive: true, force: true });
    } catch (error) {
      throw ioError("remove", join(folder, path), error);
    }
  }
}
