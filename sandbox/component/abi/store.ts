/**
 * Storing values into linear memory: a closure per type, built once.
 *
 * Component Model, CanonicalABI.md "Storing". A value of the wrong JavaScript type is the caller's mistake and throws
 * a TypeError; it is not a trap.
 */

import { raiseTrap } from "../traps.ts";
import type { LiftLowerContext } from "./context.ts";
import { lowerHandle } from "./handle-values.ts";
import { MAX_LIST_BYTES } from "./limits.ts";
import { isScalar, scalars } from "./numbers.ts";
import { flagsSize, layoutOf, recordLayout, variantLayout } from "./size.ts";
import { storeString } from "./strings.ts";
import { type NumericArray, type NumericKind, numericKind } from "./typed-arrays.ts";
import { caseTypes, type Member, type Side, type ValueType, type VariantLike } from "./types.ts";

/** Stores the value at an aligned pointer that is known to be within memory. */
export type Storer = (cx: LiftLowerContext, value: unknown, pointer: number) => void;

const storers: { readonly [S in Side]: WeakMap<ValueType, Storer> } = {
  host: new WeakMap(),
  component: new WeakMap(),
};

/** `store(cx, v, t, ptr)` for the type. */
export function storer(type: ValueType, side: Side): Storer {
  let built = storers[side].get(type);
  if (built === undefined) {
    built = buildStorer(type, side);
    storers[side].set(type, built);
  }
  return built;
}

function buildStorer(type: ValueType, side: Side): Storer {
  if (isScalar(type.kind)) return scalars[type.kind].store;
  switch (type.kind) {
    case "string":
      return (cx, value, pointer) => storePair(cx, storeString(cx, value), pointer);
    case "list": {
      const store = listStorer(type.element, side);
      return (cx, value, pointer) => storePair(cx, store(cx, value), pointer);
    }
    case "record":
      return recordStorer(type.fields, side);
    case "tuple": {
      const store = membersStorer(type.elements, side);
      return (cx, value, pointer) => store(cx, requireTuple(value, type.elements.length), pointer);
    }
    case "flags": {
      const { keys } = type;
      const store = discriminantStorer(flagsSize(keys.length));
      return (cx, value, pointer) => store(cx, packFlags(keys, value), pointer);
    }
    case "own":
    case "borrow": {
      const lower = lowerHandle(type, side);
      return (cx, value, pointer) => cx.view.setUint32(pointer, lower(cx, value), true);
    }
    default:
      // Scalars are done with above, which the compiler does not see.
      return variantStorer(type as VariantLike, side);
  }
}

function storePair(cx: LiftLowerContext, pointer: number, into: number): void {
  cx.view.setUint32(into, pointer, true);
  cx.view.setUint32(into + 4, cx.length, true);
}

/** `store_list_into_range`: allocates, returns the pointer and leaves the elements' count in `cx.length`. */
export function listStorer(element: ValueType, side: Side): (cx: LiftLowerContext, value: unknown) => number {
  const { size, alignment } = layoutOf(element);
  const allocate = (cx: LiftLowerContext, length: number): number => {
    if (length * size > MAX_LIST_BYTES) raiseTrap(`list of ${length} elements is too long`);
    return cx.allocate(alignment, length * size);
  };
  const store = storer(element, side);
  const numeric = numericKind(element);
  return (cx, value) => {
    if (numeric !== undefined && isNumericArray(value, numeric)) {
      const { length } = value;
      const pointer = allocate(cx, length);
      // Both are of the same constructor, which the types can't say.
      (cx.array(numeric) as { set(source: unknown, offset: number): void }).set(value, pointer / size);
      cx.length = length;
      return pointer;
    }
    const list = requireList(value);
    const pointer = allocate(cx, list.length);
    for (let index = 0; index < list.length; index++) store(cx, list[index], pointer + index * size);
    cx.length = list.length;
    return pointer;
  };
}

/** The plain case first: `instanceof` takes as long as copying a short list. */
function isNumericArray(value: unknown, kind: NumericKind): value is NumericArray {
  if (typeof value !== "object" || value === null) return false;
  return value.constructor === kind.constructor
    ? ArrayBuffer.isView(value)
    : value instanceof kind.constructor;
}

function requireList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array);
  throw new TypeError(`expected an array, got ${typeof value}`);
}

function recordStorer(fields: readonly Member[], side: Side): Storer {
  const { offsets } = recordLayout(fields.map((field) => field.type));
  const members = fields.map(({ key, type }, index) => ({
    key,
    offset: offsets[index] ?? 0,
    store: storer(type, side),
  }));
  // As in load.ts: the first fields have a place in the code each.
  const [first, second, third, ...more] = members;
  return (cx, value, pointer) => {
    const record = requireRecord(value);
    if (first !== undefined) first.store(cx, record[first.key], pointer + first.offset);
    if (second !== undefined) second.store(cx, record[second.key], pointer + second.offset);
    if (third !== undefined) third.store(cx, record[third.key], pointer + third.offset);
    for (const { key, offset, store } of more) store(cx, record[key], pointer + offset);
  };
}

/** Stores the members of a tuple; also the parameters that are passed through memory. */
export function membersStorer(
  types: readonly ValueType[],
  side: Side,
): (cx: LiftLowerContext, values: readonly unknown[], pointer: number) => void {
  const { offsets } = recordLayout(types);
  const members = types.map((type, index) => ({ offset: offsets[index] ?? 0, store: storer(type, side) }));
  return (cx, values, pointer) => {
    for (let index = 0; index < members.length; index++) {
      const member = members[index];
      if (member !== undefined) member.store(cx, values[index], pointer + member.offset);
    }
  };
}

/** The value as an object whose properties are a record's fields. */
export function requireRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null)
    throw new TypeError(`expected a record, got ${typeof value}`);
  return value as Readonly<Record<string, unknown>>;
}

export function requireTuple(value: unknown, length: number): readonly unknown[] {
  const tuple = requireList(value);
  if (tuple.length !== length) throw new TypeError(`expected a tuple of ${length}, got ${tuple.length}`);
  return tuple;
}

/** `pack_flags_into_int`. */
export function packFlags(keys: readonly string[], value: unknown): number {
  const flags = requireRecord(value);
  let bits = 0;
  keys.forEach((key, index) => {
    if (flags[key]) bits |= 1 << index;
  });
  return bits;
}

function discriminantStorer(size: 1 | 2 | 4): (cx: LiftLowerContext, index: number, pointer: number) => void {
  if (size === 1) return (cx, index, pointer) => cx.view.setUint8(pointer, index);
  if (size === 2) return (cx, index, pointer) => cx.view.setUint16(pointer, index, true);
  return (cx, index, pointer) => cx.view.setUint32(pointer, index, true);
}

function variantStorer(type: VariantLike, side: Side): Storer {
  const { discriminantSize, payloadOffset } = variantLayout(type);
  const storeDiscriminant = discriminantStorer(discriminantSize);
  const match = caseMatcher(type);
  const payloads = caseTypes(type).map((payload) =>
    payload === undefined ? undefined : storer(payload, side),
  );
  return (cx, value, pointer) => {
    const index = match.index(value);
    storeDiscriminant(cx, index, pointer);
    payloads[index]?.(cx, match.payload(value), pointer + payloadOffset);
  };
}

/** How to tell a JavaScript value's case, and its payload (spec: `match_case`). */
export interface CaseMatcher {
  readonly index: (value: unknown) => number;
  readonly payload: (value: unknown) => unknown;
}

export function caseMatcher(type: VariantLike): CaseMatcher {
  switch (type.kind) {
    case "enum": {
      const indices = new Map(type.labels.map((label, index) => [label, index]));
      return { index: (value) => indices.get(String(value)) ?? noSuchCase(value), payload: () => undefined };
    }
    case "option":
      if (type.some.kind === "option") return taggedMatcher(["none", "some"]);
      return {
        index: (value) => (value === undefined || value === null ? 0 : 1),
        payload: (value) => value,
      };
    case "result":
      return taggedMatcher(["ok", "err"]);
    case "variant":
      return taggedMatcher(type.cases.map((one) => one.label));
  }
}

function taggedMatcher(labels: readonly string[]): CaseMatcher {
  const indices = new Map(labels.map((label, index) => [label, index]));
  return {
    index: (value) => {
      const { tag } = requireRecord(value) as { readonly tag?: unknown };
      return indices.get(String(tag)) ?? noSuchCase(tag);
    },
    payload: (value) => (value as { readonly val?: unknown }).val,
  };
}

function noSuchCase(tag: unknown): never {
  throw new TypeError(`no such case: ${String(tag)}`);
}
