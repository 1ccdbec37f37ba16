/**
 * A module's private files through a trial: copied before it, put back by a rollback, the copy dropped by a commit.
 *
 * The copy is made beside (`<data>.snapshot.new`), synced, and renamed: a `<data>.snapshot` that is there is whole. Putting it back is one
 * rename, after what the failed version left is gone; cut anywhere, it can be done again. Files and folders are
 * copied, links and special files are not followed and not kept.
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

/** Puts the copy in the place of the data folder; without a copy there is nothing to do. */
export async function restoreData(disk: Disk, data: string): Promise<void> {
  const snapshot = snapshotOf(data);
  if ((await disk.entry(snapshot)) === undefined) {
    return;
  }
  await disk.remove(data);
  await disk.rename(snapshot, data);
  await disk.syncDirectory(dirname(data));
}

/** Drops the copy, finished or not. */
export async function discardSnapshot(disk: Disk, data: string): Promise<void> {
  await disk.remove(snapshotOf(data));
  await disk.remove(`${snapshotOf(data)}.new`);
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
