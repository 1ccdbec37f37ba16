/**
 * A real disk whose power goes at the nth change: that change happens not at all or, for a write, by half; everything
 * after it fails. What the page cache would lose is not modelled here.
 */

import type { Disk, DiskFile } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";

export class PowerCut extends OtaError {
  constructor(at: string) {
    super("store/io", `the power went at: ${at}`);
  }
}

export class CuttingDisk {
  readonly #disk: Disk;
  #changesLeft: number;
  /** Changes made so far, for a test that first counts and then cuts at each. */
  changes = 0;
  /** What was done, in order: `write state.0.json.new`, `sync …`, `rename …`. */
  readonly log: string[] = [];
  readonly #cut = Promise.withResolvers<void>();

  constructor(disk: Disk, changesLeft = Number.POSITIVE_INFINITY) {
    this.#disk = disk;
    this.#changesLeft = changesLeft;
  }

  /** Lets this many more changes happen. */
  cutAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  /** Settles when the power goes. */
  get cut(): Promise<void> {
    return this.#cut.promise;
  }

  asDisk(): Disk {
    const disk = this.#disk;
    return {
      open: async (path, mode) => {
        if (mode === "create") await this.#change("create", path);
        return this.#file(path, await disk.open(path, mode));
      },
      entry: (path) => disk.entry(path),
      list: (path) => disk.list(path),
      makeDirectory: async (path) => {
        await this.#change("makeDirectory", path);
        await disk.makeDirectory(path);
      },
      rename: async (from, to) => {
        await this.#change("rename", to);
        await disk.rename(from, to);
      },
      remove: async (path) => {
        await this.#change("remove", path);
        await disk.remove(path);
      },
      syncDirectory: async (path) => {
        await this.#change("syncDirectory", path);
        await disk.syncDirectory(path);
      },
      freeBytes: (path) => disk.freeBytes(path),
    };
  }

  #file(path: string, file: DiskFile): DiskFile {
    return {
      read: (target, position) => file.read(target, position),
      write: async (bytes, position) => {
        await this.#change("write", path, () => file.write(bytes.subarray(0, bytes.length >> 1), position));
        await file.write(bytes, position);
      },
      truncate: async (sizeBytes) => {
        await this.#change("truncate", path);
        await file.truncate(sizeBytes);
      },
      sync: async () => {
        await this.#change("sync", path);
        await file.sync();
      },
      close: () => file.close(),
    };
  }

  async #change(what: string, path: string, partly?: () => Promise<void>): Promise<void> {
    if (this.#changesLeft-- <= 0) {
      if (this.#changesLeft === -1) await partly?.();
      this.#cut.resolve();
      throw new PowerCut(`${what} ${path}`);
    }
    this.changes++;
    this.log.push(`${what} ${path.split("/").at(-1)}`);
  }
}
