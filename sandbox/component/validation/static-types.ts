/**
 * Types as the validator resolves them: indices replaced by what they refer to.
 *
 * Component Model, Binary.md "Type Definitions" and CanonicalABI.md "Alignment", "Element Size", "Flattening".
 *
 * Identity matters twice. A resource type is its `ResourceIdentity`: two resource types are equal if that is the same
 * object. And every *name* of a type, which is what an import or export gives it, is an object of its own: the same
 * record imported under two names is two `ValueType` objects that are structurally equal. External visibility is
 * decided by those objects (Explainer.md "External Visibility of Types").
 */

import type { CoreExternType, CoreImport, PrimitiveKind } from "../ast.ts";
import { MAX_ELEMENT_BYTES, MAX_TYPE_LEVELS } from "../limits.ts";
import { limitViolation, violation } from "./violation.ts";

/** What makes a resource type unlike every other; `description` is for messages. */
export interface ResourceIdentity {
  readonly description: string;
}

export interface ResourceType {
  readonly sort: "resource";
  readonly identity: ResourceIdentity;
}

export interface StaticField {
  readonly label: string;
  readonly type: ValueType;
}

export interface StaticCase {
  readonly label: string;
  readonly type: ValueType | undefined;
}

export type ValueShape =
  | { readonly kind: "primitive"; readonly primitive: PrimitiveKind }
  | { readonly kind: "record"; readonly fields: readonly StaticField[] }
  | { readonly kind: "variant"; readonly cases: readonly StaticCase[] }
  | { readonly kind: "list"; readonly element: ValueType }
  | { readonly kind: "tuple"; readonly elements: readonly ValueType[] }
  | { readonly kind: "flags"; readonly labels: readonly string[] }
  | { readonly kind: "enum"; readonly labels: readonly string[] }
  | { readonly kind: "option"; readonly some: ValueType }
  | { readonly kind: "result"; readonly ok: ValueType | undefined; readonly error: ValueType | undefined }
  | { readonly kind: "own" | "borrow"; readonly resource: ResourceType };

export type FlatType = "i32" | "i64" | "f32" | "f64";

/** What the canonical ABI's rules ask of a value type; computed once, from its parts. */
export interface Layout {
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

export interface ValueType {
  readonly sort: "value";
  readonly shape: ValueShape;
  readonly layout: Layout;
}

export interface FunctionType {
  readonly sort: "function";
  readonly parameters: readonly StaticField[];
  readonly result: ValueType | undefined;
  readonly levels: number;
}

export interface InstanceType {
  readonly sort: "instance";
  readonly exports: ReadonlyMap<string, Extern>;
  /** Resources that an instance type declares: bound in it, fresh for each instance. Concrete instances have none. */
  readonly declaredResources: readonly ResourceIdentity[];
  readonly levels: number;
}

export interface ComponentType {
  readonly sort: "component";
  readonly imports: ReadonlyMap<string, Extern>;
  readonly exports: ReadonlyMap<string, Extern>;
  /** Resources that an instantiation supplies. */
  readonly importedResources: readonly ResourceIdentity[];
  /** Resources that each instantiation makes anew. */
  readonly definedResources: readonly ResourceIdentity[];
  readonly levels: number;
}

export interface CoreModuleType {
  readonly imports: readonly CoreImport[];
  readonly exports: ReadonlyMap<string, CoreExternType>;
}

/** Whatever a type index may refer to. */
export type AnyType = ValueType | FunctionType | ResourceType | InstanceType | ComponentType;

/** The type of an import or export, by its sort. */
export type Extern =
  | { readonly sort: "core-module"; readonly type: CoreModuleType }
  | { readonly sort: "func"; readonly type: FunctionType }
  | { readonly sort: "type"; readonly type: AnyType }
  | { readonly sort: "instance"; readonly type: InstanceType }
  | { readonly sort: "component"; readonly type: ComponentType };

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

/**
 * A value type of that shape.
 *
 * @throws Violation if it is nested too deeply, or an element of it would take 2^28 bytes or more.
 */
export function valueType(shape: ValueShape): ValueType {
  const layout = layoutOf(shape);
  if (layout.levels > MAX_TYPE_LEVELS) {
    throw limitViolation(`types nested more than ${MAX_TYPE_LEVELS} levels deep`);
  }
  if (layout.elementBytes >= MAX_ELEMENT_BYTES) {
    throw violation(`a value of this ${shape.kind} would take ${layout.elementBytes} bytes, 2^28 or more`);
  }
  return { sort: "value", shape, layout };
}

/** The same type under a name of its own. */
export function renamed(type: AnyType): AnyType {
  return { ...type };
}

/** A type's own levels of nesting. */
export function levelsOf(type: AnyType): number {
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

/** The types that the externs of an instance or component have, core modules left out. */
export function* typesOf(externs: ReadonlyMap<string, Extern>): Generator<AnyType> {
  for (const extern of externs.values()) if (extern.sort !== "core-module") yield extern.type;
}

function layoutOf(shape: ValueShape): Layout {
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
): Layout {
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

function recordLayout(parts: readonly ValueType[]): Layout {
  let size = 0;
  let alignmentBytes = 1;
  for (const { layout } of parts) {
    size = alignTo(size, layout.alignmentBytes) + layout.elementBytes;
    alignmentBytes = Math.max(alignmentBytes, layout.alignmentBytes);
  }
  const elementBytes = alignTo(size, alignmentBytes);
  return { ...inherit(parts, false), elementBytes, alignmentBytes, flat: concatenateFlat(parts) };
}

function variantLayout(cases: readonly (ValueType | undefined)[]): Layout {
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
