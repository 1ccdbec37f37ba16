/** Every value type, lowered and lifted as parameter and as result, flat and through memory (CanonicalABI.md). */

import test from "ava";
import fc from "fast-check";
import { allocator, exported, instantiateText, passThrough } from "./guests.ts";

interface RoundTrip {
  readonly type: string;
  readonly prelude?: string;
  readonly flat: string;
  readonly values: fc.Arbitrary<unknown>;
}

const text = fc.string({ unit: "binary", maxLength: 80 });
const point = fc.record({ x: fc.integer(), labelText: text }, { noNullPrototype: true });
const pointType = `
  (type $point' (record (field "x" s32) (field "label-text" string)))
  (import "point" (type $point (eq $point')))`;

/** `option`, `variant` and `result` values as plain objects, each with the keys that lifting gives it. */
function tagged(tag: string, val?: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return val === undefined ? fc.constant({ tag }) : val.map((value) => ({ tag, val: value }));
}

const numberFields = Array.from({ length: 17 }, (_, index) => `f${index}`);

const roundTrips: readonly RoundTrip[] = [
  { type: "bool", flat: "i32", values: fc.boolean() },
  { type: "s8", flat: "i32", values: fc.integer({ min: -128, max: 127 }) },
  { type: "u8", flat: "i32", values: fc.integer({ min: 0, max: 255 }) },
  { type: "s16", flat: "i32", values: fc.integer({ min: -32768, max: 32767 }) },
  { type: "u16", flat: "i32", values: fc.integer({ min: 0, max: 65535 }) },
  { type: "s32", flat: "i32", values: fc.integer() },
  { type: "u32", flat: "i32", values: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
  { type: "s64", flat: "i64", values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { type: "u64", flat: "i64", values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { type: "f32", flat: "f32", values: fc.float() },
  { type: "f64", flat: "f64", values: fc.double() },
  { type: "char", flat: "i32", values: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
  { type: "string", flat: "i32 i32", values: text },
  { type: "(list u8)", flat: "i32 i32", values: fc.uint8Array() },
  { type: "(list s8)", flat: "i32 i32", values: fc.int8Array() },
  { type: "(list u16)", flat: "i32 i32", values: fc.uint16Array() },
  { type: "(list s16)", flat: "i32 i32", values: fc.int16Array() },
  { type: "(list u32)", flat: "i32 i32", values: fc.uint32Array() },
  { type: "(list s32)", flat: "i32 i32", values: fc.int32Array() },
  { type: "(list u64)", flat: "i32 i32", values: fc.bigUint64Array() },
  { type: "(list s64)", flat: "i32 i32", values: fc.bigInt64Array() },
  { type: "(list f32)", flat: "i32 i32", values: fc.float32Array() },
  { type: "(list f64)", flat: "i32 i32", values: fc.float64Array() },
  { type: "(list bool)", flat: "i32 i32", values: fc.array(fc.boolean()) },
  {
    type: "(list char)",
    flat: "i32 i32",
    values: fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 1 })),
  },
  { type: "(list string)", flat: "i32 i32", values: fc.array(text) },
  { type: "(list (list u16))", flat: "i32 i32", values: fc.array(fc.uint16Array()) },
  { type: "$point", prelude: pointType, flat: "i32 i32 i32", values: point },
  { type: "(list $point)", prelude: pointType, flat: "i32 i32", values: fc.array(point) },
  {
    type: "(tuple u8 f64 string)",
    flat: "i32 f64 i32 i32",
    values: fc.tuple(fc.integer({ min: 0, max: 255 }), fc.double(), text),
  },
  {
    type: "(list (tuple u8 u64 u16))",
    flat: "i32 i32",
    values: fc.array(
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(7)),
    ),
  },
  {
    type: "$many",
    prelude: `
      (type $many' (record ${numberFields.map((name) => `(field "${name}" f64)`).join(" ")}))
      (import "many" (type $many (eq $many')))`,
    flat: numberFields.map(() => "f64").join(" "),
    values: fc.record(Object.fromEntries(numberFields.map((name) => [name, fc.double()])), {
      noNullPrototype: true,
    }),
  },
  {
    type: "$colour",
    prelude: `
      (type $colour' (enum "red" "dark-green" "blue"))
      (import "colour" (type $colour (eq $colour')))`,
    flat: "i32",
    values: fc.constantFrom("red", "dark-green", "blue"),
  },
  {
    type: "$access",
    prelude: `
      (type $access' (flags "read" "write-all" ${numberFields.map((name) => `"${name}"`).join(" ")}))
      (import "access" (type $access (eq $access')))`,
    flat: "i32",
    values: fc.record(
      Object.fromEntries(["read", "writeAll", ...numberFields].map((name) => [name, fc.boolean()])),
      { noNullPrototype: true },
    ),
  },
  { type: "(option u32)", flat: "i32 i32", values: fc.option(fc.nat(), { nil: undefined }) },
  { type: "(option string)", flat: "i32 i32 i32", values: fc.option(text, { nil: undefined }) },
  {
    type: "(option (option u8))",
    flat: "i32 i32 i32",
    values: fc.oneof(
      tagged("none"),
      tagged("some", fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined })),
    ),
  },
  {
    type: "(list (result u8 (error string)))",
    flat: "i32 i32",
    values: fc.array(fc.oneof(tagged("ok", fc.integer({ min: 0, max: 255 })), tagged("err", text))),
  },
  {
    type: "$joined",
    prelude: `
      (type $joined' (variant (case "none-at-all") (case "float" f32) (case "int" s32) (case "text" string)))
      (import "joined" (type $joined (eq $joined')))`,
    flat: "i32 i32 i32",
    values: fc.oneof(
      tagged("none-at-all"),
      tagged("float", fc.float()),
      tagged("int", fc.integer()),
      tagged("text", text),
    ),
  },
  {
    type: "$wide",
    prelude: `
      (type $wide' (variant (case "float" f32) (case "double" f64) (case "long" u64) (case "int" s32) (case "byte" s8)))
      (import "wide" (type $wide (eq $wide')))`,
    flat: "i32 i64",
    values: fc.oneof(
      tagged("float", fc.float()),
      tagged("double", fc.double()),
      tagged("long", fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      tagged("int", fc.integer()),
      tagged("byte", fc.integer({ min: -128, max: 127 })),
    ),
  },
  {
    type: "(option (tuple f32 (option f64) $inner))",
    prelude: `
      (type $inner' (variant (case "a" (tuple f32 s64)) (case "b" f64)))
      (import "inner" (type $inner (eq $inner')))`,
    flat: "i32 f32 i32 f64 i32 i64 i64",
    values: fc.option(
      fc.tuple(
        fc.float(),
        fc.option(fc.double(), { nil: undefined }),
        fc.oneof(
          tagged("a", fc.tuple(fc.float(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
          tagged("b", fc.double()),
        ),
      ),
      { nil: undefined },
    ),
  },
];

for (const { type, prelude, flat, values } of roundTrips) {
  test(`a value of type ${type} reaches the host and comes back as it was`, async (t) => {
    const source = passThrough(type, { flat, ...(prelude === undefined ? {} : { prelude }) });
    const seen: unknown[] = [];
    const instance = await instantiateText(source, {
      host: (value: unknown) => {
        seen.push(value);
        return value;
      },
    });
    const pass = exported(instance, "pass");
    fc.assert(
      fc.property(values, (value) => {
        seen.length = 0;
        const back = pass(value);
        t.deepEqual(seen, [value]);
        t.deepEqual(back, value);
      }),
      { numRuns: 60 },
    );
  });
}

test("numbers are masked or sign-extended to their type, and any core bool but 0 is true", async (t) => {
  const instance = await instantiateText(`(component
    (core module $M (func (export "pass") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M))
    (func (export "low-byte") (param "a" u32) (result u8) (canon lift (core func $m "pass")))
    (func (export "signed-byte") (param "a" u32) (result s8) (canon lift (core func $m "pass")))
    (func (export "low-half") (param "a" u32) (result u16) (canon lift (core func $m "pass")))
    (func (export "signed-half") (param "a" u32) (result s16) (canon lift (core func $m "pass")))
    (func (export "truth") (param "a" u32) (result bool) (canon lift (core func $m "pass"))))`);
  t.is(exported(instance, "low-byte")(0x1ff), 0xff);
  t.is(exported(instance, "signed-byte")(0x1ff), -1);
  t.is(exported(instance, "low-half")(0x12345), 0x2345);
  t.is(exported(instance, "signed-half")(0x18000), -0x8000);
  t.is(exported(instance, "truth")(0x100), true);
  t.is(exported(instance, "truth")(0), false);
});

test("bits of flags beyond the labels are dropped", async (t) => {
  const instance = await instantiateText(`(component
    (type $f' (flags "a" "b-c")) (export $f "f" (type $f'))
    (core module $M (func (export "all") (result i32) (i32.const -1)))
    (core instance $m (instantiate $M))
    (func (export "all") (result $f) (canon lift (core func $m "all"))))`);
  t.deepEqual(exported(instance, "all")(), { a: true, bC: true });
});

for (const [type, code] of [
  ["char", 0xd800],
  ["char", 0x110000],
  ["(option u8)", 2],
  ["(result u8)", 7],
  ["$e", 3],
  ["$v", 0xffffffff],
] as const) {
  test(`a core value ${code} that is no ${type} traps`, async (t) => {
    const flat = type.startsWith("(") ? "i32 i32" : "i32";
    const instance = await instantiateText(
      `(component
      (type $e' (enum "a" "b" "c")) (import "e" (type $e (eq $e')))
      (type $v' (variant (case "a") (case "b"))) (import "v" (type $v (eq $v')))
      (import "take" (func $take (param "a" ${type})))
      (core func $take' (canon lower (func $take)))
      (core module $M
        (import "" "take" (func $take (param ${flat})))
        (func (export "run") (call $take (i32.const ${code}) ${flat === "i32" ? "" : "(i32.const 0)"})))
      (core instance $m (instantiate $M (with "" (instance (export "take" (func $take'))))))
      (func (export "run") (canon lift (core func $m "run"))))`,
      { take: () => t.fail("the host was called") },
    );
    t.throws(() => exported(instance, "run")(), { name: "Trap", code: "trap/canonical-abi" });
  });
}

test("an argument of the wrong type is a TypeError and leaves the instance usable", async (t) => {
  const instance = await instantiateText(passThrough("string", { flat: "i32 i32" }), {
    host: (s: string) => s,
  });
  const pass = exported(instance, "pass");
  t.throws(() => pass(17), { instanceOf: TypeError });
  t.throws(() => pass(), { instanceOf: TypeError });
  t.is(pass("still there"), "still there");
});

test("a number that is no integer is no u64", async (t) => {
  const instance = await instantiateText(passThrough("u64", { flat: "i64" }), {
    host: (value: unknown) => value,
  });
  const pass = exported(instance, "pass");
  for (const value of [Number.NaN, 0.5, Number.POSITIVE_INFINITY])
    t.throws(() => pass(value), { instanceOf: TypeError });
  t.is(pass(7), 7n);
});

test("the ok case of a result is returned, the error case thrown with its payload", async (t) => {
  const instance = await instantiateText(`(component
    (core module $M (func (export "f") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M))
    (func (export "f") (param "a" bool) (result (result)) (canon lift (core func $m "f"))))`);
  t.is(exported(instance, "f")(false), undefined);
  const error = t.throws(() => exported(instance, "f")(true), { instanceOf: Error });
  t.true("payload" in error);
});

test("what a host function throws is the error case of the result that it returns", async (t) => {
  const returned: unknown[] = [];
  const text = `(component
    (import "f" (func $f (result (result u32 (error string)))))
    (import "seen" (func $seen (param "a" (result u32 (error string)))))
    ${allocator}
    (core func $f' (canon lower (func $f) (memory (core memory $memory)) (realloc (core func $realloc))))
    (core func $seen' (canon lower (func $seen) (memory (core memory $memory)) (realloc (core func $realloc))))
    (core module $M
      (import "" "memory" (memory 1))
      (import "" "f" (func $f (param i32)))
      (import "" "seen" (func $seen (param i32 i32 i32)))
      (func (export "run")
        (call $f (i32.const 16))
        (call $seen (i32.load (i32.const 16)) (i32.load (i32.const 20)) (i32.load (i32.const 24)))))
    (core instance $m (instantiate $M (with "" (instance
      (export "memory" (memory $memory)) (export "f" (func $f')) (export "seen" (func $seen'))))))
    (func (export "run") (canon lift (core func $m "run"))))`;
  for (const thrown of ["plain", Object.assign(new Error("with payload"), { payload: "from payload" })]) {
    const instance = await instantiateText(text, {
      f: () => {
        throw thrown;
      },
      seen: (value: unknown) => returned.push(value),
    });
    exported(instance, "run")();
  }
  const instance = await instantiateText(text, {
    f: () => 5,
    seen: (value: unknown) => returned.push(value),
  });
  exported(instance, "run")();
  t.deepEqual(returned, [
    { tag: "err", val: "plain" },
    { tag: "err", val: "from payload" },
    { tag: "ok", val: 5 },
  ]);
});
