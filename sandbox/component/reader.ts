/**
 * A bounds-checked reader of the binary format's primitives.
 *
 * WebAssembly Core 3.0 §5.2 "Values": LEB128 integers (at most ⌈N/7⌉ bytes, unused bits of the last one zero or the
 * sign), names in strict UTF-8; and vectors, whose count is held against the bytes that are left before anything is
 * allocated.
 */

import { ComponentError, type ComponentErrorCode } from "./errors.ts";
import { MAX_NAME_BYTES, MAX_VECTOR_ENTRIES } from "./limits.ts";

// A byte order mark is part of the name, as any other character is.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Vector entries that the whole file may still have; one budget is shared by all readers of a file. */
export interface EntryBudget {
  remaining: number;
}

/** The budget of one component file. */
function newEntryBudget(): EntryBudget {
  return { remaining: MAX_VECTOR_ENTRIES };
}

export class ByteReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #budget: EntryBudget;
  #position: number;

  /** Reads `bytes` from `start` up to `end`; offsets in errors count from the beginning of `bytes`. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, budget = newEntryBudget()) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#position = start;
    this.#end = end;
    this.#budget = budget;
  }

  /** Offset of the next byte from the beginning of the outermost bytes. */
  get offset(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  get atEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** The error of a broken encoding at the reader's place; thrown by the caller. */
  malformed(message: string): ComponentError {
    return this.#error("component/malformed", `malformed component: ${message}; transfer or build it again`);
  }

  /** The error of a well-formed encoding that needs `feature`, which this loader does not have. */
  unsupported(feature: string): ComponentError {
    return this.#error(
      "component/unsupported",
      `component needs ${feature}, which is not supported; build it without`,
    );
  }

  /** The error of an encoding that breaks a validation rule which the syntax tree could not even express. */
  invalid(message: string): ComponentError {
    return this.#error("component/invalid", `invalid component: ${message}`);
  }

  #error(code: ComponentErrorCode, message: string): ComponentError {
    return new ComponentError(code, `${message} (at byte ${this.#position})`, { offset: this.#position });
  }

  /** The next byte, not consumed; `undefined` at the end. */
  peek(): number | undefined {
    return this.#position < this.#end ? this.#bytes[this.#position] : undefined;
  }

  byte(what: string): number {
    if (this.#position >= this.#end) throw this.malformed(`unexpected end inside ${what}`);
    return this.#bytes[this.#position++] as number;
  }

  /** Consumes one byte, which has to be `expected`. */
  expectByte(expected: number, what: string): void {
    const found = this.byte(what);
    if (found !== expected) {
      throw this.malformed(`expected ${hexadecimal(expected)} for ${what}, found ${hexadecimal(found)}`);
    }
  }

  /** The error of a leading byte that selects nothing. */
  unknownByte(found: number, what: string): ComponentError {
    return this.malformed(`${hexadecimal(found)} is no ${what}`);
  }

  /** `u32` in LEB128: at most five bytes, no bits beyond the 32nd. */
  u32(what: string): number {
    // Nearly every one is a single byte; most of a component is decoded before the engine has optimised anything.
    const first = this.#position < this.#end ? (this.#bytes[this.#position] as number) : 0x80;
    if (first >= 0x80) return this.#unsigned(32, what);
    this.#position += 1;
    return first;
  }

  /** `u64` in LEB128, as a number: exact up to 2^53, which is more than any limit that is ever compared. */
  u64(what: string): number {
    return this.#unsigned(64, what);
  }

  #unsigned(bits: number, what: string): number {
    let value = 0;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.byte(what);
      // In the last byte there is room for fewer bits; the one that says "more follow" is one too many.
      if (bits - shift < 8 && byte >> (bits - shift) !== 0) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.malformed(`${what} does not fit ${bits} bits`);
  }

  /** `s33` in LEB128, as types have it: an index, or a negative code. At most five bytes. */
  s33(what: string): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte(what);
      // The fifth byte has five bits to give; the two above them repeat the sign.
      if (shift === 28 && byte > 0x0f && (byte < 0x70 || byte > 0x7f)) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - 2 ** (shift + 7);
    }
    throw this.malformed(`${what} does not fit 33 bits`);
  }

  /** Passes over a LEB128 integer of at most `maximumBytes` whose value does not matter here. */
  skipLeb128(maximumBytes: number, what: string): void {
    for (let count = 0; count < maximumBytes; count += 1) {
      if (this.byte(what) < 0x80) return;
    }
    throw this.malformed(`${what} is longer than ${maximumBytes} bytes`);
  }

  /** The next `length` bytes as a view. */
  view(length: number, what: string): Uint8Array {
    const start = this.#position;
    this.skip(length, what);
    return this.#view(start, this.#position);
  }

  /** Passes over the next `length` bytes. */
  skip(length: number, what: string): void {
    if (length > this.remaining) {
      throw this.malformed(`${what} claims ${length} bytes where ${this.remaining} are left`);
    }
    this.#position += length;
  }

  /** Not `subarray`, which takes ten times as long on a Buffer. */
  #view(start: number, end: number): Uint8Array {
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, end - start);
  }

  /** Everything that is left as a view, not consumed. */
  rest(): Uint8Array {
    return this.#view(this.#position, this.#end);
  }

  /** A reader of the next `length` bytes, which this reader passes over; offsets stay those of the whole. */
  slice(length: number, what: string): ByteReader {
    const start = this.#position;
    this.skip(length, what);
    return new ByteReader(this.#bytes, start, start + length, this.#budget);
  }

  /** `core:name`: a length in bytes and that many bytes of UTF-8. */
  name(what: string): string {
    const length = this.u32(what);
    if (length > MAX_NAME_BYTES) {
      // A length beyond the end is broken, not merely large.
      if (length > this.remaining) this.skip(length, what);
      throw this.limitExceeded(`${what} of ${length} bytes`, `${MAX_NAME_BYTES} bytes`);
    }
    const start = this.#position;
    this.skip(length, what);
    const text = this.#bytes.toString("utf8", start, this.#position);
    // What is not valid UTF-8 has become a replacement character; so has nothing but one that was there.
    return text.includes("\uFFFD") ? this.#strictName(start, what) : text;
  }

  #strictName(start: number, what: string): string {
    try {
      return utf8.decode(this.#view(start, this.#position));
    } catch {
      // The decoder's own error says nothing that the reader of this one would need.
      throw this.malformed(`${what} is not valid UTF-8`);
    }
  }

  /** The count of a vector whose entries take a byte or more each. */
  count(what: string): number {
    const count = this.u32(what);
    if (count > this.remaining) {
      throw this.malformed(`${count} ${what} claimed where ${this.remaining} bytes are left`);
    }
    return count;
  }

  /** `vec(T)`: a count, and `entry` called that often; each entry draws on the file's budget. */
  vector<T>(what: string, entry: () => T): T[] {
    const count = this.count(what);
    if (count > this.#budget.remaining) {
      throw this.limitExceeded(`${count} ${what}`, `${MAX_VECTOR_ENTRIES} vector entries in one file`);
    }
    this.#budget.remaining -= count;
    const entries: T[] = [];
    for (let index = 0; index < count; index += 1) entries.push(entry());
    return entries;
  }

  /** `<T>?`: 0x00, or 0x01 and a `T`. */
  optional<T>(what: string, value: () => T): T | undefined {
    const presence = this.byte(what);
    if (presence === 0x00) return undefined;
    if (presence === 0x01) return value();
    throw this.unknownByte(presence, `presence byte of ${what}`);
  }

  /** The error of something larger than `limits.ts` allows. */
  limitExceeded(what: string, limit: string): ComponentError {
    return this.#error(
      "component/limit-exceeded",
      `component exceeds a limit: ${what}, at most ${limit} are allowed`,
    );
  }

  /** Refuses bytes that are left over at the end of `what`. */
  expectEnd(what: string): void {
    if (!this.atEnd) throw this.malformed(`${this.remaining} bytes are left over at the end of ${what}`);
  }
}

/** A byte as messages show it. */
function hexadecimal(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
