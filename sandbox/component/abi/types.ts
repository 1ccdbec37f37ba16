/**
 * Value types as the canonical ABI sees them: resolved, with the resource types of one instantiation in them.
 *
 * Component Model, Explainer.md "Type Definitions" and CanonicalABI.md "Despecialization", WASI 0.2's subset
 * (no stream, future, map, error-context or fixed-length list).
 */

import type { PrimitiveKind } from "../ast.ts";
import type { ResourceType } from "../handles.ts";
import { camelCase } from "../names.ts";

/** A member of a record or of flags: its WIT label and the property that JavaScript sees. */
export interface Member {
  readonly label: string;
  /** The label in camelCase. */
  readonly key: string;
  readonly type: ValueType;
}

interface Case {
  /** The case's label, as `tag` carries it. */
  readonly label: string;
  readonly type: ValueType | undefined;
}

export type ValueType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: "record"; readonly fields: readonly Member[] }
  | { readonly kind: "variant"; readonly cases: readonly Case[] }
  | { readonly kind: "list"; readonly element: ValueType }
  | { readonly kind: "tuple"; readonly elements: readonly ValueType[] }
  | { readonly kind: "flags"; readonly keys: readonly string[] }
  | { readonly kind: "enum"; readonly labels: readonly string[] }
  | { readonly kind: "option"; readonly some: ValueType }
  | { readonly kind: "result"; readonly ok: ValueType | undefined; readonly error: ValueType | undefined }
  | { readonly kind: "own"; readonly resource: ResourceType }
  | { readonly kind: "borrow"; readonly resource: ResourceType };

/** The value types that have a closed set of cases in memory: a discriminant and a payload. */
export type VariantLike = Extract<ValueType, { kind: "variant" | "enum" | "option" | "result" }>;

export interface FunctionType {
  readonly parameters: readonly { readonly label: string; readonly type: ValueType }[];
  readonly result: ValueType | undefined;
}

/** Who is on the other side of a lift or lower: JavaScript (values are objects) or another component. */
export type Side = "host" | "component";

/** A record's field under its label. */
export function member(label: string, type: ValueType): Member {
  return { label, key: camelCase(label), type };
}

/** The payload types of a variant-like type's cases, in order (spec: `despecialize`). */
export function caseTypes(type: VariantLike): readonly (ValueType | undefined)[] {
  switch (type.kind) {
    case "variant":
      return type.cases.map((one) => one.type);
    case "enum":
      return type.labels.map(() => undefined);
    case "option":
      return [undefined, type.some];
    case "result":
      return [type.ok, type.error];
  }
}

/** Whether a value of the type can hold a borrowed handle (spec: `contains_borrow`). */
export function containsBorrow(type: ValueType | undefined, seen = new Map<ValueType, boolean>()): boolean {
  if (type === undefined) return false;
  const known = seen.get(type);
  if (known !== undefined) return known;
  const answer = parts(type).some((part) => containsBorrow(part, seen)) || type.kind === "borrow";
  seen.set(type, answer);
  return answer;
}

function parts(type: ValueType): readonly (ValueType | undefined)[] {
  switch (type.kind) {
    case "record":
      return type.fields.map((field) => field.type);
    case "tuple":
      return type.elements;
    case "list":
      return [type.element];
    case "variant":
    case "option":
    case "result":
      return caseTypes(type);
    default:
      return [];
  }
}
