/** Core modules that would keep the engine busy, or fill the memory, are refused before the engine is asked to check them. */

import test from "ava";
import { checkCoreModules, compileComponent } from "../../../sandbox/component/index.ts";
import { MAX_FUNCTION_BYTES } from "../../../sandbox/component/limits.ts";
import { type Bytes, CORE_PREAMBLE, component, section, u32 } from "./bytes.ts";

const NO_TYPE: Bytes = [0x60, 0, 0];
const NO_LOCALS: Bytes = [0];
const UNREACHABLE = 0x00;
const END = 0x0b;

/** `count` times the same, without an array of as many numbers. */
function repeated(count: number, bytes: Bytes): Buffer {
  return Buffer.alloc(count * bytes.length, Uint8Array.from(bytes));
}

function coreSection(id: number, ...parts: (Bytes | Buffer)[]): Buffer {
  const contents = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([id, ...u32(contents.length)]), contents]);
}

/** A component with a core module of these types and `count` functions of type 0, all with the same body. */
function withFunctions(types: readonly Bytes[], count: number, body: Buffer): Uint8Array {
  const sized = Buffer.concat([Buffer.from(u32(body.length)), body]);
  const bodies = Array.from({ length: count }, () => sized);
  const module = Buffer.concat([
    Buffer.from(CORE_PREAMBLE),
    coreSection(1, u32(types.length), types.flat()),
    coreSection(3, u32(count), repeated(count, [0])),
    coreSection(10, u32(count), ...bodies),
  ]);
  return Buffer.concat([Buffer.from(component()), coreSection(1, module)]);
}

/** A function type of `width` parameters and as many results. */
function wideType(width: number): Bytes {
  const values = [...u32(width), ...repeated(width, [0x7f])];
  return [0x60, ...values, ...values];
}

function bodyOf(instructions: Buffer): Buffer {
  return Buffer.concat([Buffer.from(NO_LOCALS), instructions, Buffer.from([END])]);
}

const manyBlocks = bodyOf(
  Buffer.concat([Buffer.from([UNREACHABLE]), repeated(50_000, [0x02, 1, END]), Buffer.from([UNREACHABLE])]),
);
const nops = (bytes: number) => repeated(bytes, [0x01]);

const refused: Readonly<Record<string, () => Uint8Array>> = {
  "blocks of a thousand parameters and results": () =>
    withFunctions([NO_TYPE, wideType(1000)], 1, manyBlocks),
  "functions of fifty thousand locals": () =>
    withFunctions([NO_TYPE], 100_000, Buffer.from([1, ...u32(50_000), 0x7f, END])),
  "code beside a type of structs": () =>
    withFunctions([NO_TYPE, [0x5f, 1, 0x7f, 0]], 1, bodyOf(nops(100_000))),
  "a function that is too long to be optimised": () =>
    withFunctions([NO_TYPE], 1, bodyOf(nops(MAX_FUNCTION_BYTES))),
};

for (const [what, bytes] of Object.entries(refused)) {
  test(`core modules are not checked with ${what}`, (t) => {
    const compiled = compileComponent(bytes());
    t.throws(() => checkCoreModules(compiled), {
      name: "ComponentError",
      code: "component/limit-exceeded",
      message: /core module at offset/,
    });
  });
}

test("the modules of a component are looked at together", (t) => {
  const half = withFunctions([NO_TYPE], 50_000, Buffer.from([1, ...u32(50_000), 0x7f, END]));
  t.notThrows(() => checkCoreModules(compileComponent(half)));
  const both = Buffer.concat([half, half.subarray(component().length)]);
  t.throws(() => checkCoreModules(compileComponent(both)), { code: "component/limit-exceeded" });
});

test("ordinary code is checked, with blocks of many values and functions of many locals in it", (t) => {
  const blocks = bodyOf(repeated(1_000, [0x02, 0, END]));
  t.notThrows(() => checkCoreModules(compileComponent(withFunctions([NO_TYPE, wideType(20)], 100, blocks))));
  t.notThrows(() =>
    checkCoreModules(compileComponent(Uint8Array.from(component(section(1, CORE_PREAMBLE))))),
  );
});

test("code that can't be told apart is malformed", (t) => {
  const locals = withFunctions([NO_TYPE], 1, Buffer.from([3, 1]));
  t.throws(() => checkCoreModules(compileComponent(locals)), { code: "component/malformed" });
});
