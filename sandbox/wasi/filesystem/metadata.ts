/** `wasi:filesystem/types`: `descriptor-stat`, `descriptor-type`, timestamps and `metadata-hash` (WASI 0.2). */

import type { BigIntStats, Dirent } from "node:fs";
import { MAX_EXACT_TIMES } from "../../limits.ts";
import { wallTimeNs } from "../../wall-time.ts";
import { randomBytes } from "../entropy.ts";
import { FilesystemError } from "./error-code.ts";

export type DescriptorType =
  | "unknown"
  | "block-device"
  | "character-device"
  | "directory"
  | "fifo"
  | "symbolic-link"
  | "regular-file"
  | "socket";

/** `wasi:clocks/wall-clock.datetime`. */
interface Datetime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export interface DescriptorStat {
  readonly type: DescriptorType;
  readonly linkCount: bigint;
  readonly size: bigint;
  readonly dataAccessTimestamp: Datetime | undefined;
  readonly dataModificationTimestamp: Datetime | undefined;
  readonly statusChangeTimestamp: Datetime | undefined;
}

export type NewTimestamp =
  | { readonly tag: "no-change" }
  | { readonly tag: "now" }
  | { readonly tag: "timestamp"; readonly val: Datetime };

/** Access and modification, in nanoseconds since 1970. */
export interface Times {
  readonly accessNs: bigint;
  readonly modificationNs: bigint;
}

const NS_PER_SECOND = 1_000_000_000n;

export function typeOf(entry: BigIntStats | Dirent): DescriptorType {
  if (entry.isFile()) return "regular-file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symbolic-link";
  if (entry.isCharacterDevice()) return "character-device";
  if (entry.isBlockDevice()) return "block-device";
  if (entry.isFIFO()) return "fifo";
  return entry.isSocket() ? "socket" : "unknown";
}

export function descriptorStat(stats: BigIntStats, times: Times): DescriptorStat {
  return {
    type: typeOf(stats),
    linkCount: stats.nlink,
    size: stats.size,
    dataAccessTimestamp: datetime(times.accessNs),
    dataModificationTimestamp: datetime(times.modificationNs),
    statusChangeTimestamp: datetime(stats.ctimeNs),
  };
}

/** Times before 1970 have no form in WASI. */
function datetime(ns: bigint): Datetime | undefined {
  if (ns < 0n) return undefined;
  return { seconds: ns / NS_PER_SECOND, nanoseconds: Number(ns % NS_PER_SECOND) };
}

/** The times that a file is to have. @throws FilesystemError `invalid` */
export function newTimes(current: Times, access: NewTimestamp, modification: NewTimestamp): Times {
  return {
    accessNs: newTime(current.accessNs, access),
    modificationNs: newTime(current.modificationNs, modification),
  };
}

function newTime(currentNs: bigint, wanted: NewTimestamp): bigint {
  switch (wanted.tag) {
    case "no-change":
      return currentNs;
    case "now":
      return wallTimeNs();
    case "timestamp": {
      const { seconds, nanoseconds } = wanted.val;
      if (nanoseconds >= NS_PER_SECOND) throw new FilesystemError("invalid");
      if (seconds > Number.MAX_SAFE_INTEGER) throw new FilesystemError("overflow");
      return seconds * NS_PER_SECOND + BigInt(nanoseconds);
    }
  }
}

/** For node:fs, which takes seconds as a double: a time of today comes out up to 240 ns wrong. */
export function secondsOf(ns: bigint): number {
  return Number(ns) / Number(NS_PER_SECOND);
}

/**
 * Times exactly as a module set them, for as long as it runs. What node:fs can write is less exact than what it reads, and
 * a program that sets a time and reads it back would see another one; so what was meant is kept, and told while
 * the file still has what was written.
 */
export class ExactTimes {
  readonly #known = new Map<string, { readonly written: Times; readonly meant: Times }>();

  /** @param stats of the file after `meant` was written to it */
  remember(stats: BigIntStats, meant: Times): void {
    const key = identity(stats);
    this.#known.delete(key);
    this.#known.set(key, { written: timesOf(stats), meant });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_EXACT_TIMES && oldest !== undefined) this.#known.delete(oldest);
  }

  of(stats: BigIntStats): Times {
    const found = timesOf(stats);
    const known = this.#known.get(identity(stats));
    if (known === undefined) return found;
    const { written, meant } = known;
    return {
      accessNs: found.accessNs === written.accessNs ? meant.accessNs : found.accessNs,
      modificationNs:
        found.modificationNs === written.modificationNs ? meant.modificationNs : found.modificationNs,
    };
  }
}

function timesOf({ atimeNs, mtimeNs }: BigIntStats): Times {
  return { accessNs: atimeNs, modificationNs: mtimeNs };
}

/** The same for two names or descriptors of one object. */
export function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** Hashes with a key of this process, so that nobody computes device and inode numbers from one. */
const hashKey = randomBytes(16);

/** The lower half is the file's own for as long as it is there: libc makes the inode's number of it. The upper half changes with the file. */
export function metadataHash(stats: BigIntStats, times: Times): { lower: bigint; upper: bigint } {
  const file = identity(stats);
  return { lower: keyedHash(file), upper: keyedHash([file, stats.size, times.modificationNs].join(" ")) };
}

/** Many a module opens no file: `node:crypto` is loaded when one is looked at. */
function keyedHash(text: string): bigint {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(hashKey).update(text).digest().readBigUInt64LE();
}
