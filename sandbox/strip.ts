/**
 * Reads a component from disk without the custom sections that only tools need: DWARF, producers, source maps.
 *
 * Component Model, Binary.md "Component Definitions" and WebAssembly Core 3.0 §5.5.3 "Custom Section": custom sections
 * carry no meaning. Those of components are dropped at every level, and those of core modules but "name", which gives
 * a trap's stack its function names. Section headers are read one by one, what is dropped is never read, and what is
 * kept is read straight into its place: memory grows with what is kept, not with the file.
 */

import { type FileHandle, open } from "node:fs/promises";
import { PREAMBLE_BYTES, refuseOtherFormats } from "./component/decode.ts";
import { ComponentError } from "./component/errors.ts";
import {
  MAX_COMPONENT_BYTES,
  MAX_FILE_SECTIONS,
  MAX_KEPT_NAME_SECTION_BYTES,
  MAX_NESTING_LEVELS,
} from "./component/limits.ts";
import { formatSize } from "./component/sizes.ts";

const CUSTOM_SECTION = 0;
const CORE_MODULE_SECTION = 1;
const COMPONENT_SECTION = 4;
/** An id, and a size in LEB128. */
const MAX_HEADER_BYTES = 6;
/** How much is read at once to look at headers. */
const WINDOW_BYTES = 16 * 1024;
/** How the custom section "name" begins: its name's length and its name. */
const NAME_SECTION_START = Uint8Array.of(4, ...Buffer.from("name"));

export interface ReadComponentLimits {
  /** The component without what is dropped, in bytes; `MAX_COMPONENT_BYTES` unless told otherwise. */
  readonly maxBytes?: number;
}

/** A run of the file's bytes, or bytes that replace some. */
type Piece = { readonly start: number; end: number } | { readonly bytes: Uint8Array };

interface Section {
  readonly id: number;
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
}

/**
 * Reads the component file at `path` without the custom sections that it does not need to run.
 *
 * @returns a valid component if the file is one; its offsets are not the file's.
 * @throws ComponentError `component/not-a-component`, `component/malformed` if a section ends beyond the file,
 *   `component/limit-exceeded`; the file system's errors as they are.
 */
export async function readComponentFile(path: string, limits: ReadComponentLimits = {}): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const window = new FileWindow(file, size);
    refuseOtherFormats(await window.bytes(0, PREAMBLE_BYTES));
    const room = limits.maxBytes ?? MAX_COMPONENT_BYTES;
    const pieces = await keptPieces(window, { kind: "component", start: 0, end: size, levels: 1 }, room);
    return await pieces.read(file);
  } finally {
    await file.close();
  }
}

/** A component or core module inside the file. */
interface Binary {
  readonly kind: "component" | "core-module";
  readonly start: number;
  readonly end: number;
  /** This binary and those around it. */
  readonly levels: number;
}

/** What is kept of a binary, of `room` bytes at most. */
async function keptPieces(window: FileWindow, binary: Binary, room: number): Promise<Pieces> {
  const { kind, start, end, levels } = binary;
  if (levels > MAX_NESTING_LEVELS)
    throw limitExceeded(`more than ${MAX_NESTING_LEVELS} levels of nesting`, start);
  const pieces = new Pieces(room);
  const preambleEnd = Math.min(start + PREAMBLE_BYTES, end);
  pieces.keep(start, preambleEnd);
  for (let position = preambleEnd; position < end; ) {
    const section = await window.section(position, end);
    const nested = kind === "component" ? nestedBinary(section, levels + 1) : undefined;
    if (nested !== undefined) {
      const inner = await keptPieces(window, nested, pieces.remainingBytes);
      // The section's size is that of what is left in it.
      pieces.insert(Uint8Array.of(section.id, ...encodeU32(inner.totalBytes)));
      pieces.append(inner);
    } else if (
      section.id !== CUSTOM_SECTION ||
      (kind === "core-module" && (await isWantedName(window, section)))
    ) {
      pieces.keep(section.start, section.end);
    }
    position = section.end;
  }
  return pieces;
}

function nestedBinary(section: Section, levels: number): Binary | undefined {
  const { id, bodyStart, end } = section;
  if (id === CORE_MODULE_SECTION) return { kind: "core-module", start: bodyStart, end, levels };
  if (id === COMPONENT_SECTION) return { kind: "component", start: bodyStart, end, levels };
  return undefined;
}

async function isWantedName(window: FileWindow, section: Section): Promise<boolean> {
  const bodyBytes = section.end - section.bodyStart;
  if (bodyBytes < NAME_SECTION_START.length || bodyBytes > MAX_KEPT_NAME_SECTION_BYTES) return false;
  const start = await window.bytes(section.bodyStart, NAME_SECTION_START.length);
  return Buffer.compare(start, NAME_SECTION_START) === 0;
}

/** Looks at small parts of a file through one buffer. */
class FileWindow {
  readonly fileBytes: number;
  readonly #file: FileHandle;
  readonly #buffer = new Uint8Array(WINDOW_BYTES);
  #start = 0;
  #length = 0;
  #sections = 0;

  constructor(file: FileHandle, fileBytes: number) {
    this.#file = file;
    this.fileBytes = fileBytes;
  }

  /** The bytes from `position` on, `length` of them or up to the file's end; valid until the next call. */
  async bytes(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.fileBytes - position);
    if (position < this.#start || position + wanted > this.#start + this.#length) {
      this.#length = await readFully(
        this.#file,
        this.#buffer,
        position,
        Math.min(WINDOW_BYTES, this.fileBytes - position),
      );
      this.#start = position;
    }
    return this.#buffer.subarray(position - this.#start, position - this.#start + wanted);
  }

  /** The section whose header stands at `position`; it has to end by `limit`. */
  async section(position: number, limit: number): Promise<Section> {
    this.#sections += 1;
    if (this.#sections > MAX_FILE_SECTIONS) {
      throw limitExceeded(
        `more than ${MAX_FILE_SECTIONS} sections; strip it with wasm-tools strip`,
        position,
      );
    }
    const header = await this.bytes(position, MAX_HEADER_BYTES);
    const [id = 0] = header;
    const size = decodeU32(header.subarray(1));
    if (size === undefined) throw malformed("a section's size is broken", position);
    const bodyStart = position + 1 + size.length;
    const end = bodyStart + size.value;
    if (end > limit) {
      throw malformed(
        `section ${id} claims ${size.value} bytes where ${limit - bodyStart} are left`,
        position,
      );
    }
    return { id, start: position, bodyStart, end };
  }
}

/** What is kept of a file, in order. */
class Pieces {
  readonly #pieces: Piece[] = [];
  readonly #maxBytes: number;
  totalBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get remainingBytes(): number {
    return this.#maxBytes - this.totalBytes;
  }

  keep(start: number, end: number): void {
    this.#grow(end - start, start);
    const last = this.#pieces.at(-1);
    if (last !== undefined && "end" in last && last.end === start) last.end = end;
    else this.#pieces.push({ start, end });
  }

  insert(bytes: Uint8Array): void {
    this.#grow(bytes.length, undefined);
    this.#pieces.push({ bytes });
  }

  append(other: Pieces): void {
    this.#grow(other.totalBytes, undefined);
    for (const piece of other.#pieces) this.#pieces.push(piece);
  }

  /** All pieces in one array, each read into its place. */
  async read(file: FileHandle): Promise<Uint8Array> {
    const result = new Uint8Array(this.totalBytes);
    let filled = 0;
    for (const piece of this.#pieces) {
      if ("bytes" in piece) {
        result.set(piece.bytes, filled);
        filled += piece.bytes.length;
      } else {
        const length = piece.end - piece.start;
        await readFully(file, result.subarray(filled, filled + length), piece.start, length);
        filled += length;
      }
    }
    return result;
  }

  #grow(bytes: number, offset: number | undefined): void {
    this.totalBytes += bytes;
    if (this.totalBytes > this.#maxBytes) {
      throw limitExceeded(`more than ${formatSize(this.#maxBytes)} without its custom sections`, offset);
    }
  }
}

/** Reads exactly `length` bytes from `position`; the file has them unless it changes meanwhile. */
async function readFully(
  file: FileHandle,
  into: Uint8Array,
  position: number,
  length: number,
): Promise<number> {
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(into, filled, length - filled, position + filled);
    if (bytesRead === 0) throw malformed("the file ended while it was read", position + filled);
    filled += bytesRead;
  }
  return length;
}

function decodeU32(bytes: Uint8Array): { value: number; length: number } | undefined {
  let value = 0;
  for (const [index, byte] of bytes.entries()) {
    if (index === 4 && byte > 0x0f) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, length: index + 1 };
  }
  return undefined;
}

function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function malformed(message: string, offset: number): ComponentError {
  const text = `malformed component at byte ${offset}: ${message}; transfer or build it again`;
  return new ComponentError("component/malformed", text, { offset });
}

function limitExceeded(message: string, offset: number | undefined): ComponentError {
  return new ComponentError(
    "component/limit-exceeded",
    `the component has ${message}`,
    offset === undefined ? {} : { offset },
  );
}
