/** Reading and writing the repository folder's files: whole and durable, or not at all. */

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FleetError } from "./errors.ts";

/** Who may read and write: the owner alone, or the owner writes and everybody reads. */
export const PRIVATE_MODE = 0o600;
export const PUBLIC_MODE = 0o644;

/**
 * Replaces a file by a temporary one beside it, synced before and its folder after the rename: after a power
 * cut there is the old content or the new one. The folder has to exist.
 */
export async function writeFileDurably(path: string, bytes: Uint8Array, mode = PUBLIC_MODE): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw ioError("write", path, error);
  }
}

/**
 * Creates a file, durable when this returns; of two that do so at once, one does. Throws FleetError "fleet/exists". Not by a temporary file: sticks
 * are often FAT, which can't link, and a rename replaces. A power cut may leave a part of it.
 */
export async function createFileDurably(path: string, bytes: Uint8Array, mode = PUBLIC_MODE): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw ioError("create", path, error);
    throw new FleetError("fleet/exists", `${path} exists already, and is not overwritten`, { cause: error });
  }
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(path, { force: true });
    throw ioError("write", path, error);
  }
}

/** Makes a folder and those above it; their names are durable when this returns, so that what is synced in them is. */
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  try {
    const first = await mkdir(path, { recursive: true, mode });
    if (first === undefined) return;
    for (let folder = resolve(path); folder.length >= first.length; folder = dirname(folder)) {
      await syncFolder(dirname(folder));
    }
  } catch (error) {
    throw ioError("create", path, error);
  }
}

/** Makes the entries of a folder (a rename in it) durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * The content of a file of at most `maxBytes`; undefined if there is none; throws "fleet/io" if it is larger.
 */
export async function readFileIfPresent(path: string, maxBytes: number): Promise<Buffer | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw ioError("read", path, error);
  }
  try {
    const { size } = await file.stat();
    if (size > maxBytes) {
      throw new FleetError(
        "fleet/io",
        `${path} has ${size} bytes, at most ${maxBytes} are taken: is it the right file?`,
      );
    }
    return await readRange(file, 0, size);
  } catch (error) {
    throw ioError("read", path, error);
  } finally {
    await file.close();
  }
}

/** As readFileIfPresent, but a missing file is the error "fleet/io". */
export async function readFileBounded(path: string, maxBytes: number): Promise<Buffer> {
  const bytes = await readFileIfPresent(path, maxBytes);
  if (bytes === undefined) throw new FleetError("fleet/io", `${path} does not exist`);
  return bytes;
}

/** Reads up to `length` bytes at `offset`; less at the file's end. */
export async function readRange(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** The FleetError for a failed system call; one that is already a FleetError stays. */
export function ioError(verb: string, path: string, error: unknown): FleetError {
  if (error instanceof FleetError) return error;
  if (verb === "read" && systemCode(error) === "ENOENT") {
    return new FleetError("fleet/io", `${path} does not exist`, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new FleetError("fleet/io", `Cannot ${verb} ${path}: ${reason}`, { cause: error });
}

export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
