/**
 * Loading values from linear memory: a closure per type, built once.
 *
 * Component Model, CanonicalABI.md "Loading". Values come out by jco's conventions: records as objects, variants as
 * `{ tag, val }`, lists of numbers as typed arrays.
 */

import { raiseTrap } from "../traps.ts";
import type { LiftLowerContext } from "./context.ts";
import { liftHandle } from "./handle-values.ts";
import { MAX_LIST_BYTES } from "./limits.ts";
import { isScalar, scalars } from "./numbers.ts";
import { flagsSize, layoutOf, recordLayout, variantLayout } from "./size.ts";
import { loadString } from "./strings.ts";
import { numericKind } from "./typed-arrays.ts";
import { caseTypes, type Side, type ValueType, type VariantLike } from "./types.ts";

/** Loads the value at an aligned pointer that is known to be within memory. */
export type Loader = (cx: LiftLowerContext, pointer: number) => unknown;

const loaders: { readonly [S in Side]: WeakMap<ValueType, Loader> } = {
  host: new WeakMap(),
  component: new WeakMap(),
};

/** `load(cx, ptr, t)` for the type. */
export function loader(type: ValueType, side: Side): Loader {
  let built = loaders[side].get(type);
  if (built === undefined) {
    built = buildLoader(type, side);
    loaders[side].set(type, built);
  }
  return built;
}

function buildLoader(type: ValueType, side: Side): Loader {
  if (isScalar(type.kind)) return scalars[type.kind].load;
  switch (type.kind) {
    case "string":
      return (cx, pointer) =>
        loadString(cx, cx.view.getUint32(pointer, true), cx.view.getUint32(pointer + 4, true));
    case "list": {
      const load = listLoader(type.element, side);
      return (cx, pointer) =>
        load(cx, cx.view.getUint32(pointer, true), cx.view.getUint32(pointer + 4, true));
    }
    case "record": {
      const keys = type.fields.map((field) => field.key);
      return recordLoader(
        type.fields.map((field) => field.type),
        keys,
        side,
      );
    }
    case "tuple":
      return tupleLoader(type.elements, side);
    case "flags":
      return flagsLoader(type.keys);
    case "own":
    case "borrow": {
      const lift = liftHandle(type, side);
      return (cx, pointer) => lift(cx, cx.view.getUint32(pointer, true));
    }
    case "enum": {
      const { labels } = type;
      const discriminant = discriminantLoader(variantLayout(type).discriminantSize);
      return (cx, pointer) => labels[discriminant(cx, pointer)] ?? invalidCase();
    }
    default:
      // Scalars are done with above, which the compiler does not see.
      return variantLoader(type as VariantLike, side);
  }
}

/** `load_list_from_range` for the element type: (pointer, length in elements), both unsigned. */
export function listLoader(
  element: ValueType,
  side: Side,
): (cx: LiftLowerContext, pointer: number, length: number) => unknown {
  const { size, alignment } = layoutOf(element);
  const check = (cx: LiftLowerContext, pointer: number, length: number): void => {
    if (length * size > MAX_LIST_BYTES) raiseTrap(`list of ${length} elements is too long`);
    cx.requireRange(pointer, alignment, length * size, "list content");
    cx.takeCopy(length * size);
  };
  const numeric = numericKind(element);
  if (numeric !== undefined) {
    return (cx, pointer, length) => {
      check(cx, pointer, length);
      const start = pointer / size;
      return cx.array(numeric).slice(start, start + length);
    };
  }
  const load = loader(element, side);
  return (cx, pointer, length) => {
    check(cx, pointer, length);
    const list: unknown[] = [];
    for (let index = 0; index < length; index++) list.push(load(cx, pointer + index * size));
    return list;
  };
}

interface FieldLoader {
  readonly key: string;
  readonly offset: number;
  readonly load: Loader;
}

function recordLoader(types: readonly ValueType[], keys: readonly string[], side: Side): Loader {
  const { offsets } = recordLayout(types);
  const fields: readonly FieldLoader[] = types.map((type, index) => ({
    key: keys[index] ?? "",
    offset: offsets[index] ?? 0,
    load: loader(type, side),
  }));
  // The engine remembers a key per place in the code: most records have three fields or fewer, each with its place.
  const [first, second, third, ...more] = fields;
  return (cx, pointer) => {
    const record: Record<string, unknown> = {};
    if (first !== undefined) record[first.key] = first.load(cx, pointer + first.offset);
    if (second !== undefined) record[second.key] = second.load(cx, pointer + second.offset);
    if (third !== undefined) record[third.key] = third.load(cx, pointer + third.offset);
    for (let index = 0; index < more.length; index++) {
      const field = more[index] as FieldLoader;
      record[field.key] = field.load(cx, pointer + field.offset);
    }
    return record;
  };
}

/** Loads a tuple as an array; also the parameters that were passed through memory. */
export function tupleLoader(
  types: readonly ValueType[],
  side: Side,
): (cx: LiftLowerContext, pointer: number) => unknown[] {
  const { offsets } = recordLayout(types);
  const elements = types.map((type, index) => ({ offset: offsets[index] ?? 0, load: loader(type, side) }));
  return (cx, pointer) => elements.map(({ offset, load }) => load(cx, pointer + offset));
}

function flagsLoader(keys: readonly string[]): Loader {
  const load = discriminantLoader(flagsSize(keys.length));
  return (cx, pointer) => unpackFlags(keys, load(cx, pointer));
}

/** `unpack_flags_from_int`: bits beyond the labels are dropped. */
export function unpackFlags(keys: readonly string[], bits: number): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  keys.forEach((key, index) => {
    flags[key] = ((bits >>> index) & 1) === 1;
  });
  return flags;
}

function discriminantLoader(size: 1 | 2 | 4): (cx: LiftLowerContext, pointer: number) => number {
  if (size === 1) return (cx, pointer) => cx.view.getUint8(pointer);
  if (size === 2) return (cx, pointer) => cx.view.getUint16(pointer, true);
  return (cx, pointer) => cx.view.getUint32(pointer, true);
}

function variantLoader(type: VariantLike, side: Side): Loader {
  const { discriminantSize, payloadOffset } = variantLayout(type);
  const discriminant = discriminantLoader(discriminantSize);
  const wrap = caseWrappers(type);
  const payloads = caseTypes(type).map((payload) =>
    payload === undefined ? undefined : loader(payload, side),
  );
  return (cx, pointer) => {
    const index = discriminant(cx, pointer);
    const toValue = wrap[index];
    if (toValue === undefined) return invalidCase();
    return toValue(payloads[index]?.(cx, pointer + payloadOffset));
  };
}

/** Traps: a discriminant beyond the cases. */
export function invalidCase(): never {
  return raiseTrap("invalid variant discriminant");
}

/** For each case, from its payload to the JavaScript value of the variant, enum, option or result. */
export function caseWrappers(type: VariantLike): readonly ((payload: unknown) => unknown)[] {
  switch (type.kind) {
    case "enum":
      return type.labels.map((label) => () => label);
    case "option":
      // `undefined` could not tell the outer none from the inner one.
      if (type.some.kind === "option") return [() => ({ tag: "none" }), (val) => ({ tag: "some", val })];
      return [() => undefined, (payload) => payload];
    case "result":
      return [(val) => ({ tag: "ok", val }), (val) => ({ tag: "err", val })];
    case "variant":
      return type.cases.map(({ label, type: payload }) =>
        payload === undefined ? () => ({ tag: label }) : (val: unknown) => ({ tag: label, val }),
      );
  }
}
