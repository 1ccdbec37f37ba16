/**
 * Strings in linear memory, in the three encodings.
 *
 * Component Model, CanonicalABI.md `load_string_from_range` and `store_string_into_range`. A string's exact size is
 * counted before it is stored, so that `realloc` is called once: the allocation pattern of a source that had the
 * destination's encoding. Short strings go by character codes: a decoder's call costs more than their bytes.
 */

import { raiseTrap } from "../traps.ts";
import type { LiftLowerContext } from "./context.ts";
import { MAX_STRING_BYTES } from "./limits.ts";

/** In the length of a `latin1+utf16` string: the code units are UTF-16. */
const UTF16_TAG = 0x8000_0000;
/** Up to here a loop over the bytes beats the decoder. */
const SHORT_STRING_BYTES = 32;
/** Up to here a loop over the characters beats the encoder. */
const SHORT_STRING_CHARS = 48;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The string at a pointer; traps on a bad range or encoding. `length` is in tagged code units, unsigned. */
export function loadString(cx: LiftLowerContext, pointer: number, length: number): string {
  switch (cx.stringEncoding) {
    case "utf8":
      return loadUtf8(cx, pointer, length);
    case "utf16":
      return loadUtf16(cx, pointer, length);
    case "latin1+utf16":
      if ((length & UTF16_TAG) !== 0) return loadUtf16(cx, pointer, length & ~UTF16_TAG);
      requireString(cx, pointer, 2, length);
      return cx.bytes.toString("latin1", pointer, pointer + length);
  }
}

function requireString(cx: LiftLowerContext, pointer: number, alignment: number, byteLength: number): void {
  if (byteLength > MAX_STRING_BYTES) raiseTrap(`string of ${byteLength} bytes is too long`);
  cx.requireRange(pointer, alignment, byteLength, "string content");
  cx.takeCopy(byteLength);
}

function loadUtf8(cx: LiftLowerContext, pointer: number, byteLength: number): string {
  requireString(cx, pointer, 1, byteLength);
  const { bytes } = cx;
  if (byteLength <= SHORT_STRING_BYTES && isAsciiRange(bytes, pointer, byteLength)) {
    return shortAscii(bytes, pointer, byteLength);
  }
  try {
    return utf8Decoder.decode(new Uint8Array(bytes.buffer, pointer, byteLength));
  } catch {
    // The decoder's error says no more than that.
    return raiseTrap("string content: invalid utf-8");
  }
}

function isAsciiRange(bytes: Uint8Array, start: number, length: number): boolean {
  let all = 0;
  for (let index = start; index < start + length; index++) all |= bytes[index] ?? 0;
  return all < 0x80;
}

/** Eight characters per call: the engine makes the string in one go, without an argument array. */
function shortAscii(bytes: Uint8Array, start: number, length: number): string {
  let text = "";
  let at = start;
  for (; at + 8 <= start + length; at += 8) {
    text += String.fromCharCode(
      bytes[at] ?? 0,
      bytes[at + 1] ?? 0,
      bytes[at + 2] ?? 0,
      bytes[at + 3] ?? 0,
      bytes[at + 4] ?? 0,
      bytes[at + 5] ?? 0,
      bytes[at + 6] ?? 0,
      bytes[at + 7] ?? 0,
    );
  }
  for (; at < start + length; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

function loadUtf16(cx: LiftLowerContext, pointer: number, codeUnits: number): string {
  requireString(cx, pointer, 2, codeUnits * 2);
  const text = cx.bytes.toString("utf16le", pointer, pointer + codeUnits * 2);
  if (!text.isWellFormed()) raiseTrap("string content: unpaired surrogate in utf-16");
  return text;
}

/**
 * Allocates and stores a string; returns the pointer and leaves the tagged code units in `cx.length`.
 * Unpaired surrogates, which no guest can have made, become U+FFFD.
 */
export function storeString(cx: LiftLowerContext, value: unknown): number {
  if (typeof value !== "string") throw new TypeError(`expected a string, got ${typeof value}`);
  switch (cx.stringEncoding) {
    case "utf8":
      return storeUtf8(cx, value);
    case "utf16":
      return storeUtf16(cx, value, 0);
    case "latin1+utf16":
      return isLatin1(value) ? storeLatin1(cx, value) : storeUtf16(cx, value, UTF16_TAG);
  }
}

function storeUtf8(cx: LiftLowerContext, value: string): number {
  const units = value.length;
  if (units <= SHORT_STRING_CHARS && isAscii(value)) {
    const pointer = cx.allocate(1, units);
    const { bytes } = cx;
    for (let index = 0; index < units; index++) bytes[pointer + index] = value.charCodeAt(index);
    cx.length = units;
    return pointer;
  }
  const byteLength = Buffer.byteLength(value, "utf8");
  const pointer = allocateString(cx, 1, byteLength);
  cx.bytes.write(value, pointer, byteLength, "utf8");
  cx.length = byteLength;
  return pointer;
}

function storeUtf16(cx: LiftLowerContext, value: string, tag: number): number {
  const text = value.toWellFormed();
  const pointer = allocateString(cx, 2, text.length * 2);
  cx.bytes.write(text, pointer, text.length * 2, "utf16le");
  cx.length = (text.length | tag) >>> 0;
  return pointer;
}

function storeLatin1(cx: LiftLowerContext, value: string): number {
  const pointer = allocateString(cx, 2, value.length);
  cx.bytes.write(value, pointer, value.length, "latin1");
  cx.length = value.length;
  return pointer;
}

function allocateString(cx: LiftLowerContext, alignment: number, byteLength: number): number {
  if (byteLength > MAX_STRING_BYTES) raiseTrap(`string of ${byteLength} bytes is too long`);
  return cx.allocate(alignment, byteLength);
}

function isAscii(value: string): boolean {
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) >= 0x80) return false;
  return true;
}

function isLatin1(value: string): boolean {
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) > 0xff) return false;
  return true;
}
