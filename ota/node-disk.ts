/** `Disk` on node:fs. */

import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import type { Disk, DiskEntry, DiskFile, OpenMode } from "./disk.ts";
import { OtaError } from "./errors.ts";

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
  update: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
};

/** What the store holds is the agent's alone: other users of the device have no business in modules' data. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The device's real disk. */
export function createNodeDisk(): Disk {
  return {
    open: (path, mode) =>
      attempt(path, async () => new NodeFile(path, await open(path, OPEN_FLAGS[mode], FILE_MODE))),
    entry: (path) => attempt(path, async () => toEntry(await absentAs(undefined, () => lstat(path)))),
    list: (path) => attempt(path, () => absentAs([], () => readdir(path))),
    makeDirectory: (path) => attempt(path, () => makeDirectory(path)),
    rename: (from, to) => attempt(to, () => rename(from, to)),
    remove: (path) => attempt(path, () => rm(path, { recursive: true, force: true })),
    syncDirectory: (path) => attempt(path, () => syncDirectory(path)),
    freeBytes: (path) =>
      attempt(path, async () => {
        const { bavail, bsize } = await statfs(path);
        return bavail * bsize;
      }),
  };
}

class NodeFile implements DiskFile {
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return attempt(this.#path, async () => {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await this.#handle.read(
          target,
          filled,
          target.length - filled,
          position + filled,
        );
        if (bytesRead === 0) {
          break;
        }
        filled += bytesRead;
      }
      return filled;
    });
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return attempt(this.#path, async () => {
      let written = 0;
      // A full disk may take a part first and refuse the rest at the next call.
      while (written < bytes.length) {
        const { bytesWritten } = await this.#handle.write(
          bytes,
          written,
          bytes.length - written,
          position + written,
        );
        written += bytesWritten;
      }
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return attempt(this.#path, () => this.#handle.truncate(sizeBytes));
  }

  sync(): Promise<void> {
    return attempt(this.#path, () => this.#handle.sync());
  }

  close(): Promise<void> {
    return attempt(this.#path, () => this.#handle.close());
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    if (systemCode(error) !== "EEXIST" || !(await stat(path)).isDirectory()) {
      throw error;
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function toEntry(stats: Stats | undefined): DiskEntry | undefined {
  if (stats === undefined) {
    return undefined;
  }
  return {
    kind: stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other",
    sizeBytes: stats.size,
  };
}

async function absentAs<T, F>(fallback: F, run: () => Promise<T>): Promise<T | F> {
  try {
    return await run();
  } catch (error) {
    if (systemCode(error) === "ENOENT") {
      return fallback;
    }
    throw error;
  }
}

async function attempt<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      throw new OtaError("store/disk-full", `no space left for ${path}: free some, the agent tries again`, {
        cause: error,
      });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new OtaError("store/io", `${path}: ${reason}; check the disk and the folder's owner`, {
      cause: error,
    });
  }
}

function systemCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
