/**
 * Scalars: one line of four conversions per type, and the coercions of the slots that a variant's cases share.
 *
 * Component Model, CanonicalABI.md `lift_flat_unsigned`, `lift_flat_signed`, `convert_int_to_bool`,
 * `convert_i32_to_char`, `load_int`, `store_int` and `CoerceValueIter`. Numbers that a guest's i32 holds beyond its
 * type's width are masked or sign-extended, any bool but 0 is true.
 */

import type { PrimitiveKind } from "../ast.ts";
import { raiseTrap } from "../traps.ts";
import type { LiftLowerContext } from "./context.ts";
import type { CoreType, FlatValue } from "./flatten.ts";

export type ScalarKind = Exclude<PrimitiveKind, "string">;

export interface Scalar {
  readonly core: CoreType;
  /** From a core value, as V8 hands it over (i32 signed), to the JavaScript value. */
  readonly lift: (core: FlatValue) => unknown;
  /** From the JavaScript value to a core value; throws TypeError for a value of another type. */
  readonly lower: (value: unknown) => FlatValue;
  readonly load: (cx: LiftLowerContext, pointer: number) => unknown;
  readonly store: (cx: LiftLowerContext, value: unknown, pointer: number) => void;
}

const conversions = new DataView(new ArrayBuffer(8));

function number(value: unknown): number {
  if (typeof value !== "number") throw new TypeError(`expected a number, got ${describe(value)}`);
  return value;
}

function bigint(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  throw new TypeError(`expected a bigint, got ${describe(value)}`);
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value;
}

function charFromCode(code: number): string {
  if (code >= 0x110000 || (code >= 0xd800 && code <= 0xdfff)) {
    raiseTrap(`0x${code.toString(16)} is not a valid char: out of range or a surrogate`);
  }
  return String.fromCodePoint(code);
}

function charToCode(value: unknown): number {
  const code = typeof value === "string" ? value.codePointAt(0) : undefined;
  if (code === undefined || value !== String.fromCodePoint(code) || (code >= 0xd800 && code <= 0xdfff)) {
    throw new TypeError(`expected a string of one Unicode character, got ${describe(value)}`);
  }
  return code;
}

const bool: Scalar = {
  core: "i32",
  lift: (core) => core !== 0,
  lower: (value) => (value ? 1 : 0),
  load: (cx, pointer) => cx.bytes[pointer] !== 0,
  store: (cx, value, pointer) => cx.view.setUint8(pointer, value ? 1 : 0),
};
const s8: Scalar = {
  core: "i32",
  lift: (core) => ((core as number) << 24) >> 24,
  lower: (value) => (number(value) << 24) >> 24,
  load: (cx, pointer) => cx.view.getInt8(pointer),
  store: (cx, value, pointer) => cx.view.setInt8(pointer, number(value)),
};
const u8: Scalar = {
  core: "i32",
  lift: (core) => (core as number) & 0xff,
  lower: (value) => number(value) & 0xff,
  load: (cx, pointer) => cx.view.getUint8(pointer),
  store: (cx, value, pointer) => cx.view.setUint8(pointer, number(value)),
};
const s16: Scalar = {
  core: "i32",
  lift: (core) => ((core as number) << 16) >> 16,
  lower: (value) => (number(value) << 16) >> 16,
  load: (cx, pointer) => cx.view.getInt16(pointer, true),
  store: (cx, value, pointer) => cx.view.setInt16(pointer, number(value), true),
};
const u16: Scalar = {
  core: "i32",
  lift: (core) => (core as number) & 0xffff,
  lower: (value) => number(value) & 0xffff,
  load: (cx, pointer) => cx.view.getUint16(pointer, true),
  store: (cx, value, pointer) => cx.view.setUint16(pointer, number(value), true),
};
const s32: Scalar = {
  core: "i32",
  lift: (core) => core,
  lower: (value) => number(value) | 0,
  load: (cx, pointer) => cx.view.getInt32(pointer, true),
  store: (cx, value, pointer) => cx.view.setInt32(pointer, number(value), true),
};
const u32: Scalar = {
  core: "i32",
  lift: (core) => (core as number) >>> 0,
  lower: (value) => number(value) | 0,
  load: (cx, pointer) => cx.view.getUint32(pointer, true),
  store: (cx, value, pointer) => cx.view.setUint32(pointer, number(value), true),
};
const s64: Scalar = {
  core: "i64",
  lift: (core) => BigInt.asIntN(64, core as bigint),
  lower: bigint,
  load: (cx, pointer) => cx.view.getBigInt64(pointer, true),
  store: (cx, value, pointer) => cx.view.setBigInt64(pointer, bigint(value), true),
};
const u64: Scalar = {
  core: "i64",
  lift: (core) => BigInt.asUintN(64, core as bigint),
  lower: bigint,
  load: (cx, pointer) => cx.view.getBigUint64(pointer, true),
  store: (cx, value, pointer) => cx.view.setBigUint64(pointer, bigint(value), true),
};
const f32: Scalar = {
  core: "f32",
  lift: (core) => core,
  lower: number,
  load: (cx, pointer) => cx.view.getFloat32(pointer, true),
  store: (cx, value, pointer) => cx.view.setFloat32(pointer, number(value), true),
};
const f64: Scalar = {
  core: "f64",
  lift: (core) => core,
  lower: number,
  load: (cx, pointer) => cx.view.getFloat64(pointer, true),
  store: (cx, value, pointer) => cx.view.setFloat64(pointer, number(value), true),
};
const char: Scalar = {
  core: "i32",
  lift: (core) => charFromCode((core as number) >>> 0),
  lower: charToCode,
  load: (cx, pointer) => charFromCode(cx.view.getUint32(pointer, true)),
  store: (cx, value, pointer) => cx.view.setUint32(pointer, charToCode(value), true),
};

export const scalars: { readonly [Kind in ScalarKind]: Scalar } = {
  ...{ bool, s8, u8, s16, u16, s32, u32, s64, u64, f32, f64, char },
};

/** Whether a value of the kind is one core value that needs no memory and no handle table. */
export function isScalar(kind: string): kind is ScalarKind {
  return Object.hasOwn(scalars, kind);
}

/** Reads a core value of type `want` out of a slot of type `have`, which several cases share. */
export function fromSlot(have: CoreType, want: CoreType): ((core: FlatValue) => FlatValue) | undefined {
  if (have === want) return undefined;
  if (have === "i32") return (core) => floatOfBits(core as number);
  if (want === "i32") return (core) => lowHalf(core as bigint);
  // Of an f32 the low half of the slot; the high half is not the value's.
  if (want === "f32") return (core) => floatOfBits(lowHalf(core as bigint));
  return (core) => doubleOfBits(core as bigint);
}

/** Puts a core value of type `have` into a slot of type `want`, which several cases share. */
export function toSlot(have: CoreType, want: CoreType): ((core: FlatValue) => FlatValue) | undefined {
  if (have === want) return undefined;
  if (want === "i32") return (core) => bitsOfFloat(core as number);
  if (have === "i32") return (core) => BigInt((core as number) >>> 0);
  if (have === "f32") return (core) => BigInt(bitsOfFloat(core as number) >>> 0);
  return (core) => bitsOfDouble(core as number);
}

function lowHalf(bits: bigint): number {
  return Number(BigInt.asIntN(32, bits));
}

function floatOfBits(bits: number): number {
  conversions.setInt32(0, bits);
  return conversions.getFloat32(0);
}

function bitsOfFloat(value: number): number {
  conversions.setFloat32(0, value);
  return conversions.getInt32(0);
}

function doubleOfBits(bits: bigint): number {
  conversions.setBigInt64(0, bits);
  return conversions.getFloat64(0);
}

function bitsOfDouble(value: number): bigint {
  conversions.setFloat64(0, value);
  return conversions.getBigInt64(0);
}

/** A zero for a slot that the case at hand does not use. */
export function zero(slot: CoreType): FlatValue {
  return slot === "i64" ? 0n : 0;
}
