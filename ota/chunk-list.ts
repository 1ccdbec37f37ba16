/**
 * The chunk list (`component.chunks`), format 1: docs/ARCHITECTURE.md, "Metadata".
 *
 *     "SKCL"  version (1)  zero (3)   then per chunk: SHA-256 (32 bytes), length (u32, big-endian)
 *
 * The list is itself a signed target, so its bytes are authentic when they are parsed; every bound is checked all the same, since a stolen key signs anything.
 */

import { OtaError } from "./errors.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNKS } from "./limits.ts";
import { isSha256 } from "./names.ts";

const MAGIC = new Uint8Array([0x53, 0x4b, 0x43, 0x4c]);
const FORMAT_VERSION = 1;
const HEADER_BYTES = 8;
const DIGEST_BYTES = 32;
const ENTRY_BYTES = DIGEST_BYTES + 4;

/** One chunk of a component. */
export interface ChunkEntry {
  /** SHA-256 in lower-case hexadecimal: also the name of its blob. */
  readonly sha256: string;
  /** Length in bytes, 1 to 65,536. */
  readonly length: number;
}

/** A chunk with its place in the component. */
export interface Chunk extends ChunkEntry {
  /** Where the chunk starts in the component, in bytes. */
  readonly offset: number;
}

/** Encodes a chunk list; throws `OtaError` "delivery/chunk-list-malformed" when it would break the format. */
export function encodeChunkList(chunks: readonly ChunkEntry[]): Uint8Array {
  checkCount(chunks.length);
  const bytes = new Uint8Array(HEADER_BYTES + chunks.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes[MAGIC.length] = FORMAT_VERSION;
  for (const [index, chunk] of chunks.entries()) {
    if (!isSha256(chunk.sha256)) throw malformed(`chunk ${index} has no SHA-256 in lower-case hexadecimal`);
    checkLength(index, chunk.length);
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    bytes.set(Buffer.from(chunk.sha256, "hex"), at);
    view.setUint32(at + DIGEST_BYTES, chunk.length);
  }
  return bytes;
}

/**
 * Parses a chunk list for a component of the given length in bytes.
 *
 * Throws `OtaError` "delivery/chunk-list-malformed", or "delivery/length-mismatch" when the lengths do not add up to the component's.
 */
export function parseChunkList(bytes: Uint8Array, componentLength: number): readonly Chunk[] {
  const count = checkHeader(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengths = new Map<string, number>();
  const chunks: Chunk[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const sha256 = Buffer.from(bytes.subarray(at, at + DIGEST_BYTES)).toString("hex");
    const length = view.getUint32(at + DIGEST_BYTES);
    checkLength(index, length);
    // One digest is one blob: it can't have two lengths.
    if ((lengths.get(sha256) ?? length) !== length) {
      throw malformed(`chunk ${index} has the digest of an earlier chunk and another length`);
    }
    lengths.set(sha256, length);
    chunks.push({ sha256, length, offset });
    offset += length;
  }
  if (offset !== componentLength) {
    throw new OtaError(
      "delivery/length-mismatch",
      `the chunk list adds up to ${offset} bytes, the component has ${componentLength}; publish the release again under a new version`,
    );
  }
  return chunks;
}

function checkHeader(bytes: Uint8Array): number {
  const magicHolds = MAGIC.every((byte, index) => bytes[index] === byte);
  if (bytes.byteLength < HEADER_BYTES || !magicHolds) throw malformed("it does not start as one");
  if (bytes[MAGIC.length] !== FORMAT_VERSION) {
    throw malformed(`format version ${bytes[MAGIC.length]}, this agent reads ${FORMAT_VERSION}: update it`);
  }
  if (bytes.subarray(MAGIC.length + 1, HEADER_BYTES).some((byte) => byte !== 0)) {
    throw malformed("bytes 5 to 7 have to be zero");
  }
  const entryBytes = bytes.byteLength - HEADER_BYTES;
  if (entryBytes % ENTRY_BYTES !== 0) throw malformed("its last entry is cut short");
  const count = entryBytes / ENTRY_BYTES;
  checkCount(count);
  return count;
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_CHUNKS) throw malformed(`${count} chunks, 1 to ${MAX_CHUNKS} are possible`);
}

function checkLength(index: number, length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > MAX_CHUNK_BYTES) {
    throw malformed(`chunk ${index} has ${length} bytes, 1 to ${MAX_CHUNK_BYTES} are possible`);
  }
}

function malformed(what: string): OtaError {
  return new OtaError("delivery/chunk-list-malformed", `malformed chunk list: ${what}`);
}
