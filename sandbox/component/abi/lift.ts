/**
 * Lifting: from core values, and the memory behind them, to JavaScript values.
 *
 * Component Model, CanonicalABI.md "Flat Lifting" and `lift_flat_values`. Where a value's core values stand is known
 * when its closure is built; the slots' types are those of the outermost variant that shares them.
 */

import type { LiftLowerContext } from "./context.ts";
import { type CoreType, type FlatValue, flattenType, flattenTypes } from "./flatten.ts";
import { liftHandle } from "./handle-values.ts";
import { MAX_FLAT_RESULTS } from "./limits.ts";
import { caseWrappers, invalidCase, listLoader, loader, tupleLoader, unpackFlags } from "./load.ts";
import { fromSlot, isScalar, scalars } from "./numbers.ts";
import { layoutOf, recordLayout } from "./size.ts";
import { loadString } from "./strings.ts";
import { caseTypes, type FunctionType, type Side, type ValueType, type VariantLike } from "./types.ts";

type FlatLifter = (cx: LiftLowerContext, flat: readonly FlatValue[]) => unknown;

/** Lifts the arguments of a call from its core arguments. The context's views must be fresh. */
export function parameterLifter(
  type: FunctionType,
  side: Side,
): (cx: LiftLowerContext, flat: readonly FlatValue[]) => unknown[] {
  const types = type.parameters.map((parameter) => parameter.type);
  const slots = flattenTypes(types);
  if (slots === undefined) {
    const { size, alignment } = recordLayout(types);
    const load = tupleLoader(types, side);
    return (cx, flat) => {
      const pointer = unsigned(flat[0]);
      cx.requireRange(pointer, alignment, size, "arguments");
      return load(cx, pointer);
    };
  }
  const lifters = consecutive(types).map(({ type: one, offset }) => flatLifter(one, slots, offset, side));
  return (cx, flat) => {
    const values: unknown[] = [];
    for (const lift of lifters) values.push(lift(cx, flat));
    return values;
  };
}

/** Lifts the result of a call from what the core function returned. The context's views must be fresh. */
export function resultLifter(
  type: ValueType | undefined,
  side: Side,
): (cx: LiftLowerContext, core: unknown) => unknown {
  if (type === undefined) return () => undefined;
  const slots = flattenType(type);
  if (slots?.length === MAX_FLAT_RESULTS) {
    if (isScalar(type.kind)) {
      const { lift } = scalars[type.kind];
      return (_cx, core) => lift(core as FlatValue);
    }
    const lift = flatLifter(type, slots, 0, side);
    return (cx, core) => lift(cx, [core as FlatValue]);
  }
  const load = loader(type, side);
  const { size, alignment } = layoutOf(type);
  return (cx, core) => {
    const pointer = unsigned(core);
    cx.requireRange(pointer, alignment, size, "return area");
    return load(cx, pointer);
  };
}

/** Types laid out one after the other in a call's core values. */
export function consecutive(
  types: readonly ValueType[],
): readonly { readonly type: ValueType; readonly offset: number }[] {
  let offset = 0;
  return types.map((type) => {
    const start = offset;
    offset += flattenType(type)?.length ?? 0;
    return { type, offset: start };
  });
}

/** `lift_flat` for a type whose core values stand from `offset` on in slots of the given types. */
function flatLifter(type: ValueType, slots: readonly CoreType[], offset: number, side: Side): FlatLifter {
  if (isScalar(type.kind)) {
    const { core, lift } = scalars[type.kind];
    const read = slotReader(slots, offset, core);
    return (_cx, flat) => lift(read(flat));
  }
  switch (type.kind) {
    case "string": {
      const [pointer, length] = pairReaders(slots, offset);
      return (cx, flat) => loadString(cx, unsigned(pointer(flat)), unsigned(length(flat)));
    }
    case "list": {
      const [pointer, length] = pairReaders(slots, offset);
      const load = listLoader(type.element, side);
      return (cx, flat) => load(cx, unsigned(pointer(flat)), unsigned(length(flat)));
    }
    case "record": {
      const fields = consecutive(type.fields.map((field) => field.type)).map((field, index) => ({
        key: type.fields[index]?.key ?? "",
        lift: flatLifter(field.type, slots, offset + field.offset, side),
      }));
      return (cx, flat) => {
        const record: Record<string, unknown> = {};
        for (const { key, lift } of fields) record[key] = lift(cx, flat);
        return record;
      };
    }
    case "tuple": {
      const lifters = consecutive(type.elements).map((element) =>
        flatLifter(element.type, slots, offset + element.offset, side),
      );
      return (cx, flat) => lifters.map((lift) => lift(cx, flat));
    }
    case "flags": {
      const read = slotReader(slots, offset, "i32");
      return (_cx, flat) => unpackFlags(type.keys, read(flat) as number);
    }
    case "own":
    case "borrow": {
      const read = slotReader(slots, offset, "i32");
      const lift = liftHandle(type, side);
      return (cx, flat) => lift(cx, unsigned(read(flat)));
    }
    default:
      // Scalars are done with above, which the compiler does not see.
      return variantLifter(type as VariantLike, slots, offset, side);
  }
}

function variantLifter(
  type: VariantLike,
  slots: readonly CoreType[],
  offset: number,
  side: Side,
): FlatLifter {
  const read = slotReader(slots, offset, "i32");
  const wrap = caseWrappers(type);
  const payloads = caseTypes(type).map((payload) =>
    payload === undefined ? undefined : flatLifter(payload, slots, offset + 1, side),
  );
  return (cx, flat) => {
    const index = unsigned(read(flat));
    const toValue = wrap[index];
    if (toValue === undefined) return invalidCase();
    return toValue(payloads[index]?.(cx, flat));
  };
}

/** Reads one core value of type `want` from its slot. */
function slotReader(
  slots: readonly CoreType[],
  offset: number,
  want: CoreType,
): (flat: readonly FlatValue[]) => FlatValue {
  const coerce = fromSlot(slots[offset] ?? want, want);
  if (coerce === undefined) return (flat) => flat[offset] as FlatValue;
  return (flat) => coerce(flat[offset] as FlatValue);
}

function pairReaders(
  slots: readonly CoreType[],
  offset: number,
): [(flat: readonly FlatValue[]) => FlatValue, (flat: readonly FlatValue[]) => FlatValue] {
  return [slotReader(slots, offset, "i32"), slotReader(slots, offset + 1, "i32")];
}

/** An i32 as V8 hands it over, as the unsigned number that pointers, lengths and indices are. */
function unsigned(core: unknown): number {
  return (core as number) >>> 0;
}
