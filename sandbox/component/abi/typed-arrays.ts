/**
 * Which lists of numbers are typed arrays in JavaScript. Linear memory is little-endian, and so is every machine
 * that V8's WebAssembly runs on without emulating it; a list is then one copy.
 */

import type { ValueType } from "./types.ts";

export type NumericArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** A typed array's constructor, as far as it is used here. */
type NumericArrayConstructor = (new (
  buffer: ArrayBufferLike,
) => NumericArray) & {
  readonly BYTES_PER_ELEMENT: number;
};

/** One line per kind of number; the place in this list is where a context keeps its view of that kind. */
const kinds: readonly (readonly [kind: string, constructor: NumericArrayConstructor])[] = [
  ["u8", Uint8Array],
  ["s8", Int8Array],
  ["u16", Uint16Array],
  ["s16", Int16Array],
  ["u32", Uint32Array],
  ["s32", Int32Array],
  ["u64", BigUint64Array],
  ["s64", BigInt64Array],
  ["f32", Float32Array],
  ["f64", Float64Array],
];

/** What lists of one kind of number are in JavaScript. */
export interface NumericKind {
  readonly constructor: NumericArrayConstructor;
  readonly slot: number;
}

/** The typed array that a list of the element type is in JavaScript; `undefined` for a plain array. */
export function numericKind(element: ValueType): NumericKind | undefined {
  const slot = kinds.findIndex(([kind]) => kind === element.kind);
  const found = kinds[slot];
  return found === undefined ? undefined : { constructor: found[1], slot };
}
