/** What is in one open file: read, written and resized within its folder's quota and write rate. */

import {
  type BigIntStats,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  readSync,
  writeSync,
} from "node:fs";
import { MAX_STREAM_PIECE_BYTES, WRITTEN_PAGE_BYTES } from "../../limits.ts";
import { FilesystemError } from "./error-code.ts";
import type { OpenFolder } from "./open-folder.ts";

/** Offsets are the system's signed 64 bits. */
const MAX_OFFSET = 2n ** 63n - 1n;

export class FileContent {
  readonly #folder: OpenFolder;
  readonly #file: number;
  /** Each write reaches the disk before it returns. */
  readonly #isSynchronous: boolean;
  /** The descriptor, and each stream made of it. */
  #holders = 1;

  constructor(folder: OpenFolder, file: number, isSynchronous: boolean) {
    this.#folder = folder;
    this.#file = file;
    this.#isSynchronous = isSynchronous;
  }

  /** Keeps the file open for a stream: it may be used longer than the descriptor that it came from. */
  hold(): void {
    this.#holders += 1;
  }

  /** Closes the file when nobody holds it any more. Its number is then anybody's, in the agent's own process. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#folder.close(this.#file);
  }

  /** At most `length` bytes; none at the end. */
  readAt(length: bigint, position: bigint): Uint8Array {
    const wanted = length > MAX_STREAM_PIECE_BYTES ? MAX_STREAM_PIECE_BYTES : Number(length);
    if (position > MAX_OFFSET - BigInt(wanted)) return new Uint8Array(0);
    const buffer = new Uint8Array(wanted);
    return buffer.subarray(0, readSync(this.#file, buffer, 0, wanted, position));
  }

  /** Writes all of it; without a position at the end. An error may leave a part written. */
  writeAll(bytes: Uint8Array, position: bigint | undefined): void {
    for (let written = 0; written < bytes.byteLength; ) {
      const from = position === undefined ? undefined : position + BigInt(written);
      written += this.write(bytes.subarray(written), from);
    }
  }

  /** Writes it up to the first error and says how much, as POSIX has it; throws an error that comes before the first byte. */
  write(bytes: Uint8Array, position: bigint | undefined): number {
    const start = position ?? this.stats().size;
    if (start > MAX_OFFSET - BigInt(bytes.byteLength)) throw new FilesystemError("file-too-large");
    this.#growTo(start + BigInt(bytes.byteLength));
    let written = 0;
    while (written < bytes.byteLength) {
      const from = start + BigInt(written);
      // Node's types know no bigint here; what goes beyond 2^53 does not exist in the field, and fails below.
      if (from > Number.MAX_SAFE_INTEGER) throw new FilesystemError("file-too-large");
      const piece = Math.min(bytes.byteLength - written, MAX_STREAM_PIECE_BYTES);
      this.#folder.waitToWrite(this.#isSynchronous ? Math.max(piece, WRITTEN_PAGE_BYTES) : piece);
      try {
        written += writeSync(this.#file, bytes, written, piece, Number(from));
      } catch (error) {
        if (written === 0) throw error;
        // A disk that is full will be so for the next write, too.
        break;
      }
    }
    return written;
  }

  resize(size: bigint): void {
    if (checkedOffset(size) > Number.MAX_SAFE_INTEGER) throw new FilesystemError("file-too-large");
    this.#growTo(size);
    this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
    ftruncateSync(this.#file, Number(size));
  }

  /** Makes it durable, or its bytes alone. */
  sync(what: "all" | "data"): void {
    this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
    if (what === "all") fsyncSync(this.#file);
    else fdatasyncSync(this.#file);
  }

  stats(): BigIntStats {
    return fstatSync(this.#file, { bigint: true });
  }

  /** Takes the room that the file is about to need beyond its present size. */
  #growTo(size: bigint): void {
    if (this.#folder.quota === undefined) return;
    const stats = this.stats();
    const growth = size - stats.size;
    // Under each of its names; a file that has none any more still takes its room.
    if (growth > 0n) this.#folder.take(Number(growth * (stats.nlink || 1n)));
  }
}

/** @throws FilesystemError `invalid` for an offset that the system has not */
export function checkedOffset(offset: bigint): bigint {
  if (offset > MAX_OFFSET) throw new FilesystemError("invalid");
  return offset;
}
