/**
 * Content-defined cutting: FastCDC (Xia et al., USENIX ATC 2016) with skipping of the minimum and normalized chunking, level 2, on a Gear
 * hash of 32 bits. An insertion moves the cuts of its neighbourhood alone, so the next version of a component shares all other chunks.
 *
 * The parameters are part of what is published (docs/ARCHITECTURE.md, "Cutting"): other ones would cut everything elsewhere, and each
 * device would fetch whole components once. A device doesn't depend on them.
 */

import { createHash } from "node:crypto";
import { MAX_CHUNK_BYTES, MAX_CHUNKS } from "../ota/limits.ts";

/** No cut before, in bytes. */
const MIN_BYTES = 2_048;
/** The cut is likelier from here on, in bytes. */
const NORMAL_BYTES = 16_384;
/** 16 bits until NORMAL_BYTES and 12 after it: two more and two less than the 14 that would cut every 16 KiB. The highest ones depend on the most bytes. */
const MASK_BEFORE_NORMAL = 0xffff0000;
const MASK_AFTER_NORMAL = 0xfff00000;

/** Entry n: the first four bytes, big-endian, of the SHA-256 of the one byte n. */
const GEAR = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash("sha256").update(Uint8Array.of(byte)).digest().readUInt32BE(),
);

/** The length of the chunk that `bytes` starts with, in bytes; the caller gives 65,536 bytes, or as many as are left. */
export function cutLength(bytes: Uint8Array): number {
  const end = Math.min(bytes.length, MAX_CHUNK_BYTES);
  const normal = Math.min(end, NORMAL_BYTES);
  let hash = 0;
  let at = Math.min(end, MIN_BYTES);
  for (; at < normal; at += 1) {
    hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & MASK_BEFORE_NORMAL) === 0) return at + 1;
  }
  for (; at < end; at += 1) {
    hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & MASK_AFTER_NORMAL) === 0) return at + 1;
  }
  return end;
}

/** Whether the rest of a component, in bytes, has to be cut into the longest chunks: more than `MAX_CHUNKS` can't be listed. */
export function mustCutLongest(chunksSoFar: number, restBytes: number): boolean {
  return chunksSoFar + Math.ceil(restBytes / MAX_CHUNK_BYTES) >= MAX_CHUNKS;
}
