/**
 * Whole small files on a `Disk`: written so that a power cut leaves the old contents or the new, never a mixture
 * (new file, fsync, rename over the old, fsync of the folder; see rename(2) and fsync(2)).
 */

import { dirname } from "node:path";
import type { Disk, DiskFile } from "./disk.ts";
import { OtaError } from "./errors.ts";

/** What a file is called until it is complete; a leftover is overwritten by the next write and never read. */
const UNFINISHED_SUFFIX = ".new";

/** Replaces a file's contents durably. The folder must exist. On failure the old contents stand. */
export async function writeDurably(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const unfinished = path + UNFINISHED_SUFFIX;
  await withFile(disk, unfinished, "create", async (file) => {
    await file.write(bytes, 0);
    await file.sync();
  });
  await disk.rename(unfinished, path);
  await disk.syncDirectory(dirname(path));
}

/**
 * Reads a whole file, undefined if there is none.
 *
 * @throws OtaError "store/corrupt" if it is larger than `maxBytes` or no file
 */
export async function readWhole(disk: Disk, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const entry = await disk.entry(path);
  if (entry === undefined) {
    return undefined;
  }
  if (entry.kind !== "file" || entry.sizeBytes > maxBytes) {
    throw new OtaError("store/corrupt", `${path} is no file of at most ${maxBytes} bytes: remove it`);
  }
  return withFile(disk, path, "read", async (file) => {
    const bytes = new Uint8Array(entry.sizeBytes);
    return bytes.subarray(0, await file.read(bytes, 0));
  });
}

/** Opens a file for the time of one function. */
export async function withFile<T>(
  disk: Disk,
  path: string,
  mode: "read" | "create" | "update",
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const file = await disk.open(path, mode);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
