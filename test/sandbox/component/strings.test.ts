/** Strings in the three encodings (CanonicalABI.md `load_string_from_range`, `store_string_into_range`). */

import test from "ava";
import fc from "fast-check";
import { allocator, exported, instantiateText, passThrough } from "./guests.ts";

const strings = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.string({ unit: "binary-ascii", maxLength: 200 }),
);

for (const encoding of ["utf8", "utf16", "latin1+utf16"]) {
  test(`any well-formed string survives ${encoding}`, async (t) => {
    const pass = exported(
      await instantiateText(passThrough("string", { flat: "i32 i32", encoding }), {
        host: (value: string) => value,
      }),
      "pass",
    );
    fc.assert(fc.property(strings, (value) => pass(value) === value));
    for (const value of ["", "\uFEFFwith a byte order mark", "é", "ÿ".repeat(70), "☃".repeat(70), "🍰"]) {
      t.is(pass(value), value);
    }
  });

  test(`an unpaired surrogate of the host is replaced in ${encoding}`, async (t) => {
    const pass = exported(
      await instantiateText(passThrough("string", { flat: "i32 i32", encoding }), {
        host: (value: string) => value,
      }),
      "pass",
    );
    t.is(pass("a\uD800b"), "a\uFFFDb");
  });
}

/** A guest that tells what a string looked like when it arrived: its length, or a byte of it. */
function inspector(encoding: string): string {
  return `(component
    ${allocator}
    (core module $M
      (import "" "memory" (memory 1))
      (func (export "length") (param i32 i32) (result i32) (local.get 1))
      (func (export "second-byte") (param i32 i32) (result i32) (i32.load8_u offset=1 (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "memory" (memory $memory))))))
    (func (export "length") (param "a" string) (result u32) (canon lift (core func $m "length")
      string-encoding=${encoding} (memory (core memory $memory)) (realloc (core func $realloc))))
    (func (export "second-byte") (param "a" string) (result u32) (canon lift (core func $m "second-byte")
      string-encoding=${encoding} (memory (core memory $memory)) (realloc (core func $realloc)))))`;
}

test("the length is in bytes for utf8 and in code units for utf16", async (t) => {
  t.is(exported(await instantiateText(inspector("utf8")), "length")("é🍰"), 6);
  t.is(exported(await instantiateText(inspector("utf16")), "length")("é🍰"), 3);
});

test("latin1+utf16 stores latin1 where it can, and tags the length of what it can't", async (t) => {
  const instance = await instantiateText(inspector("latin1+utf16"));
  t.is(exported(instance, "length")("aé"), 2);
  t.is(exported(instance, "second-byte")("aé"), 0xe9);
  t.is(exported(instance, "length")("a☃"), 0x80000002);
});

/** A guest that returns the string at `pointer` with `length` of a memory page that starts with `bytes`. */
function speaker(encoding: string, bytes: string, pointer: number, length: number): string {
  return `(component
    (core module $M
      (memory (export "memory") 1)
      (data (i32.const 0) "${bytes}")
      (func (export "speak") (result i32)
        (i32.store (i32.const 1024) (i32.const ${pointer}))
        (i32.store (i32.const 1028) (i32.const ${length}))
        (i32.const 1024)))
    (core instance $m (instantiate $M))
    (func (export "speak") (result string) (canon lift (core func $m "speak")
      string-encoding=${encoding} (memory (core memory $m "memory")))))`;
}

const good: readonly [
  rule: string,
  encoding: string,
  bytes: string,
  pointer: number,
  length: number,
  text: string,
][] = [
  ["utf8 keeps a byte order mark", "utf8", "\\ef\\bb\\bfa", 0, 4, "\uFEFFa"],
  ["an empty string may lie at the end of memory", "utf8", "", 65536, 0, ""],
  ["a string may end with memory", "utf8", "", 65534, 2, "\0\0"],
  ["an untagged length means latin1", "latin1+utf16", "\\e9\\ff", 0, 2, "éÿ"],
  ["a tagged length means utf16", "latin1+utf16", "\\03\\26", 0, 0x80000001, "☃"],
];

for (const [rule, encoding, bytes, pointer, length, text] of good) {
  test(rule, async (t) => {
    t.is(exported(await instantiateText(speaker(encoding, bytes, pointer, length)), "speak")(), text);
  });
}

const bad: readonly [rule: string, encoding: string, bytes: string, pointer: number, length: number][] = [
  ["a byte that utf8 never has", "utf8", "\\ff", 0, 1],
  ["a truncated utf8 sequence", "utf8", "\\c3", 0, 1],
  ["an overlong utf8 sequence", "utf8", "\\c0\\80", 0, 2],
  ["a surrogate in utf8", "utf8", "\\ed\\a0\\80", 0, 3],
  ["invalid utf8 in a long string", "utf8", `${"a".repeat(99)}\\ff`, 0, 100],
  ["an unpaired surrogate in utf16", "utf16", "\\00\\d8", 0, 1],
  ["an odd utf16 pointer, even of an empty string", "utf16", "", 1, 0],
  ["an odd latin1 pointer, even of an empty string", "latin1+utf16", "", 1, 0],
  ["a pointer beyond memory, even of an empty string", "utf8", "", 65537, 0],
  ["an end beyond memory", "utf8", "", 65535, 2],
  ["a length that wraps the address space", "utf8", "", 8, 0xffffffff],
  ["a utf16 length that is twice the address space", "utf16", "", 8, 0xffffffff],
];

for (const [rule, encoding, bytes, pointer, length] of bad) {
  test(`${rule} traps`, async (t) => {
    const speak = exported(await instantiateText(speaker(encoding, bytes, pointer, length)), "speak");
    t.throws(() => speak(), { name: "Trap", code: "trap/canonical-abi" });
  });
}
