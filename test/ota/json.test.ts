import test from "ava";
import fc from "fast-check";

import { OtaError } from "../../ota/errors.ts";
import { canonicalJson, isJsonObject, type JsonValue, parseJson } from "../../ota/json.ts";
import { MAX_JSON_DEPTH_LEVELS, MAX_JSON_VALUES } from "../../ota/limits.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function canonicalText(value: JsonValue): string {
  return new TextDecoder().decode(canonicalJson(value));
}

const MALFORMED = { instanceOf: OtaError, code: "trust/malformed" };

const REFUSED: readonly (readonly [string, string])[] = [
  ["a duplicate member", '{"a":1,"a":2}'],
  ["a duplicate member under another spelling", '{"a":1,"\\u0061":2}'],
  ["a duplicate member further down", '{"x":[{"a":1,"b":2,"a":1}]}'],
  ["nothing", ""],
  ["white space alone", " \n"],
  ["a second value", "{} {}"],
  ["a comment", "{}//"],
  ["a trailing comma in an object", '{"a":1,}'],
  ["a trailing comma in an array", "[1,]"],
  ["a missing colon", '{"a" 1}'],
  ["a member name without quotes", "{a:1}"],
  ["single quotes", "['a']"],
  ["an object without its end", '{"a":1'],
  ["an array without its end", "[1"],
  ["a string without its end", '"a'],
  ["a line feed in a string", '"a\nb"'],
  ["a NUL in a string", '"\u0000"'],
  ["an unknown escape", '"\\x41"'],
  ["an escape that is cut short", '"\\u00'],
  ["half a surrogate pair", '"\\ud800"'],
  ["a surrogate pair the wrong way round", '"\\udc00\\ud800"'],
  ["a leading zero", "01"],
  ["a plus sign", "+1"],
  ["a fraction", "1.5"],
  ["an integer written as a fraction", "1.0"],
  ["an exponent", "1e3"],
  ["minus zero", "-0"],
  ["an integer that a double can't hold", "9007199254740993"],
  ["NaN", "NaN"],
  ["a word that is cut short", "tru"],
  ["a word in capitals", "True"],
  ["a byte order mark", "\ufeff{}"],
  ["another kind of space", "{\u00a0}"],
];

for (const [name, text] of REFUSED) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => parseJson(bytesOf(text)), MALFORMED);
  });
}

test("refuses bytes that are not UTF-8: overlong, a lone continuation, an encoded surrogate", (t) => {
  for (const bytes of [
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ]) {
    const error = t.throws(() => parseJson(new Uint8Array(bytes)), MALFORMED);
    t.truthy(error?.cause);
  }
});

test("nesting is bounded, and a deeper text is refused without exhausting the stack", (t) => {
  const nested = (depth: number) => bytesOf("[".repeat(depth) + "]".repeat(depth));
  t.notThrows(() => parseJson(nested(MAX_JSON_DEPTH_LEVELS + 1)));
  t.throws(() => parseJson(nested(MAX_JSON_DEPTH_LEVELS + 2)), MALFORMED);
  t.throws(() => parseJson(bytesOf("[".repeat(60_000))), MALFORMED);
  t.throws(() => parseJson(bytesOf('{"a":'.repeat(10_000))), MALFORMED);
});

test("the number of values is bounded", (t) => {
  const list = (count: number) => bytesOf(`[${Array(count).fill("1").join(",")}]`);
  t.notThrows(() => parseJson(list(MAX_JSON_VALUES - 1)));
  t.throws(() => parseJson(list(MAX_JSON_VALUES)), MALFORMED);
});

test("a text over its bound is refused unread, with the caller's own error", (t) => {
  const error = (message: string) => new RangeError(message);
  t.throws(() => parseJson(bytesOf("[1,2,3]"), { maxBytes: 6, error }), { instanceOf: RangeError });
  t.deepEqual(parseJson(bytesOf("[1,2,3]"), { maxBytes: 7, error }), [1, 2, 3]);
});

test("a member named __proto__ is a member, and reaches no prototype", (t) => {
  const value = parseJson(bytesOf('{"__proto__":{"polluted":1},"constructor":2}'));
  if (!isJsonObject(value)) return t.fail();
  t.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
  t.is(Object.getPrototypeOf(value), null);
  t.false("polluted" in {});
  t.is(canonicalText(value), '{"__proto__":{"polluted":1},"constructor":2}');
});

test("canonical form: members sorted by code point, only two escapes, no white space", (t) => {
  const value = parseJson(bytesOf('{ "b" : [ true , null , -1 ] , "a" : "x\\n\\"\\\\\\u00e9\\/" }'));
  t.is(canonicalText(value), '{"a":"x\n\\"\\\\é/","b":[true,null,-1]}');
  // By UTF-16 unit the emoji (a surrogate pair) would go before U+FF61.
  t.is(
    canonicalText({ "\u{1f600}": 1, "\uff61": 2, "": 0, ab: 4, a: 3 }),
    '{"":0,"a":3,"ab":4,"\uff61":2,"\u{1f600}":1}',
  );
});

test("what has no canonical form is refused: fractions, half a surrogate pair", (t) => {
  for (const value of [1.5, Number.NaN, 2 ** 53, "\ud800"]) t.throws(() => canonicalJson([value]), MALFORMED);
});

test("property: whatever JSON.stringify writes of integers, text and structure reads the same", (t) => {
  const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((value) => value + 0),
      fc.string({ unit: "binary" }),
      fc.array(tie("tree"), { maxLength: 5 }),
      fc.dictionary(fc.string({ unit: "binary" }), tie("tree"), { maxKeys: 5, noNullPrototype: false }),
    ),
  }));
  t.notThrows(() =>
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        const read = parseJson(bytesOf(JSON.stringify(value, undefined, space)));
        return (
          JSON.stringify(read) === JSON.stringify(value) &&
          canonicalText(parseJson(reversedMembers(value))) === canonicalText(value)
        );
      }),
    ),
  );
});

test("property: arbitrary bytes are read or refused, nothing else", (t) => {
  const fragments = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "\\",
    "u",
    "1",
    "-",
    "e",
    "true",
    "a",
    " ",
    "\ud800",
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 30 }), (parts) => {
        try {
          parseJson(bytesOf(parts.join("")));
          return true;
        } catch (error) {
          return error instanceof OtaError && error.code === "trust/malformed";
        }
      }),
      { numRuns: 2_000 },
    ),
  );
});

/** The value with its members in another order, as ordinary JSON. */
function reversedMembers(value: JsonValue): Uint8Array {
  const reversed = (inner: JsonValue): JsonValue => {
    if (Array.isArray(inner)) return inner.map(reversed);
    if (!isJsonObject(inner)) return inner;
    return Object.fromEntries(
      Object.entries(inner)
        .reverse()
        .map(([name, member]) => [name, reversed(member)]),
    );
  };
  return bytesOf(JSON.stringify(reversed(value)));
}
