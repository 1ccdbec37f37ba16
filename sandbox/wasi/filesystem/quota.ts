/**
 * What one folder may hold, counted.
 *
 * The count is an upper bound: it grows with everything that is written, and nothing that is removed is taken off it. Only
 * when it reaches the quota is the folder counted again. So a deleted file that is still open, or a change by somebody
 * else can make a count too high for a while, but never too low. A file with two names counts twice: the agent's copy of the
 * folder, made for a trial, has it twice.
 */

import { type Dirent, fstatSync, lstatSync, readdirSync } from "node:fs";
import { FilesystemError, unless } from "./error-code.ts";
import { identity } from "./metadata.ts";
import { entryOf } from "./resolve.ts";

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

  /** Takes room for what is about to be written. @throws FilesystemError `quota` */
  take(bytes: number, entries: number): void {
    if (!this.#fits(bytes, entries)) {
      this.#count();
    }
    if (!this.#fits(bytes, entries)) {
      throw new FilesystemError("quota");
    }
    this.#bytes += bytes;
    this.#entries += entries;
  }

  #fits(bytes: number, entries: number): boolean {
    // Something that takes no room is allowed even where too much lies already.
    const { maxBytes, maxEntries } = this.#limits;
    return (
      (bytes === 0 || this.#bytes + bytes <= maxBytes) &&
      (entries === 0 || this.#entries + entries <= maxEntries)
    );
  }

  #count(): void {
    const named = new Set<string>();
    let bytes = 0;
    this.#entries = 0;
    // Names are bytes here: what lies in the folder need not be the module's doing. Latin 1 keeps each byte a character.
    const folders = [entryOf(this.#folder, ".")];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of entriesOf(folder)) {
        this.#entries += 1;
        const path = `${folder}/${entry.name.toString("latin1")}`;
        if (entry.isDirectory()) {
          folders.push(path);
        } else {
          const stats = unless(["ENOENT"], () => lstatSync(Buffer.from(path, "latin1"), { bigint: true }));
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

function entriesOf(folder: string): Dirent<Buffer>[] {
  const options = { withFileTypes: true, encoding: "buffer" } as const;
  return unless(["ENOENT"], () => readdirSync(Buffer.from(folder, "latin1"), options)) ?? [];
}
