/**
 * JSON from outside, and its canonical form for signatures.
 *
 * Reads RFC 8259 with less: strict UTF-8 without a byte order mark, no duplicate member names (JSON.parse would keep the
 * last one silently, another reader the first), no lone surrogates, integers only (canonical JSON has no other
 * numbers), and bounds on length, depth and count. Objects come without a prototype, so that a member named "__proto__" is a member.
 *
 * Writes OLPC canonical JSON, the form that TUF 1.0.31 §4.1 signs: members sorted by code point, no white space,
 * `\` and `"` the only escapes, integers only.
 */

import { OtaError } from "./errors.ts";
import { MAX_JSON_DEPTH_LEVELS, MAX_JSON_VALUES, MAX_METADATA_BYTES } from "./limits.ts";

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: JsonValue;
}

export interface JsonOptions {
  /** Longest text that is looked at, in bytes. */
  readonly maxBytes?: number;
  /** Makes the error that is thrown, for callers with codes of their own; default `OtaError` "trust/malformed". */
  readonly error?: (message: string) => Error;
}

/** Whether a value is a JSON object (not null, not an array). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads one JSON text; throws what `options.error` makes when it is malformed or over a bound. */
export function parseJson(bytes: Uint8Array, options: JsonOptions = {}): JsonValue {
  const fail = options.error ?? ((message: string) => new OtaError("trust/malformed", message));
  const maxBytes = options.maxBytes ?? MAX_METADATA_BYTES;
  if (bytes.byteLength > maxBytes) {
    throw fail(`the JSON text has ${bytes.byteLength} bytes; at most ${maxBytes} are read`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    // A parse failure of untrusted input is a refusal, never the decoder's TypeError.
    throw Object.assign(fail("the JSON text is not valid UTF-8"), { cause });
  }
  return new JsonReader(text, fail).readText();
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHITE_SPACE = /[ \t\n\r]*/y;
/** A run of characters that stand for themselves in a string. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these in a string
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const FOUR_HEX_DIGITS = /[0-9a-fA-F]{4}/y;

const SIMPLE_ESCAPES = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

class JsonReader {
  readonly #text: string;
  readonly #fail: (message: string) => Error;
  #position = 0;
  #valueCount = 0;

  constructor(text: string, fail: (message: string) => Error) {
    this.#text = text;
    this.#fail = fail;
  }

  readText(): JsonValue {
    const value = this.#readValue(0);
    if (this.#position !== this.#text.length) throw this.#malformed("nothing may follow the JSON value");
    return value;
  }

  #readValue(depth: number): JsonValue {
    if (depth > MAX_JSON_DEPTH_LEVELS)
      throw this.#malformed(`nested deeper than ${MAX_JSON_DEPTH_LEVELS} levels`);
    this.#valueCount += 1;
    if (this.#valueCount > MAX_JSON_VALUES) throw this.#malformed(`more than ${MAX_JSON_VALUES} values`);
    this.#take(WHITE_SPACE);
    const value = this.#readBareValue(depth);
    this.#take(WHITE_SPACE);
    return value;
  }

  #readBareValue(depth: number): JsonValue {
    switch (this.#text[this.#position]) {
      case "{":
        return this.#readObject(depth);
      case "[":
        return this.#readArray(depth);
      case '"':
        return this.#readString();
      case "t":
        return this.#readWord("true", true);
      case "f":
        return this.#readWord("false", false);
      case "n":
        return this.#readWord("null", null);
      default:
        return this.#readInteger();
    }
  }

  #readObject(depth: number): JsonObject {
    const object: { [member: string]: JsonValue } = Object.create(null);
    this.#position += 1;
    this.#take(WHITE_SPACE);
    if (this.#accept("}")) return object;
    do {
      this.#take(WHITE_SPACE);
      const name = this.#readString();
      if (name in object)
        throw this.#malformed(`the member ${JSON.stringify(name.slice(0, 64))} stands twice`);
      this.#take(WHITE_SPACE);
      this.#expect(":");
      object[name] = this.#readValue(depth + 1);
    } while (this.#accept(","));
    this.#expect("}");
    return object;
  }

  #readArray(depth: number): readonly JsonValue[] {
    const array: JsonValue[] = [];
    this.#position += 1;
    this.#take(WHITE_SPACE);
    if (this.#accept("]")) return array;
    do {
      array.push(this.#readValue(depth + 1));
    } while (this.#accept(","));
    this.#expect("]");
    return array;
  }

  #readString(): string {
    this.#expect('"');
    let result = this.#take(PLAIN_CHARACTERS);
    while (!this.#accept('"')) {
      if (!this.#accept("\\")) throw this.#malformed("a string has no end, or holds a control character");
      result += this.#readEscape() + this.#take(PLAIN_CHARACTERS);
    }
    // Half a surrogate pair has no UTF-8, so it could not have been signed as it stands.
    if (!result.isWellFormed()) throw this.#malformed("a string holds half a surrogate pair");
    return result;
  }

  #readEscape(): string {
    if (this.#accept("u")) {
      const digits = this.#take(FOUR_HEX_DIGITS);
      if (digits === "") throw this.#malformed("\\u wants four hexadecimal digits");
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = SIMPLE_ESCAPES.get(this.#text[this.#position] ?? "");
    if (character === undefined) throw this.#malformed("a string holds an escape that JSON does not have");
    this.#position += 1;
    return character;
  }

  #readInteger(): number {
    const digits = this.#take(NUMBER);
    if (digits === "") throw this.#malformed("a value is expected");
    const value = Number(digits);
    if (/[.eE]/.test(digits) || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw this.#malformed(
        `${digits.slice(0, 32)} is no integer between -(2^53 - 1) and 2^53 - 1, written plainly`,
      );
    }
    return value;
  }

  #readWord<Value extends JsonValue>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#position)) throw this.#malformed("a value is expected");
    this.#position += word.length;
    return value;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#position += taken.length;
    return taken;
  }

  #accept(character: string): boolean {
    if (this.#text[this.#position] !== character) return false;
    this.#position += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#accept(character)) throw this.#malformed(`${JSON.stringify(character)} is expected`);
  }

  #malformed(what: string): Error {
    return this.#fail(`not JSON as Skerry reads it: ${what} (at character ${this.#position})`);
  }
}

/**
 * The OLPC canonical form of a value, in UTF-8: what signatures and key ids are made over.
 *
 * Throws `OtaError` "trust/malformed" for what has no canonical form: fractions, and strings with half a surrogate pair.
 */
export function canonicalJson(value: JsonValue): Uint8Array {
  return new TextEncoder().encode(canonicalText(value));
}

function canonicalText(value: JsonValue): string {
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return `${value}`;
    throw new OtaError("trust/malformed", `${value} has no canonical JSON form: only integers do`);
  }
  if (value === null || typeof value === "boolean") return `${value}`;
  if (isJsonObject(value)) {
    const members = Object.entries(value).toSorted(([left], [right]) => compareByCodePoint(left, right));
    return `{${members.map(([name, member]) => `${canonicalString(name)}:${canonicalText(member)}`).join(",")}}`;
  }
  return `[${value.map(canonicalText).join(",")}]`;
}

function canonicalString(text: string): string {
  if (text.isWellFormed()) return `"${text.replace(/["\\]/g, "\\$&")}"`;
  throw new OtaError("trust/malformed", "half a surrogate pair has no canonical JSON form");
}

/** The reference implementation sorts by code point; JavaScript's own order is by UTF-16 unit, which differs above U+FFFF. */
function compareByCodePoint(left: string, right: string): number {
  const rightPoints = right[Symbol.iterator]();
  for (const leftCharacter of left) {
    const next = rightPoints.next();
    if (next.done === true) return 1;
    const difference = (leftCharacter.codePointAt(0) ?? 0) - (next.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return rightPoints.next().done === true ? 0 : -1;
}
