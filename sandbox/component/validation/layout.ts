/**
 * Size, alignment, flat form and nesting of the validator's types.
 *
 * Component Model, CanonicalABI.md "Alignment", "Element Size" and "Flattening".
 */

import type { PrimitiveKind } from "../ast.ts";
import { MAX_TYPE_LEVELS } from "../limits.ts";
import type { AnyType, ValueShape, ValueType } from "./static-types.ts";
import { limitViolation } from "./violation.ts";

export type FlatType = "i32" | "i64" | "f32" | "f64";

/** What the canonical ABI's rules ask of a value type; computed once, from its parts. */
export interface Layout {
  /** Entries of its own: fields, cases, labels, elements; at least one. */
  readonly width: number;
  /** Levels of value types below this one. */
  readonly levels: number;
  /** `elem_size` and `alignment` with 64-bit pointers, in bytes: the larger case, which bounds both. */
  readonly elementBytes: number;
  readonly alignmentBytes: number;
  /** `flatten_type` with 32-bit pointers, cut off once it is longer than any function can pass. */
  readonly flat: readonly FlatType[];
  readonly containsBorrow: boolean;
  /** A list or string somewhere inside: needs memory, and `realloc` to be received. */
  readonly containsPointer: boolean;
}

/** MAX_FLAT_PARAMS of the canonical ABI: what does not fit goes through memory. */
export const MAX_FLAT_PARAMETERS = 16;
export const MAX_FLAT_RESULTS = 1;

const POINTER_PAIR: readonly FlatType[] = ["i32", "i32"];

interface Primitive {
  readonly bytes: number;
  readonly flat: readonly FlatType[];
}

const primitives: Readonly<Record<PrimitiveKind, Primitive>> = {
  bool: { bytes: 1, flat: ["i32"] },
  s8: { bytes: 1, flat: ["i32"] },
  u8: { bytes: 1, flat: ["i32"] },
  s16: { bytes: 2, flat: ["i32"] },
  u16: { bytes: 2, flat: ["i32"] },
  s32: { bytes: 4, flat: ["i32"] },
  u32: { bytes: 4, flat: ["i32"] },
  s64: { bytes: 8, flat: ["i64"] },
  u64: { bytes: 8, flat: ["i64"] },
  f32: { bytes: 4, flat: ["f32"] },
  f64: { bytes: 8, flat: ["f64"] },
  char: { bytes: 4, flat: ["i32"] },
  string: { bytes: 16, flat: POINTER_PAIR },
};

/** A type's own levels of nesting. */
function levelsOf(type: AnyType): number {
  switch (type.sort) {
    case "value":
      return type.layout.levels;
    case "resource":
      return 0;
    default:
      return type.levels;
  }
}

/** One more than the deepest of `types`; refuses what is deeper than `MAX_TYPE_LEVELS`. */
export function levelsAbove(types: Iterable<AnyType>): number {
  let deepest = 0;
  for (const type of types) deepest = Math.max(deepest, levelsOf(type));
  if (deepest >= MAX_TYPE_LEVELS)
    throw limitViolation(`types nested more than ${MAX_TYPE_LEVELS} levels deep`);
  return deepest + 1;
}

/** How many steps it takes to look at a type's own entries once. */
export function weightOf(type: AnyType): number {
  switch (type.sort) {
    case "value":
      return type.layout.width;
    case "function":
      return 1 + type.parameters.length;
    case "resource":
      return 1;
    case "instance":
      return 1 + type.exports.size;
    case "component":
      return 1 + type.imports.size + type.exports.size;
  }
}

/** The layout of a value type of that shape. */
export function layoutOf(shape: ValueShape): Layout {
  return { ...sizedLayoutOf(shape), width: widthOf(shape) };
}

function widthOf(shape: ValueShape): number {
  switch (shape.kind) {
    case "record":
      return shape.fields.length;
    case "variant":
      return shape.cases.length;
    case "tuple":
      return shape.elements.length;
    case "flags":
    case "enum":
      return shape.labels.length;
    case "result":
      return 2;
    default:
      return 1;
  }
}

type SizedLayout = Omit<Layout, "width">;

function sizedLayoutOf(shape: ValueShape): SizedLayout {
  switch (shape.kind) {
    case "primitive": {
      const { bytes, flat } = primitives[shape.primitive];
      const isString = shape.primitive === "string";
      return leaf(bytes, isString ? 8 : bytes, flat, { containsPointer: isString });
    }
    case "list":
      return { ...leaf(16, 8, POINTER_PAIR, { containsPointer: true }), ...inherit([shape.element], true) };
    case "own":
      return leaf(4, 4, ["i32"], {});
    case "borrow":
      return leaf(4, 4, ["i32"], { containsBorrow: true });
    case "flags": {
      const bytes = shape.labels.length <= 8 ? 1 : shape.labels.length <= 16 ? 2 : 4;
      return leaf(bytes, bytes, ["i32"], {});
    }
    case "record":
      return recordLayout(shape.fields.map((field) => field.type));
    case "tuple":
      return recordLayout(shape.elements);
    case "variant":
      return variantLayout(shape.cases.map((entry) => entry.type));
    case "enum":
      return variantLayout(shape.labels.map(() => undefined));
    case "option":
      return variantLayout([undefined, shape.some]);
    case "result":
      return variantLayout([shape.ok, shape.error]);
  }
}

function leaf(
  elementBytes: number,
  alignmentBytes: number,
  flat: readonly FlatType[],
  contains: { containsBorrow?: boolean; containsPointer?: boolean },
): SizedLayout {
  return {
    levels: 0,
    elementBytes,
    alignmentBytes,
    flat,
    containsBorrow: false,
    containsPointer: false,
    ...contains,
  };
}

function inherit(parts: readonly ValueType[], pointer: boolean) {
  return {
    levels: levelsAbove(parts),
    containsBorrow: parts.some((part) => part.layout.containsBorrow),
    containsPointer: pointer || parts.some((part) => part.layout.containsPointer),
  };
}

function recordLayout(parts: readonly ValueType[]): SizedLayout {
  let size = 0;
  let alignmentBytes = 1;
  for (const { layout } of parts) {
    size = alignTo(size, layout.alignmentBytes) + layout.elementBytes;
    alignmentBytes = Math.max(alignmentBytes, layout.alignmentBytes);
  }
  const elementBytes = alignTo(size, alignmentBytes);
  return { ...inherit(parts, false), elementBytes, alignmentBytes, flat: concatenateFlat(parts) };
}

function variantLayout(cases: readonly (ValueType | undefined)[]): SizedLayout {
  const payloads = cases.filter((payload) => payload !== undefined);
  const discriminantBytes = cases.length <= 2 ** 8 ? 1 : cases.length <= 2 ** 16 ? 2 : 4;
  let payloadAlignment = 1;
  let payloadBytes = 0;
  for (const { layout } of payloads) {
    payloadAlignment = Math.max(payloadAlignment, layout.alignmentBytes);
    payloadBytes = Math.max(payloadBytes, layout.elementBytes);
  }
  const alignmentBytes = Math.max(discriminantBytes, payloadAlignment);
  const elementBytes = alignTo(alignTo(discriminantBytes, payloadAlignment) + payloadBytes, alignmentBytes);
  return { ...inherit(payloads, false), elementBytes, alignmentBytes, flat: flattenVariant(payloads) };
}

function alignTo(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** The flat types of several values in a row, cut off where they no longer fit registers. */
export function concatenateFlat(parts: readonly ValueType[]): FlatType[] {
  const flat: FlatType[] = [];
  for (const { layout } of parts) {
    for (const type of layout.flat) {
      flat.push(type);
      if (flat.length > MAX_FLAT_PARAMETERS) return flat;
    }
  }
  return flat;
}

function flattenVariant(payloads: readonly ValueType[]): FlatType[] {
  const joined: FlatType[] = ["i32"];
  for (const { layout } of payloads) {
    layout.flat.forEach((type, index) => {
      const before = joined[index + 1];
      joined[index + 1] = before === undefined ? type : join(before, type);
    });
  }
  return joined;
}

/** `join`: one flat type that can carry the bits of both. */
function join(left: FlatType, right: FlatType): FlatType {
  if (left === right) return left;
  const both32 = (left === "i32" || left === "f32") && (right === "i32" || right === "f32");
  return both32 ? "i32" : "i64";
}
