/**
 * A module's private files through a trial: copied before it, put back by a rollback, the copy dropped by a commit.
 *
 * The copy is made beside (`<data>.snapshot.new`), synced, and renamed: a `<data>.snapshot` that is there is whole. Putting it back is two
 * renames, what the failed version left aside (`<data>.removed`) and the copy into its place: wherever a disk fails in between, either is whole,
 * and it can be done again. Files and folders are copied, links and special files are not followed and not kept.
 */

import { dirname, join } from "node:path";
import type { Disk, DiskFile } from "./disk.ts";
import { withFile } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { COPY_BUFFER_BYTES, MAX_DATA_DEPTH_LEVELS } from "./limits.ts";

/** Where the copy of a data folder lies. */
function snapshotOf(data: string): string {
  return `${data}.snapshot`;
}

/** What a data folder is called that gave way to its copy. */
function removedOf(data: string): string {
  return `${data}.removed`;
}

/**
 * Copies a module's data folder; one that is not there counts as empty. With `keepExisting` a copy that is there is left
 * as it is: it was made before the first start of the same trial.
 */
export async function snapshotData(disk: Disk, data: string, keepExisting: boolean): Promise<void> {
  const snapshot = snapshotOf(data);
  if (keepExisting && (await disk.entry(snapshot)) !== undefined) {
    return;
  }
  const unfinished = `${snapshot}.new`;
  await disk.remove(snapshot);
  await disk.remove(unfinished);
  await disk.makeDirectory(unfinished);
  await copyDirectory(disk, data, unfinished, new Uint8Array(COPY_BUFFER_BYTES), MAX_DATA_DEPTH_LEVELS);
  await disk.rename(unfinished, snapshot);
  await disk.syncDirectory(dirname(snapshot));
}

/** Makes a module's data folder, if it is not there; its name is durable when this returns, so that what the module syncs in it is. */
export async function makeDataFolder(disk: Disk, data: string): Promise<void> {
  if ((await disk.entry(data)) !== undefined) {
    return;
  }
  await disk.makeDirectory(data);
  await disk.syncDirectory(dirname(data));
}

/** Puts the copy in the place of the data folder; without a copy there is nothing to do. What was there goes when it is in its place. */
export async function restoreData(disk: Disk, data: string): Promise<void> {
  const snapshot = snapshotOf(data);
  if ((await disk.entry(snapshot)) === undefined) {
    return;
  }
  const removed = removedOf(data);
  if ((await disk.entry(data)) !== undefined) {
    await disk.remove(removed);
    await disk.rename(data, removed);
  }
  await disk.rename(snapshot, data);
  await disk.syncDirectory(dirname(data));
  await quietly(disk.remove(removed));
}

/** What is left goes with the next copy that is dropped. */
async function quietly(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!(error instanceof OtaError)) {
      throw error;
    }
  }
}

/** Drops the copy, finished or not, and what a restoration that was cut short left. */
export async function discardSnapshot(disk: Disk, data: string): Promise<void> {
  await disk.remove(snapshotOf(data));
  await disk.remove(`${snapshotOf(data)}.new`);
  await disk.remove(removedOf(data));
}

/** Removes all that a module has left. */
export async function removeData(disk: Disk, data: string): Promise<void> {
  await discardSnapshot(disk, data);
  await disk.remove(data);
}

async function copyDirectory(
  disk: Disk,
  from: string,
  to: string,
  buffer: Uint8Array,
  depthLeft: number,
): Promise<void> {
  if (depthLeft === 0) {
    throw new OtaError(
      "store/io",
      `${from}: a module's folders are nested deeper than ${MAX_DATA_DEPTH_LEVELS}`,
    );
  }
  for (const name of await disk.list(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    const entry = await disk.entry(source);
    if (entry?.kind === "directory") {
      await disk.makeDirectory(target);
      await copyDirectory(disk, source, target, buffer, depthLeft - 1);
    } else if (entry?.kind === "file") {
      await withFile(disk, source, "read", (input) =>
        withFile(disk, target, "create", (output) => copyFile(input, output, buffer)),
      );
    }
  }
  await disk.syncDirectory(to);
}

async function copyFile(input: DiskFile, output: DiskFile, buffer: Uint8Array): Promise<void> {
  for (let position = 0; ; ) {
    const length = await input.read(buffer, position);
    await output.write(buffer.subarray(0, length), position);
    position += length;
    if (length < buffer.length) {
      await output.sync();
      return;
    }
  }
}
