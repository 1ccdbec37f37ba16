/**
 * Decoding of canonical definitions: lift, lower, and the three resource built-ins.
 *
 * Component Model, Binary.md "Canonical Definitions", synchronous part. The built-ins of async, threads and error
 * contexts are recognised and refused by name, with what follows them left unread.
 */

import type { Canonical, CanonicalOptions, StringEncoding } from "./ast.ts";
import type { ByteReader } from "./reader.ts";

const stringEncodings: readonly StringEncoding[] = ["utf8", "utf16", "latin1+utf16"];

/** First and last code of each range of built-ins that are not supported, and the feature that they belong to. */
const unsupportedBuiltins: readonly (readonly [number, number, string])[] = [
  [0x05, 0x06, "async built-ins (WASI 0.3)"],
  [0x09, 0x0d, "async built-ins (WASI 0.3)"],
  [0x0e, 0x14, "streams (WASI 0.3)"],
  [0x15, 0x1b, "futures (WASI 0.3)"],
  [0x1c, 0x1e, "error contexts"],
  [0x1f, 0x25, "async built-ins (WASI 0.3)"],
  [0x26, 0x2d, "threads"],
  [0x40, 0x42, "threads"],
];

/** Built-ins that start with a flag byte, 0x00 or 0x01: another value is broken, whatever is supported. */
const flaggedBuiltins: ReadonlySet<number> = new Set([
  0x06, 0x0c, 0x20, 0x21, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x40, 0x41, 0x42,
]);

/** `canon`. */
export function readCanonical(reader: ByteReader): Canonical {
  const code = reader.byte("a canonical definition");
  switch (code) {
    case 0x00: {
      reader.expectByte(0x00, "a function's sort");
      const lifted = reader.u32("a core function index");
      const options = readOptions(reader);
      return { kind: "lift", function: lifted, options, type: reader.u32("a type index") };
    }
    case 0x01:
      reader.expectByte(0x00, "a function's sort");
      return { kind: "lower", function: reader.u32("a function index"), options: readOptions(reader) };
    case 0x02:
      return { kind: "resource.new", resource: reader.u32("a type index") };
    case 0x03:
      return { kind: "resource.drop", resource: reader.u32("a type index") };
    case 0x04:
      return { kind: "resource.rep", resource: reader.u32("a type index") };
    default:
      throw refuseBuiltin(reader, code);
  }
}

function refuseBuiltin(reader: ByteReader, code: number): Error {
  const found = unsupportedBuiltins.find(([first, last]) => first <= code && code <= last);
  if (found === undefined) return reader.unknownByte(code, "canonical definition");
  if (flaggedBuiltins.has(code)) {
    const flag = reader.byte("a built-in's flag");
    if (flag > 0x01) return reader.unknownByte(flag, "flag");
  }
  return reader.unsupported(found[2]);
}

/** `opts`; each may stand once. */
function readOptions(reader: ByteReader): CanonicalOptions {
  let stringEncoding: StringEncoding | undefined;
  let memory: number | undefined;
  let realloc: number | undefined;
  let postReturn: number | undefined;
  const once = (previous: unknown, what: string) => {
    if (previous !== undefined) throw reader.invalid(`the canonical option ${what} stands twice`);
  };
  reader.vector("canonical options", () => {
    const code = reader.byte("a canonical option");
    const encoding = stringEncodings[code];
    if (encoding !== undefined) {
      once(stringEncoding, "string-encoding");
      stringEncoding = encoding;
    } else if (code === 0x03) {
      once(memory, "memory");
      memory = reader.u32("a core memory index");
    } else if (code === 0x04) {
      once(realloc, "realloc");
      realloc = reader.u32("a core function index");
    } else if (code === 0x05) {
      once(postReturn, "post-return");
      postReturn = reader.u32("a core function index");
    } else if (code === 0x06 || code === 0x07) {
      throw reader.unsupported("the async ABI (WASI 0.3)");
    } else {
      throw reader.unknownByte(code, "canonical option");
    }
  });
  return { stringEncoding: stringEncoding ?? "utf8", memory, realloc, postReturn };
}
