/** Components as long as a benchmark wants them, which run all the same. */
import { randomFillSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const SMALLEST_COMPONENT = fileURLToPath(new URL("../examples/thermo-c/thermo-1.0.0.wasm", import.meta.url));

/** The C example, made as long as wanted by a custom section (core binary format, 5.5.3) of random bytes, which nothing compresses. */
export async function componentOfSize(sizeBytes: number): Promise<Uint8Array> {
  const example = await readFile(SMALLEST_COMPONENT);
  // Id, size in five bytes, a name of one letter.
  const header = 1 + 5 + 2;
  const section = sizeBytes - example.length;
  const component = randomFillSync(Buffer.alloc(sizeBytes), example.length);
  example.copy(component);
  component.set([0, ...paddedLeb128(section - 6), 1, "x".charCodeAt(0)], example.length);
  if (section < header) throw new RangeError(`the example alone is longer than ${sizeBytes} bytes`);
  return component;
}

/** An unsigned LEB128 number in five bytes, leading zeros among them. */
function paddedLeb128(value: number): readonly number[] {
  return [0, 7, 14, 21, 28].map((shift) => ((value >>> shift) & 0x7f) | (shift < 28 ? 0x80 : 0));
}
