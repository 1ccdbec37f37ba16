/** How `realloc` is called and what it may return (CanonicalABI.md "Lifting and Lowering Context"). */

import test from "ava";
import { exported, instantiateText } from "./guests.ts";

/** A guest whose `realloc` notes its arguments and returns `result`; `f` takes a value of the type. */
function guest(type: string, result: string): string {
  return `(component
    (import "note" (func $note (param "a" u32)))
    (core func $note' (canon lower (func $note)))
    (core module $M
      (import "" "note" (func $note (param i32)))
      (memory (export "memory") 1)
      (global $calls (mut i32) (i32.const 0))
      (global $arguments (mut i32) (i32.const 0))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        ;; old pointer, old size, alignment and new size as decimal digits
        (global.set $arguments (i32.add (i32.add (i32.mul (local.get 0) (i32.const 1000000))
          (i32.mul (local.get 1) (i32.const 10000))) (i32.add (i32.mul (local.get 2) (i32.const 1000)) (local.get 3))))
        ${result})
      (func (export "f") (param i32 i32)
        (call $note (global.get $calls))
        (call $note (global.get $arguments))))
    (core instance $m (instantiate $M (with "" (instance (export "note" (func $note'))))))
    (func (export "f") (param "a" ${type}) (canon lift (core func $m "f")
      (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))`;
}

const calls: readonly [type: string, value: unknown, alignmentAndSize: number][] = [
  ["string", "", 1000],
  ["string", "héllo", 1006],
  ["string", "a".repeat(300), 1300],
  ["(list u8)", [], 1000],
  ["(list u32)", [], 4000],
  ["(list u64)", [1n, 2n, 3n], 8024],
  ["(list (tuple u8 u16))", [[1, 2]], 2004],
];

for (const [type, value, expected] of calls) {
  test(`lowering ${JSON.stringify(value, (_, part) => (typeof part === "bigint" ? Number(part) : part))} to a ${type} allocates once, with its exact size and alignment`, async (t) => {
    const notes: unknown[] = [];
    const instance = await instantiateText(guest(type, "(i32.const 1024)"), {
      note: (value: unknown) => notes.push(value),
    });
    exported(instance, "f")(value);
    t.deepEqual(notes, [1, expected]);
  });
}

const refused: readonly [rule: string, type: string, value: unknown, result: string][] = [
  ["a misaligned pointer", "(list u32)", [1], "(i32.const 2)"],
  ["a misaligned pointer of an empty list", "(list u32)", [], "(i32.const 2)"],
  ["a pointer beyond memory", "string", "abc", "(i32.const 65536)"],
  ["a pointer beyond memory for an empty list", "(list u8)", [], "(i32.const 65537)"],
  ["an end beyond memory", "(list u8)", [1, 2], "(i32.const 65535)"],
  ["the highest address", "(list u8)", [], "(i32.const -1)"],
  ["a call of an import inside realloc", "string", "abc", "(call $note (i32.const 1)) (i32.const 8)"],
];

for (const [rule, type, value, result] of refused) {
  test(`${rule} from realloc traps and ends the instance`, async (t) => {
    const instance = await instantiateText(guest(type, result), {
      note: () => t.fail("the host was called"),
    });
    const f = exported(instance, "f");
    t.throws(() => f(value), { name: "Trap", code: "trap/canonical-abi" });
    t.throws(() => f(value), { name: "Trap", code: "trap/cannot-enter" });
  });
}

test("a realloc that grows memory is lowered into the grown memory", async (t) => {
  const instance = await instantiateText(`(component
    (core module $M
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
      (func (export "sum") (param i32 i32) (result i32)
        (local $first i32)
        (local.set $first (i32.load (local.get 0)))
        (i32.add (i32.load8_u (local.get $first)) (memory.size))))
    (core instance $m (instantiate $M))
    (func (export "sum") (param "a" (list (list u8))) (result u32) (canon lift (core func $m "sum")
      (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))`);
  // One page at first, one more for the outer list and one for each inner one.
  t.is(exported(instance, "sum")([[100], [200]]), 104);
});
