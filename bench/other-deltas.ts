/**
 * What other ways of updating would fetch for the same change, for comparison: casync's content-defined chunks of 64 KiB on average, as
 * they are and compressed, and a patch made for exactly these two versions (`zstd --patch-from`), which is the limit and needs a patch
 * for each pair of versions that a fleet has.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompressSync } from "node:zlib";
import { findTool } from "../test/support/tools.ts";

/** casync's defaults: a quarter of the average at least, four times as much at most. */
const AVERAGE_BYTES = 65_536;
const MIN_BYTES = AVERAGE_BYTES / 4;
const MAX_BYTES = AVERAGE_BYTES * 4;
/** A digest and an offset each in casync's index. */
const INDEX_ENTRY_BYTES = 40;
const ZSTD_LEVEL = 19;

export interface ChunkDelta {
  readonly bytes: number;
  readonly compressedBytes: number;
}

/** Chunks of the next version that the old one does not have, and the index. */
export function largeChunkDelta(old: Uint8Array, next: Uint8Array): ChunkDelta {
  const present = new Set(cut(old).map(digest));
  const chunks = cut(next);
  const missing = chunks.filter((chunk) => !present.has(digest(chunk)));
  const index = chunks.length * INDEX_ENTRY_BYTES;
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
  const sum = (lengths: readonly number[]): number =>
    lengths.reduce((total, length) => total + length, index);
  return {
    bytes: sum(missing.map(({ length }) => length)),
    compressedBytes: sum(missing.map((chunk) => zstdCompressSync(chunk, { params }).length)),
  };
}

/** The length of a patch in bytes; undefined where Debian's zstd is missing. */
export async function patchBytes(old: Uint8Array, next: Uint8Array): Promise<number | undefined> {
  const zstd = findTool("zstd");
  if (zstd === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "skerry-bench-"));
  try {
    await writeFile(join(folder, "old"), old);
    await writeFile(join(folder, "next"), next);
    const patch = join(folder, "patch");
    await promisify(execFile)(zstd, [
      "-q",
      `-${ZSTD_LEVEL}`,
      `--patch-from=${join(folder, "old")}`,
      join(folder, "next"),
      "-o",
      patch,
    ]);
    return (await stat(patch)).size;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A rolling hash by the same rule as fleet/cut-chunks.ts, with one mask: what matters here is the size. */
function cut(bytes: Uint8Array): Uint8Array[] {
  const gear = Uint32Array.from({ length: 256 }, (_, byte) =>
    createHash("sha256").update(Uint8Array.of(byte)).digest().readUInt32BE(),
  );
  const mask = 0xffff0000;
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + MAX_BYTES);
    let at = Math.min(end, start + MIN_BYTES);
    let hash = 0;
    while (at < end) {
      hash = ((hash << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
      at += 1;
      if ((hash & mask) === 0) break;
    }
    chunks.push(bytes.subarray(start, at));
    start = at;
  }
  return chunks;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
