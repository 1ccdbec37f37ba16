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

/** How long chunks get. */
export interface Cutting {
  /** The cut is likelier from here on, in bytes. */
  readonly normalBytes: number;
  /** Two bits more, and two less, than would cut every `normalBytes`; the highest ones, which depend on the most bytes. */
  readonly maskBeforeNormal: number;
  readonly maskAfterNormal: number;
}

const USUAL: Cutting = { normalBytes: 16_384, maskBeforeNormal: 0xffff0000, maskAfterNormal: 0xfff00000 };
/** Half as many messages, and half the list, where a whole chunk is little beside the component. */
const COARSE: Cutting = { normalBytes: 32_768, maskBeforeNormal: 0xffff8000, maskAfterNormal: 0xfff80000 };
/** The shortest component that is cut coarsely, in bytes. */
const COARSE_FROM_BYTES = 4 * 1024 * 1024;

/** Entry n: the first four bytes, big-endian, of the SHA-256 of the one byte n. */
const GEAR = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash("sha256").update(Uint8Array.of(byte)).digest().readUInt32BE(),
);

/** How a component of this length, in bytes, is cut. */
export function cuttingOf(componentBytes: number): Cutting {
  return componentBytes < COARSE_FROM_BYTES ? USUAL : COARSE;
}

/** The length of the chunk that `bytes` starts with, in bytes; the caller gives 65,536 bytes, or as many as are left. */
export function cutLength(bytes: Uint8Array, cutting: Cutting): number {
  const { maskBeforeNormal, maskAfterNormal } = cutting;
  const end = Math.min(bytes.length, MAX_CHUNK_BYTES);
  const normal = Math.min(end, cutting.normalBytes);
  let hash = 0;
  let at = Math.min(end, MIN_BYTES);
  for (; at < normal; at += 1) {
    hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & maskBeforeNormal) === 0) return at + 1;
  }
  for (; at < end; at += 1) {
    hash = ((hash << 1) + (GEAR[bytes[at] ?? 0] ?? 0)) | 0;
    if ((hash & maskAfterNormal) === 0) return at + 1;
  }
  return end;
}

/** Whether the rest of a component, in bytes, has to be cut into the longest chunks: more than `MAX_CHUNKS` can't be listed. */
export function mustCutLongest(chunksSoFar: number, restBytes: number): boolean {
  return chunksSoFar + Math.ceil(restBytes / MAX_CHUNK_BYTES) >= MAX_CHUNKS;
}
