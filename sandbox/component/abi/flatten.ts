/**
 * How values are spread over core parameters and results.
 *
 * Component Model, CanonicalABI.md "Flattening", for 32-bit memories and synchronous functions.
 */

import { MAX_FLAT_PARAMETERS } from "./limits.ts";
import { caseTypes, type ValueType } from "./types.ts";

export type CoreType = "i32" | "i64" | "f32" | "f64";
/** A core value as V8 hands it over: i64 is a bigint, the others are numbers. */
export type FlatValue = number | bigint;

const flattened = new WeakMap<ValueType, readonly CoreType[] | undefined>();

/**
 * `flatten_type(t)`. Returns `undefined` when it comes to more than the sixteen core values that could ever be
 * passed flat: how many more does not matter, and a type that doubles at each level must not cost its size.
 */
export function flattenType(type: ValueType): readonly CoreType[] | undefined {
  if (flattened.has(type)) return flattened.get(type);
  const flat = computeFlat(type);
  flattened.set(type, flat);
  return flat;
}

/** `flatten_types(ts)`, `undefined` when it comes to more than sixteen core values. */
export function flattenTypes(types: readonly ValueType[]): readonly CoreType[] | undefined {
  const flat: CoreType[] = [];
  for (const type of types) {
    const part = flattenType(type);
    if (part === undefined) return undefined;
    flat.push(...part);
    if (flat.length > MAX_FLAT_PARAMETERS) return undefined;
  }
  return flat;
}

function computeFlat(type: ValueType): readonly CoreType[] | undefined {
  switch (type.kind) {
    case "s64":
    case "u64":
      return ["i64"];
    case "f32":
      return ["f32"];
    case "f64":
      return ["f64"];
    case "string":
    case "list":
      return ["i32", "i32"];
    case "record":
      return flattenTypes(type.fields.map((field) => field.type));
    case "tuple":
      return flattenTypes(type.elements);
    case "enum":
      return ["i32"];
    case "variant":
    case "option":
    case "result":
      return flattenCases(caseTypes(type));
    default:
      return ["i32"];
  }
}

function flattenCases(cases: readonly (ValueType | undefined)[]): readonly CoreType[] | undefined {
  const flat: CoreType[] = ["i32"];
  for (const payload of cases) {
    if (payload === undefined) continue;
    const part = flattenType(payload);
    if (part === undefined || part.length >= MAX_FLAT_PARAMETERS) return undefined;
    part.forEach((core, index) => {
      const present = flat[index + 1];
      flat[index + 1] = present === undefined ? core : join(present, core);
    });
  }
  return flat;
}

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a;
  if ((a === "i32" && b === "f32") || (a === "f32" && b === "i32")) return "i32";
  return "i64";
}
