/** Reading a component from disk: custom sections stay behind, everything else comes along. */

import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { decodeComponent } from "../../../sandbox/component/decode.ts";
import { ComponentError } from "../../../sandbox/component/errors.ts";
import { MAX_FILE_SECTIONS, MAX_NESTING_LEVELS } from "../../../sandbox/component/limits.ts";
import { validateComponent } from "../../../sandbox/component/validate.ts";
import { readComponentFile } from "../../../sandbox/strip.ts";
import { type Bytes, COMPONENT_PREAMBLE, component, coreModule, name, section, u32 } from "./bytes.ts";

const TYPES = section(7, [1, 0x73]);
const CORE_TYPES = section(1, [1, 0x60, 0, 0]);
const GIBIBYTE = 2 ** 30;

function custom(text: string, contents: Bytes = []): Bytes {
  return section(0, [...name(text), ...contents]);
}

/** Runs `use` with the path of a file of these bytes. */
async function withFile<T>(bytes: Bytes | Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-strip-"));
  try {
    const path = join(folder, "component.wasm");
    await writeFile(path, Uint8Array.from(bytes));
    return await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function stripped(bytes: Bytes): Promise<number[]> {
  return withFile(bytes, async (path) => [...(await readComponentFile(path))]);
}

async function refusal(bytes: Bytes, maxBytes?: number): Promise<string> {
  return withFile(bytes, async (path) => {
    try {
      await readComponentFile(path, maxBytes === undefined ? {} : { maxBytes });
    } catch (error) {
      if (error instanceof ComponentError) return error.code;
      throw error;
    }
    return "accepted";
  });
}

test("custom sections of the component are dropped", async (t) => {
  const bytes = component(
    custom("producers", [1, 2, 3]),
    TYPES,
    custom("component-name"),
    TYPES,
    custom("x"),
  );
  t.deepEqual(await stripped(bytes), [...component(TYPES, TYPES)]);
});

test("a core module keeps its names and loses its debug information", async (t) => {
  const debug = custom(
    ".debug_info",
    Array.from({ length: 300 }, () => 0xaa),
  );
  const names = custom("name", [0, 2, 1, 0x6d]);
  const bytes = component(
    section(1, coreModule(debug, CORE_TYPES, debug, names, custom("producers"))),
    TYPES,
  );
  t.deepEqual(await stripped(bytes), [...component(section(1, coreModule(CORE_TYPES, names)), TYPES)]);
});

test("nested components are stripped as well, and the sizes around them are right", async (t) => {
  const debug = custom(
    ".debug_str",
    Array.from({ length: 20_000 }, () => 0x55),
  );
  const inner = (extra: Bytes) => component(extra, section(1, coreModule(CORE_TYPES, extra)), extra, TYPES);
  const bytes = component(section(4, component(section(4, inner(debug)))), debug);
  const result = await stripped(bytes);
  t.deepEqual(result, [...component(section(4, component(section(4, inner([])))))]);
  t.notThrows(() => validateComponent(decodeComponent(Uint8Array.from(result))));
});

test("a component without custom sections comes as it is", async (t) => {
  const bytes = component(TYPES, section(1, coreModule(CORE_TYPES)), section(4, component(TYPES)));
  t.deepEqual(await stripped(bytes), [...bytes]);
});

test("what is dropped is never read: a custom section of three gibibytes", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "skerry-strip-"));
  try {
    const path = join(folder, "component.wasm");
    const file = await open(path, "w");
    // Sparse: the file has the length, the disk has not. One array cannot have it.
    const header = [...COMPONENT_PREAMBLE, 0, ...u32(3 * GIBIBYTE)];
    await file.write(Uint8Array.from(header), 0, header.length, 0);
    await file.write(Uint8Array.from(TYPES), 0, TYPES.length, header.length + 3 * GIBIBYTE);
    await file.close();
    t.deepEqual([...(await readComponentFile(path))], [...component(TYPES)]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a file that is cut off anywhere is refused", async (t) => {
  const bytes = component(
    TYPES,
    section(1, coreModule(CORE_TYPES, custom("name"))),
    section(4, component(TYPES)),
  );
  const boundaries = new Set([COMPONENT_PREAMBLE.length, COMPONENT_PREAMBLE.length + TYPES.length]);
  boundaries.add(bytes.length - section(4, component(TYPES)).length);
  for (let length = 0; length < bytes.length; length += 1) {
    const expected = length < 8 ? "component/not-a-component" : "component/malformed";
    t.is(
      await refusal(bytes.slice(0, length)),
      boundaries.has(length) ? "accepted" : expected,
      `cut at ${length}`,
    );
  }
});

test("an inner section may not end beyond the one around it", async (t) => {
  const lying = [...coreModule(), 0, ...u32(5_000)];
  t.is(
    await refusal(
      component(
        section(1, lying),
        custom(
          "x",
          Array.from({ length: 6_000 }, () => 0),
        ),
      ),
    ),
    "component/malformed",
  );
});

test("a size that is no LEB128 of 32 bits is refused", async (t) => {
  t.is(
    await refusal([...COMPONENT_PREAMBLE, 7, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0]),
    "component/malformed",
  );
});

test("what is no component is refused before more of it is read", async (t) => {
  t.is(await refusal(coreModule(CORE_TYPES)), "component/not-a-component");
  t.is(await refusal([...Buffer.from("not WebAssembly at all")]), "component/not-a-component");
});

test("the limit counts what is kept, not what the file has", async (t) => {
  const small = component(
    TYPES,
    custom(
      "x",
      Array.from({ length: 5_000 }, () => 0),
    ),
  );
  const large = component(
    section(
      1,
      coreModule(
        section(
          11,
          Array.from({ length: 500 }, () => 0),
        ),
      ),
    ),
  );
  t.is(await refusal(small, 100), "accepted");
  t.is(await refusal(large, 100), "component/limit-exceeded");
});

test("the number of sections and their nesting are bounded", async (t) => {
  const many = Array.from({ length: MAX_FILE_SECTIONS + 1 }, () => custom("")).flat();
  t.is(await refusal(component(many)), "component/limit-exceeded");
  const nested = (levels: number): Bytes =>
    levels === 1 ? component() : component(section(4, nested(levels - 1)));
  t.is(await refusal(nested(MAX_NESTING_LEVELS)), "accepted");
  t.is(await refusal(nested(MAX_NESTING_LEVELS + 1)), "component/limit-exceeded");
});

test("a file that is not there is the file system's error", async (t) => {
  await t.throwsAsync(readComponentFile(join(tmpdir(), "skerry-no-such-folder", "c.wasm")), {
    code: "ENOENT",
  });
});
