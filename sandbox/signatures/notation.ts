/**
 * A notation for the types of interfaces that this host has, so that a component's imports can be held against them:
 * the types of WIT (Component Model, WIT.md "Types") as functions that build the validator's types.
 *
 * A resource is an object of its own: two interfaces that use the same one share it, as `use` does in WIT.
 */

import {
  type FunctionType,
  primitiveType,
  type ResourceType,
  type ValueType,
  valueType,
} from "../component/validation/static-types.ts";

/** What an interface has: the resources that it names, its own and used ones, and its functions, by their WIT names. */
export interface InterfaceSignature {
  readonly resources: Readonly<Record<string, ResourceType>>;
  readonly functions: Readonly<Record<string, FunctionType>>;
}

type Members = Readonly<Record<string, ValueType>>;
type Functions = Readonly<Record<string, FunctionType>>;

export const bool = primitiveType("bool");
export const u8 = primitiveType("u8");
export const u16 = primitiveType("u16");
export const u32 = primitiveType("u32");
export const u64 = primitiveType("u64");
export const f64 = primitiveType("f64");
export const string = primitiveType("string");

/** Where a `result` or a case has no type (`_`). */
export const none = undefined;

export function list(element: ValueType): ValueType {
  return valueType({ kind: "list", element });
}

export function option(some: ValueType): ValueType {
  return valueType({ kind: "option", some });
}

export function tuple(...elements: readonly ValueType[]): ValueType {
  return valueType({ kind: "tuple", elements });
}

export function result(ok: ValueType | undefined, error: ValueType | undefined): ValueType {
  return valueType({ kind: "result", ok, error });
}

/** Fields in their order. */
export function record(fields: Members): ValueType {
  return valueType({ kind: "record", fields: labelled(fields) });
}

/** Cases in their order, each with its type or `none`. */
export function variant(cases: Readonly<Record<string, ValueType | undefined>>): ValueType {
  const entries = Object.entries(cases).map(([label, type]) => ({ label, type }));
  return valueType({ kind: "variant", cases: entries });
}

export function enumeration(...labels: readonly string[]): ValueType {
  return valueType({ kind: "enum", labels });
}

export function flags(...labels: readonly string[]): ValueType {
  return valueType({ kind: "flags", labels });
}

export function resource(name: string): ResourceType {
  return { sort: "resource", identity: { description: `"${name}"` } };
}

export function own(type: ResourceType): ValueType {
  return valueType({ kind: "own", resource: type });
}

export function borrow(type: ResourceType): ValueType {
  return valueType({ kind: "borrow", resource: type });
}

export function func(parameters: Members, result?: ValueType): FunctionType {
  return { sort: "function", parameters: labelled(parameters), result, levels: 0 };
}

/** The methods of a resource, under the names that the binary has; each gets its `self`. */
export function methods(name: string, type: ResourceType, functions: Functions): Functions {
  const self = { label: "self", type: borrow(type) };
  return Object.fromEntries(
    Object.entries(functions).map(([label, method]) => [
      `[method]${name}.${label}`,
      { ...method, parameters: [self, ...method.parameters] },
    ]),
  );
}

function labelled(members: Members) {
  return Object.entries(members).map(([label, type]) => ({ label, type }));
}
