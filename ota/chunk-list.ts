/**
 * The chunk list (`component.chunks`), formats 1 and 2: docs/ARCHITECTURE.md, "Chunk list". Format 1 is read and never written.
 *
 * Format 2 tells a chunk's content (what lies in the component, and may lie on the disk already) from its blob (what goes over the
 * wire, as it is or compressed). A list that outgrows one message is a head that names its parts; in a file the parts follow the head.
 *
 * The head is a signed target, so its bytes are authentic when they are parsed; every bound is checked all the same, since a stolen key
 * signs anything.
 */

import { createHash } from "node:crypto";
import { OtaError } from "./errors.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_PAYLOAD_BYTES } from "./limits.ts";
import { isSha256 } from "./names.ts";

const MAGIC = new Uint8Array([0x53, 0x4b, 0x43, 0x4c]);
const OLD_VERSION = 1;
const VERSION = 2;
const HEADER_BYTES = 8;
const DIGEST_BYTES = 32;
/** Format 1: digest, length (u32). */
const OLD_ENTRY_BYTES = DIGEST_BYTES + 4;
/** Format 2: content's digest, blob's digest, both lengths less one (u16): 1 to 65,536. */
const ENTRY_BYTES = 2 * DIGEST_BYTES + 4;
/** A part: digest, length (u32). */
const PART_BYTES = DIGEST_BYTES + 4;
/** What one message holds. */
const MAX_PART_ENTRIES = Math.floor(MAX_PAYLOAD_BYTES / ENTRY_BYTES);
const MAX_PARTS = Math.ceil(MAX_CHUNKS / MAX_PART_ENTRIES);

/** The longest file of a list, its parts included, in bytes. */
export const MAX_CHUNK_LIST_BYTES = HEADER_BYTES + MAX_PARTS * PART_BYTES + MAX_CHUNKS * ENTRY_BYTES;

/** Bytes by their SHA-256 in lower-case hexadecimal. */
export interface Digested {
  readonly sha256: string;
  /** In bytes, 1 to 65,536. */
  readonly length: number;
}

/** One chunk of a component, by its content; the blob is the content itself if it is left out, otherwise a zstd frame of it. */
export interface ChunkEntry extends Digested {
  readonly blob?: Digested;
}

/** A chunk with its place in the component. */
export interface Chunk extends Digested {
  readonly blob: Digested;
  /** Where the chunk starts in the component, in bytes. */
  readonly offset: number;
}

export interface EncodedChunkList {
  /** The signed target. */
  readonly head: Uint8Array;
  /** Messages that the head names, none for a list that fits into one. */
  readonly parts: readonly Uint8Array[];
}

/** Encodes a chunk list; throws `OtaError` "delivery/chunk-list-malformed" when it would break the format. */
export function encodeChunkList(chunks: readonly ChunkEntry[]): EncodedChunkList {
  checkCount(chunks.length);
  const entries = Buffer.concat(chunks.map(encodeEntry));
  if (chunks.length <= MAX_PART_ENTRIES && HEADER_BYTES + entries.length <= MAX_PAYLOAD_BYTES) {
    return { head: Buffer.concat([header(0), entries]), parts: [] };
  }
  const parts: Buffer[] = [];
  for (let start = 0; start < entries.length; start += MAX_PART_ENTRIES * ENTRY_BYTES) {
    parts.push(entries.subarray(start, start + MAX_PART_ENTRIES * ENTRY_BYTES));
  }
  const names = parts.map((part) => {
    const name = Buffer.alloc(PART_BYTES);
    name.set(digestOf(part));
    name.writeUInt32BE(part.length, DIGEST_BYTES);
    return name;
  });
  return { head: Buffer.concat([header(parts.length), ...names]), parts };
}

function header(parts: number): Uint8Array {
  return Buffer.from([...MAGIC, VERSION, 0, parts >> 8, parts & 0xff]);
}

function encodeEntry(chunk: ChunkEntry, index: number): Uint8Array {
  const { blob = chunk } = chunk;
  for (const { sha256, length } of [chunk, blob]) {
    if (!isSha256(sha256)) throw malformed(`chunk ${index} has no SHA-256 in lower-case hexadecimal`);
    checkLength(index, length);
  }
  const entry = Buffer.alloc(ENTRY_BYTES);
  entry.write(chunk.sha256, 0, "hex");
  entry.write(blob.sha256, DIGEST_BYTES, "hex");
  entry.writeUInt16BE(chunk.length - 1, 2 * DIGEST_BYTES);
  entry.writeUInt16BE(blob.length - 1, 2 * DIGEST_BYTES + 2);
  return entry;
}

/**
 * The parts that belong to a head, in order; none if its entries stand in itself. What follows the head is not looked at.
 *
 * Throws `OtaError` "delivery/chunk-list-malformed".
 */
export function chunkListParts(bytes: Uint8Array): readonly Digested[] {
  const list = bufferOf(bytes);
  const { version, parts: count } = checkHeader(list);
  if (version === OLD_VERSION) return [];
  if (count > MAX_PARTS) throw malformed(`${count} parts, at most ${MAX_PARTS} are possible`);
  if (list.length < HEADER_BYTES + count * PART_BYTES)
    throw malformed("the names of its parts are cut short");
  const parts: Digested[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = HEADER_BYTES + index * PART_BYTES;
    const length = list.readUInt32BE(at + DIGEST_BYTES);
    if (length < 1 || length > MAX_PART_ENTRIES * ENTRY_BYTES || length % ENTRY_BYTES !== 0) {
      throw malformed(`part ${index} has ${length} bytes, which is no number of entries`);
    }
    parts.push({ sha256: list.toString("hex", at, at + DIGEST_BYTES), length });
  }
  return parts;
}

/**
 * Parses a chunk list, its parts behind its head, for a component of the given length in bytes.
 *
 * Throws `OtaError` "delivery/chunk-list-malformed", or "delivery/length-mismatch" when the lengths do not add up to the component's.
 */
export function parseChunkList(bytes: Uint8Array, componentLength: number): readonly Chunk[] {
  const list = bufferOf(bytes);
  const parts = chunkListParts(list);
  checkParts(list, parts);
  const isOld = list[MAGIC.length] === OLD_VERSION;
  const chunks = readEntries(
    list.subarray(HEADER_BYTES + parts.length * PART_BYTES),
    isOld ? OLD_ENTRY_BYTES : ENTRY_BYTES,
    isOld ? readOldEntry : readEntry,
  );
  const last = chunks.at(-1);
  const total = last === undefined ? 0 : last.offset + last.length;
  if (total !== componentLength) {
    throw new OtaError(
      "delivery/length-mismatch",
      `the chunk list adds up to ${total} bytes, the component has ${componentLength}; publish the release again under a new version`,
    );
  }
  return chunks;
}

function checkHeader(list: Buffer): { readonly version: number; readonly parts: number } {
  const magicHolds = MAGIC.every((byte, index) => list[index] === byte);
  if (list.length < HEADER_BYTES || !magicHolds) throw malformed("it does not start as one");
  const version = list.readUInt8(MAGIC.length);
  if (version !== VERSION && version !== OLD_VERSION) {
    throw malformed(`format version ${version}, this agent reads ${OLD_VERSION} and ${VERSION}: update it`);
  }
  const parts = list.readUInt16BE(6);
  if (list[5] !== 0 || (version === OLD_VERSION && parts !== 0))
    throw malformed("bytes that have to be zero are not");
  return { version, parts };
}

function checkParts(list: Buffer, parts: readonly Digested[]): void {
  let start = HEADER_BYTES + parts.length * PART_BYTES;
  for (const [index, { sha256, length }] of parts.entries()) {
    const part = list.subarray(start, start + length);
    if (digestOf(part).toString("hex") !== sha256)
      throw malformed(`part ${index} is missing or not what the head names`);
    start += length;
  }
  if (parts.length > 0 && start !== list.length) throw malformed("something follows its last part");
}

function readEntries(
  entries: Buffer,
  entryBytes: number,
  read: (entries: Buffer, at: number, offset: number) => Chunk,
): Chunk[] {
  if (entries.length % entryBytes !== 0) throw malformed("its last entry is cut short");
  checkCount(entries.length / entryBytes);
  const known = new KnownDigests();
  const chunks: Chunk[] = [];
  let offset = 0;
  for (let index = 0; index * entryBytes < entries.length; index += 1) {
    const chunk = read(entries, index * entryBytes, offset);
    checkLength(index, chunk.length);
    known.check(index, chunk);
    chunks.push(chunk);
    offset += chunk.length;
  }
  return chunks;
}

function readOldEntry(entries: Buffer, at: number, offset: number): Chunk {
  const sha256 = entries.toString("hex", at, at + DIGEST_BYTES);
  const length = entries.readUInt32BE(at + DIGEST_BYTES);
  return { sha256, length, blob: { sha256, length }, offset };
}

function readEntry(entries: Buffer, at: number, offset: number): Chunk {
  const lengths = at + 2 * DIGEST_BYTES;
  const sha256 = entries.toString("hex", at, at + DIGEST_BYTES);
  const blob = entries.toString("hex", at + DIGEST_BYTES, lengths);
  return {
    sha256,
    length: entries.readUInt16BE(lengths) + 1,
    // The same string once, for memory's sake.
    blob: { sha256: blob === sha256 ? sha256 : blob, length: entries.readUInt16BE(lengths + 2) + 1 },
    offset,
  };
}

/** One content is one blob and the reverse, and neither has two lengths. */
class KnownDigests {
  readonly #contents = new Map<string, Chunk>();
  readonly #blobs = new Map<string, Chunk>();

  check(index: number, entry: Chunk): void {
    const { sha256, length, blob } = entry;
    if (sha256 === blob.sha256 && length !== blob.length) {
      throw malformed(`chunk ${index} is its own blob with another length`);
    }
    for (const earlier of [this.#contents.get(sha256), this.#blobs.get(blob.sha256)]) {
      if (earlier !== undefined && !isSame(earlier, entry)) {
        throw malformed(`chunk ${index} has the digest of an earlier chunk and differs from it`);
      }
    }
    this.#contents.set(sha256, entry);
    this.#blobs.set(blob.sha256, entry);
  }
}

function isSame(one: Chunk, other: Chunk): boolean {
  return (
    one.sha256 === other.sha256 &&
    one.length === other.length &&
    one.blob.sha256 === other.blob.sha256 &&
    one.blob.length === other.blob.length
  );
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_CHUNKS) throw malformed(`${count} chunks, 1 to ${MAX_CHUNKS} are possible`);
}

function checkLength(index: number, length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > MAX_CHUNK_BYTES) {
    throw malformed(`chunk ${index} has ${length} bytes, 1 to ${MAX_CHUNK_BYTES} are possible`);
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function malformed(what: string): OtaError {
  return new OtaError("delivery/chunk-list-malformed", `malformed chunk list: ${what}`);
}
