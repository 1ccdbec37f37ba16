/** Component Model, Binary.md: what the decoder reads, and what it refuses with which code. */

import test from "ava";
import type { ComponentDefinition, CoreModule, Definition } from "../../../sandbox/component/ast.ts";
import { decodeComponent } from "../../../sandbox/component/decode.ts";
import { ComponentError, type ComponentErrorCode } from "../../../sandbox/component/errors.ts";
import { MAX_NAME_BYTES, MAX_NESTING_LEVELS } from "../../../sandbox/component/limits.ts";
import { componentFromText } from "../../support/wat.ts";
import { type Bytes, component, coreModule, name, section, u32 } from "./bytes.ts";

function decode(bytes: Bytes): ComponentDefinition {
  return decodeComponent(Uint8Array.from(bytes));
}

/** The code and message that `bytes` are refused with; a decoder that throws anything else fails the test. */
function refusal(bytes: Bytes | Uint8Array): { code: ComponentErrorCode; message: string } {
  try {
    decodeComponent(Uint8Array.from(bytes));
  } catch (error) {
    if (error instanceof ComponentError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

async function definitions(text: string): Promise<readonly Definition[]> {
  return decodeComponent(await componentFromText(text)).definitions;
}

async function onlyModule(text: string): Promise<CoreModule> {
  const found = (await definitions(`(component (core module ${text}))`))[0];
  if (found?.kind !== "core-module") throw new Error("no core module");
  return found.module;
}

test("definitions keep the binary's order and its indices", async (t) => {
  const found = await definitions(`(component
    (core module $m (func (export "f") (param i32) (result i32) local.get 0))
    (core instance $i (instantiate $m))
    (alias core export $i "f" (core func $f))
    (type $t (func (param "x" u32) (result u32)))
    (func $lifted (type $t) (canon lift (core func $f)))
    (export "f" (func $lifted)))`);
  t.deepEqual(
    found.map((definition) => definition.kind),
    ["core-module", "core-instance", "alias", "type", "canonical", "export"],
  );
  t.deepEqual(found.slice(1), [
    { kind: "core-instance", instance: { kind: "instantiate", module: 0, args: [] } },
    { kind: "alias", alias: { kind: "core-export", sort: "func", instance: 0, name: "f" } },
    { kind: "type", type: { kind: "function", parameters: [{ label: "x", type: "u32" }], result: "u32" } },
    {
      kind: "canonical",
      canonical: {
        kind: "lift",
        function: 0,
        options: { stringEncoding: "utf8", memory: undefined, realloc: undefined, postReturn: undefined },
        type: 0,
      },
    },
    { kind: "export", name: { name: "f" }, item: { sort: "func", index: 0 }, type: undefined },
  ]);
});

test("every value type of WASI 0.2 is read", async (t) => {
  const found = await definitions(`(component
    (type bool) (type s8) (type u8) (type s16) (type u16) (type s32) (type u32) (type s64) (type u64)
    (type f32) (type f64) (type char) (type string)
    (type $r (resource (rep i32)))
    (type (record (field "a" u8))) (type (variant (case "x" u8) (case "y"))) (type (list string))
    (type (tuple u8 u16)) (type (flags "a" "b")) (type (enum "a" "b")) (type (option u8))
    (type (result u8 (error u16))) (type (own $r)) (type (borrow $r)))`);
  const types = found.flatMap((definition) => (definition.kind === "type" ? [definition.type] : []));
  t.deepEqual(
    types.slice(0, 13).map((type) => type.kind === "primitive" && type.primitive),
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"],
  );
  t.deepEqual(types.slice(13), [
    { kind: "resource", destructor: undefined },
    { kind: "record", fields: [{ label: "a", type: "u8" }] },
    {
      kind: "variant",
      cases: [
        { label: "x", type: "u8" },
        { label: "y", type: undefined },
      ],
    },
    { kind: "list", element: "string" },
    { kind: "tuple", elements: ["u8", "u16"] },
    { kind: "flags", labels: ["a", "b"] },
    { kind: "enum", labels: ["a", "b"] },
    { kind: "option", some: "u8" },
    { kind: "result", ok: "u8", error: "u16" },
    { kind: "own", resource: 13 },
    { kind: "borrow", resource: 13 },
  ]);
});

test("the three forms of an extern name mean the same name", (t) => {
  const instanceType = section(7, [1, 0x42, 0]);
  const plain = (form: number, text: string) => [form, ...name(text), 0x05, 0];
  const attributes: Bytes = [0x02, ...name("c"), 2, 0x00, ...name("a:b/c"), 0x02, ...name("id"), 0x05, 0];
  const found = decode(
    component(instanceType, section(10, [3, ...plain(0, "a"), ...plain(1, "b"), ...attributes])),
  );
  t.deepEqual(
    found.definitions.flatMap((definition) => (definition.kind === "import" ? [definition.name] : [])),
    [
      { name: "a" },
      { name: "b" },
      {
        name: "c",
        attributes: [
          { kind: "implements", value: "a:b/c" },
          { kind: "external-id", value: "id" },
        ],
      },
    ],
  );
});

test("a nested component says where its bytes begin", async (t) => {
  const bytes = await componentFromText('(component (component (import "f" (func))))');
  const [nested] = decodeComponent(bytes).definitions;
  if (nested?.kind !== "component") throw new Error("no component");
  t.deepEqual(
    [...bytes.subarray(nested.component.offset, nested.component.offset + 4)],
    [0, 0x61, 0x73, 0x6d],
  );
});

test("a core module's imports and exports come with their full types", async (t) => {
  const module = await onlyModule(`
    (import "env" "f" (func (param i32 i64) (result f32)))
    (import "env" "m" (memory 1 2))
    (import "env" "g" (global (mut i32)))
    (memory 3)
    (table (export "t") 4 5 funcref)
    (global (export "g") i64 (i64.add (i64.const 1) (i64.const 2)))
    (tag (export "e") (param i32))
    (func (export "h") (param f64))`);
  const limits = { shared: false, address64: false };
  t.deepEqual(module.imports, [
    {
      module: "env",
      name: "f",
      type: { kind: "func", type: { parameters: ["i32", "i64"], results: ["f32"] } },
    },
    { module: "env", name: "m", type: { kind: "memory", limits: { minimum: 1, maximum: 2, ...limits } } },
    { module: "env", name: "g", type: { kind: "global", value: "i32", mutable: true } },
  ]);
  t.deepEqual(module.exports, [
    {
      name: "t",
      type: { kind: "table", type: { element: "funcref", limits: { minimum: 4, maximum: 5, ...limits } } },
    },
    { name: "g", type: { kind: "global", value: "i64", mutable: false } },
    { name: "e", type: { kind: "tag", type: { parameters: ["i32"], results: [] } } },
    { name: "h", type: { kind: "func", type: { parameters: ["f64"], results: [] } } },
  ]);
  t.deepEqual(
    module.memories,
    [{ minimum: 3, maximum: undefined, ...limits }],
    "imported memories are no own ones",
  );
  t.is(module.tables.length, 1);
});

test("shared and 64-bit limits are read", async (t) => {
  const module = await onlyModule("(memory 1 2 shared) (memory i64 5)");
  t.deepEqual(module.memories, [
    { minimum: 1, maximum: 2, shared: true, address64: false },
    { minimum: 5, maximum: undefined, shared: false, address64: true },
  ]);
});

test("recursive and struct types of a core module are read past", async (t) => {
  const module = await onlyModule(`
    (rec (type $s (struct (field i8) (field (mut (ref null $s))))) (type $a (array (ref $s))))
    (type $sub (sub (struct)))
    (global (ref null $s) (ref.null $s))
    (func (export "f") (param i32))`);
  t.deepEqual(module.exports, [
    { name: "f", type: { kind: "func", type: { parameters: ["i32"], results: [] } } },
  ]);
});

test("a core export that refers to a core type by index needs gc", async (t) => {
  const bytes = await componentFromText(
    '(component (core module (type $s (struct)) (global (export "g") (ref null $s) (ref.null $s))))',
  );
  t.is(refusal(bytes).code, "component/unsupported");
  t.regex(refusal(bytes).message, /gc/);
});

test("what is no component is refused as that, with what to do", async (t) => {
  const core = await componentFromText("(module)");
  const cases: [Bytes | Uint8Array, RegExp][] = [
    [[], /not WebAssembly/],
    [[...Buffer.from("#!/bin/sh\nexit 0\n")], /not WebAssembly/],
    [core, /core WebAssembly module.*jco new.*wasm-tools component new/],
    [[0x00, 0x61, 0x73, 0x6d, 0x0d], /ends inside its preamble/],
    [[0x00, 0x61, 0x73, 0x6d, 0x0c, 0x00, 0x01, 0x00], /unknown version/],
    [[0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x02, 0x00], /unknown version/],
  ];
  for (const [bytes, message] of cases) {
    t.is(refusal(bytes).code, "component/not-a-component");
    t.regex(refusal(bytes).message, message);
  }
});

const malformedCases: readonly (readonly [string, Bytes, RegExp])[] = [
  ["a section longer than the file", component([7, 100, 1]), /claims 100 bytes/],
  ["a section longer than its contents", component(section(7, [1, 0x73, 0x73])), /left over/],
  ["an unknown section", component(section(13, [])), /unknown section id 13/],
  ["a size with bits beyond the 32nd", component([7, 0x81, 0x80, 0x80, 0x80, 0x70, 0]), /32 bits/],
  ["a size of six bytes", component([7, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0]), /32 bits/],
  [
    "a count of four billion types",
    component(section(7, [0xff, 0xff, 0xff, 0xff, 0x0f, 0x73])),
    /4294967295 types claimed/,
  ],
  ["a count of four billion fields", component(section(7, [1, 0x72, ...u32(0xffffffff)])), /fields claimed/],
  ["a name that is not UTF-8", component(section(0, [2, 0xff, 0xfe])), /UTF-8/],
  ["a name longer than its section", component(section(0, [5, 0x61])), /claims 5 bytes/],
  ["a surrogate in a name", component(section(0, [3, 0xed, 0xa0, 0x80])), /UTF-8/],
  ["an unknown type", component(section(7, [1, 0x62])), /0x62 is no type/],
  [
    "an import in an instance type",
    component(section(7, [1, 0x42, 1, 0x03, 0x00, ...name("a"), 0x03, 0x01])),
    /no imports/,
  ],
  ["an unknown canonical definition", component(section(8, [1, 0x07])), /0x07/],
  ["an outer alias of an instance", component(section(6, [1, 0x05, 0x02, 0, 0])), /outer alias/],
  [
    "core sections out of order",
    component(section(1, coreModule(section(3, [0]), section(1, [0])))),
    /out of order/,
  ],
  ["a component where a core module belongs", component(section(1, component())), /preamble/],
  [
    "a value type with a broken sign",
    component(section(7, [1, 0x70, 0xff, 0xff, 0xff, 0xff, 0x4f])),
    /33 bits/,
  ],
];

for (const [what, bytes, message] of malformedCases) {
  test(`refuses as malformed: ${what}`, (t) => {
    t.is(refusal(bytes).code, "component/malformed");
    t.regex(refusal(bytes).message, message);
  });
}

const unsupportedCases: readonly (readonly [string, Bytes])[] = [
  ["async functions", component(section(7, [1, 0x43, 0, 1, 0]))],
  ["streams", component(section(7, [1, 0x66, 0]))],
  ["futures", component(section(7, [1, 0x65, 0]))],
  ["error contexts", component(section(7, [1, 0x64]))],
  ["maps", component(section(7, [1, 0x63, 0x73, 0x73]))],
  ["fixed-length lists", component(section(7, [1, 0x67, 0x7d, 3]))],
  ["values", component(section(12, [0]))],
  ["component start functions", component(section(9, [0]))],
  ["the async ABI", component(section(8, [1, 0x01, 0x00, 0, 1, 0x06]))],
  ["async built-ins", component(section(8, [1, 0x09, 0x01, 0x00, 0]))],
  ["threads", component(section(8, [1, 0x26]))],
  ["memory64", component(section(7, [1, 0x3f, 0x7e, 0]))],
  ["gc", component(section(3, [1, 0x5f, 0]))],
  ["custom page sizes", component(section(1, coreModule(section(5, [1, 0x08, 1, 0]))))],
];

for (const [feature, bytes] of unsupportedCases) {
  test(`names an unsupported feature: ${feature}`, (t) => {
    t.is(refusal(bytes).code, "component/unsupported");
    t.true(refusal(bytes).message.includes(feature), refusal(bytes).message);
  });
}

test("a canonical option may stand once", (t) => {
  const twice = component(section(8, [1, 0x01, 0x00, 0, 2, 0x03, 0, 0x03, 0]));
  t.is(refusal(twice).code, "component/invalid");
  t.regex(refusal(twice).message, /memory stands twice/);
});

test("nesting of components is bounded", (t) => {
  const nested = (levels: number): Bytes =>
    levels === 1 ? component() : component(section(4, nested(levels - 1)));
  t.notThrows(() => decode(nested(MAX_NESTING_LEVELS)));
  t.is(refusal(nested(MAX_NESTING_LEVELS + 1)).code, "component/limit-exceeded");
});

test("nesting of types is bounded, however deep it claims to be", (t) => {
  const opened = Array.from({ length: 100_000 }, () => [0x42, 1, 0x01]).flat();
  t.is(refusal(component(section(7, [1, ...opened]))).code, "component/limit-exceeded");
});

test("a name may be long, within a limit", (t) => {
  const custom = (length: number) => component(section(0, name("x".repeat(length))));
  t.notThrows(() => decode(custom(MAX_NAME_BYTES)));
  t.is(refusal(custom(MAX_NAME_BYTES + 1)).code, "component/limit-exceeded");
});

test("the entries of all vectors of a file are bounded together", (t) => {
  const types = section(7, [...u32(20_000), ...Array.from({ length: 20_000 }, () => 0x73)]);
  t.notThrows(() => decode(component(types, types)));
  t.is(refusal(component(types, types, types)).code, "component/limit-exceeded");
});
