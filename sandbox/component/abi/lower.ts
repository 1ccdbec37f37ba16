/**
 * Lowering: from JavaScript values to core values, and the memory behind them.
 *
 * Component Model, CanonicalABI.md "Flat Lowering" and `lower_flat_values`. The mirror of lift.ts.
 */

import type { LiftLowerContext } from "./context.ts";
import { type CoreType, type FlatValue, flattenType, flattenTypes } from "./flatten.ts";
import { lowerHandle } from "./handle-values.ts";
import { consecutive } from "./lift.ts";
import { MAX_FLAT_RESULTS } from "./limits.ts";
import { isScalar, scalars, toSlot, zero } from "./numbers.ts";
import { layoutOf, recordLayout } from "./size.ts";
import {
  caseMatcher,
  listStorer,
  membersStorer,
  packFlags,
  requireRecord,
  requireTuple,
  storer,
} from "./store.ts";
import { storeString } from "./strings.ts";
import { caseTypes, type FunctionType, type Side, type ValueType, type VariantLike } from "./types.ts";

/** Writes a value's core values into `flat`, each at its place. */
type FlatLowerer = (cx: LiftLowerContext, value: unknown, flat: FlatValue[]) => void;

/** Lowers the arguments of a call to the core arguments. The context's views must be fresh. */
export function parameterLowerer(
  type: FunctionType,
  side: Side,
): (cx: LiftLowerContext, values: readonly unknown[]) => FlatValue[] {
  const types = type.parameters.map((parameter) => parameter.type);
  const slots = flattenTypes(types);
  if (slots === undefined) {
    const { size, alignment } = recordLayout(types);
    const store = membersStorer(types, side);
    return (cx, values) => {
      const pointer = cx.allocate(alignment, size);
      store(cx, values, pointer);
      return [pointer];
    };
  }
  const lowerers = consecutive(types).map(({ type: one, offset }) => flatLowerer(one, slots, offset, side));
  const { length } = slots;
  return (cx, values) => {
    const flat = new Array<FlatValue>(length);
    for (let index = 0; index < lowerers.length; index++) lowerers[index]?.(cx, values[index], flat);
    return flat;
  };
}

/**
 * Lowers the result of a call to what the core function returns; a result of several core values goes to the
 * area whose pointer is the last core argument. The context's views must be fresh.
 */
export function resultLowerer(
  type: ValueType | undefined,
  side: Side,
): (cx: LiftLowerContext, value: unknown, coreArguments: readonly FlatValue[]) => FlatValue | undefined {
  if (type === undefined) return () => undefined;
  const slots = flattenType(type);
  if (slots?.length === MAX_FLAT_RESULTS) {
    const lower = flatLowerer(type, slots, 0, side);
    return (cx, value) => {
      const flat: FlatValue[] = [];
      lower(cx, value, flat);
      return flat[0];
    };
  }
  const store = storer(type, side);
  const { size, alignment } = layoutOf(type);
  return (cx, value, coreArguments) => {
    const pointer = Number(coreArguments[coreArguments.length - 1]) >>> 0;
    cx.requireRange(pointer, alignment, size, "return area");
    store(cx, value, pointer);
    return undefined;
  };
}

/** `lower_flat` for a type whose core values go from `offset` on into slots of the given types. */
function flatLowerer(type: ValueType, slots: readonly CoreType[], offset: number, side: Side): FlatLowerer {
  if (isScalar(type.kind)) {
    const { core, lower } = scalars[type.kind];
    const coerce = toSlot(core, slots[offset] ?? core);
    if (coerce === undefined) {
      return (_cx, value, flat) => {
        flat[offset] = lower(value);
      };
    }
    return (_cx, value, flat) => {
      flat[offset] = coerce(lower(value));
    };
  }
  switch (type.kind) {
    case "string":
      return pairLowerer(storeString, slots, offset);
    case "list":
      return pairLowerer(listStorer(type.element, side), slots, offset);
    case "record": {
      const fields = consecutive(type.fields.map((field) => field.type)).map((field, index) => ({
        key: type.fields[index]?.key ?? "",
        lower: flatLowerer(field.type, slots, offset + field.offset, side),
      }));
      return (cx, value, flat) => {
        const record = requireRecord(value);
        for (const { key, lower } of fields) lower(cx, record[key], flat);
      };
    }
    case "tuple": {
      const lowerers = consecutive(type.elements).map((element) =>
        flatLowerer(element.type, slots, offset + element.offset, side),
      );
      return (cx, value, flat) => {
        const tuple = requireTuple(value, lowerers.length);
        lowerers.forEach((lower, index) => {
          lower(cx, tuple[index], flat);
        });
      };
    }
    case "flags": {
      const write = slotWriter(slots, offset);
      return (_cx, value, flat) => write(flat, packFlags(type.keys, value));
    }
    case "own":
    case "borrow": {
      const lower = lowerHandle(type, side);
      const write = slotWriter(slots, offset);
      return (cx, value, flat) => write(flat, lower(cx, value));
    }
    default:
      // Scalars are done with above, which the compiler does not see.
      return variantLowerer(type as VariantLike, slots, offset, side);
  }
}

/** A pointer and a length: strings and lists. */
function pairLowerer(
  store: (cx: LiftLowerContext, value: unknown) => number,
  slots: readonly CoreType[],
  offset: number,
): FlatLowerer {
  const writePointer = slotWriter(slots, offset);
  const writeLength = slotWriter(slots, offset + 1);
  return (cx, value, flat) => {
    writePointer(flat, store(cx, value));
    writeLength(flat, cx.length);
  };
}

function variantLowerer(
  type: VariantLike,
  slots: readonly CoreType[],
  offset: number,
  side: Side,
): FlatLowerer {
  const match = caseMatcher(type);
  const write = slotWriter(slots, offset);
  const ownSlots = flattenType(type)?.length ?? 1;
  const cases = caseTypes(type).map((payload) => ({
    lower: payload === undefined ? undefined : flatLowerer(payload, slots, offset + 1, side),
    used: 1 + (payload === undefined ? 0 : (flattenType(payload)?.length ?? 0)),
  }));
  const zeros = slots.map(zero);
  return (cx, value, flat) => {
    const index = match.index(value);
    write(flat, index);
    const chosen = cases[index];
    chosen?.lower?.(cx, match.payload(value), flat);
    for (let slot = offset + (chosen?.used ?? 1); slot < offset + ownSlots; slot++)
      flat[slot] = zeros[slot] ?? 0;
  };
}

/** Writes an i32 into its slot. */
function slotWriter(slots: readonly CoreType[], offset: number): (flat: FlatValue[], core: number) => void {
  const coerce = toSlot("i32", slots[offset] ?? "i32");
  if (coerce === undefined) {
    return (flat, core) => {
      flat[offset] = core;
    };
  }
  return (flat, core) => {
    flat[offset] = coerce(core);
  };
}
