/**
 * What one folder may hold, counted.
 *
 * The count is an upper bound: it grows with everything that is written, and nothing that is removed is taken off it. Only
 * when it reaches the quota is the folder counted again. So a deleted file that is still open, or a change by somebody
 * else can make a count too high for a while, but what files hold is never counted too low. A file with two names counts twice: the agent's copy of the
 * folder, made for a trial, has it twice.
 *
 * Names take room, too: a folder on ext4 grows by blocks with its names and never shrinks, so one that was filled and emptied is as large as before.
 * What a name adds is an estimate until the next count, so folders may grow a little beyond the quota before it is noticed.
 */

import { type BigIntStats, type Dirent, fstatSync, lstatSync, readdirSync } from "node:fs";
import { FilesystemError, unless } from "./error-code.ts";
import { identity } from "./metadata.ts";
import { entryOf } from "./resolve.ts";

/** What a new folder takes on most file systems; as much of each is not counted, nor is the rest of a file's last block. */
const FOLDER_BYTES = 4096;
/** What a name takes in a folder beside its own bytes, on ext4, at most; and how much more where the folder's blocks are half full. */
const NAME_OVERHEAD_BYTES = 12;
const NAME_SLACK = 2;

interface Limits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export class Quota {
  readonly #limits: Limits;
  readonly #folder: number;
  readonly #openFiles: Iterable<number>;
  #bytes = Number.POSITIVE_INFINITY;
  #entries = Number.POSITIVE_INFINITY;

  /**
   * @param folder its descriptor
   * @param openFiles descriptors of the files that are open, for those that have no name any more
   */
  constructor(limits: Limits, folder: number, openFiles: Iterable<number>) {
    this.#limits = limits;
    this.#folder = folder;
    this.#openFiles = openFiles;
  }

  /** Takes room for bytes that are about to be written. @throws FilesystemError `quota` */
  take(bytes: number): void {
    // Something that takes no room is allowed even where too much lies already.
    if (bytes === 0) return;
    if (this.#bytes + bytes > this.#limits.maxBytes) this.#count();
    if (this.#bytes + bytes > this.#limits.maxBytes) throw new FilesystemError("quota");
    this.#bytes += bytes;
  }

  /**
   * Takes room for a name of so many bytes that is about to be made: that of one entry more, or of one that moves. What it makes
   * of its folder is known afterwards only, so it is let through where nothing is too much yet.
   *
   * @throws FilesystemError `quota`
   */
  takeName(nameBytes: number, entries: 0 | 1): void {
    const { maxBytes, maxEntries } = this.#limits;
    const hasEntry = (): boolean => entries === 0 || this.#entries + entries <= maxEntries;
    const bytes = (nameBytes + NAME_OVERHEAD_BYTES) * NAME_SLACK;
    if (this.#bytes + bytes > maxBytes || !hasEntry()) this.#count();
    if (this.#bytes > maxBytes || !hasEntry()) throw new FilesystemError("quota");
    this.#bytes += bytes;
    this.#entries += entries;
  }

  #count(): void {
    const named = new Set<string>();
    let bytes = 0;
    this.#entries = 0;
    // Names are bytes here: what lies in the folder need not be the module's doing. Latin 1 keeps each byte a character.
    const folders = [entryOf(this.#folder, ".")];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      bytes += Math.max(0, Number(statsOf(folder)?.size ?? 0) - FOLDER_BYTES);
      for (const entry of entriesOf(folder)) {
        this.#entries += 1;
        const path = `${folder}/${entry.name.toString("latin1")}`;
        if (entry.isDirectory()) {
          folders.push(path);
        } else {
          const stats = statsOf(path);
          if (stats?.isSymbolicLink()) bytes += Number(stats.size);
          if (!stats?.isFile()) continue;
          named.add(identity(stats));
          bytes += Number(stats.size);
        }
      }
    }
    const nameless = new Map<string, number>();
    for (const file of this.#openFiles) {
      const stats = fstatSync(file, { bigint: true });
      const key = identity(stats);
      if (stats.isFile() && !named.has(key)) nameless.set(key, Number(stats.size));
    }
    this.#bytes = [...nameless.values()].reduce((sum, size) => sum + size, bytes);
  }
}

function statsOf(path: string): BigIntStats | undefined {
  return unless(["ENOENT"], () => lstatSync(Buffer.from(path, "latin1"), { bigint: true }));
}

function entriesOf(folder: string): Dirent<Buffer>[] {
  const options = { withFileTypes: true, encoding: "buffer" } as const;
  return unless(["ENOENT"], () => readdirSync(Buffer.from(folder, "latin1"), options)) ?? [];
}
