/**
 * How values lie in linear memory: alignment, size and offsets.
 *
 * Component Model, CanonicalABI.md "Alignment" and "Element Size", for 32-bit memories.
 */

import { caseTypes, type ValueType, type VariantLike } from "./types.ts";

/** Bytes that a value takes and the boundary it starts on. */
export interface Layout {
  readonly alignment: number;
  readonly size: number;
}

export interface RecordLayout extends Layout {
  /** Byte offset of each member. */
  readonly offsets: readonly number[];
}

export interface VariantLayout extends Layout {
  readonly discriminantSize: 1 | 2 | 4;
  readonly payloadOffset: number;
}

const layouts = new WeakMap<ValueType, Layout>();

/** `alignment(t)` and `elem_size(t)`, computed once per type. */
export function layoutOf(type: ValueType): Layout {
  let layout = layouts.get(type);
  if (layout === undefined) {
    layout = computeLayout(type);
    layouts.set(type, layout);
  }
  return layout;
}

function computeLayout(type: ValueType): Layout {
  switch (type.kind) {
    case "bool":
    case "s8":
    case "u8":
      return { alignment: 1, size: 1 };
    case "s16":
    case "u16":
      return { alignment: 2, size: 2 };
    case "s32":
    case "u32":
    case "f32":
    case "char":
    case "own":
    case "borrow":
      return { alignment: 4, size: 4 };
    case "s64":
    case "u64":
    case "f64":
      return { alignment: 8, size: 8 };
    case "string":
    case "list":
      return { alignment: 4, size: 8 };
    case "record":
      return recordLayout(type.fields.map((field) => field.type));
    case "tuple":
      return recordLayout(type.elements);
    case "flags": {
      const bytes = flagsSize(type.keys.length);
      return { alignment: bytes, size: bytes };
    }
    default:
      return variantLayout(type);
  }
}

/** Members one after the other, each on its boundary. */
export function recordLayout(members: readonly ValueType[]): RecordLayout {
  const offsets: number[] = [];
  let alignment = 1;
  let end = 0;
  for (const type of members) {
    const layout = layoutOf(type);
    const offset = alignTo(end, layout.alignment);
    offsets.push(offset);
    end = offset + layout.size;
    alignment = Math.max(alignment, layout.alignment);
  }
  return { alignment, size: alignTo(end, alignment), offsets };
}

/** A discriminant of one, two or four bytes, then the largest payload. */
export function variantLayout(type: VariantLike): VariantLayout {
  const cases = caseTypes(type);
  const discriminantSize = cases.length <= 0x100 ? 1 : cases.length <= 0x10000 ? 2 : 4;
  let payloadAlignment = 1;
  let payloadSize = 0;
  for (const payload of cases) {
    if (payload === undefined) continue;
    const layout = layoutOf(payload);
    payloadAlignment = Math.max(payloadAlignment, layout.alignment);
    payloadSize = Math.max(payloadSize, layout.size);
  }
  const payloadOffset = alignTo(discriminantSize, payloadAlignment);
  const alignment = Math.max(discriminantSize, payloadAlignment);
  return {
    alignment,
    size: alignTo(payloadOffset + payloadSize, alignment),
    discriminantSize,
    payloadOffset,
  };
}

/** Bytes of a flags value: one, two or four for at most 32 labels. */
export function flagsSize(labelCount: number): 1 | 2 | 4 {
  return labelCount <= 8 ? 1 : labelCount <= 16 ? 2 : 4;
}

/** The next multiple of `alignment` (a power of two) that is not below `offset`. */
function alignTo(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
