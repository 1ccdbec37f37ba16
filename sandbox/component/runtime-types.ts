/**
 * Type definitions, resolved for one instantiation: indices become types, resources become this instantiation's.
 *
 * Component Model, Explainer.md "Type Definitions". Resource types are generative: each instantiation makes its own.
 */

import { type FunctionType, member, type ValueType } from "./abi/types.ts";
import { withArticle } from "./article.ts";
import type { FunctionTypeDefinition, TypeDefinition, ValueTypeDefinition, ValueTypeRef } from "./ast.ts";
import { ComponentError } from "./errors.ts";
import type { ResourceType } from "./handles.ts";
import { camelCase } from "./names.ts";
import { at, type RuntimeType, type TypeScope } from "./scope.ts";

/** Resolves a type definition other than a resource's, which its component has to implement. */
export function resolveType(
  definition: Exclude<TypeDefinition, { kind: "resource" }>,
  scope: TypeScope,
): RuntimeType {
  switch (definition.kind) {
    case "function":
      return { kind: "function", type: resolveFunctionType(definition, scope) };
    case "instance":
      return { kind: "instance", declarations: definition.declarations, scope };
    case "component":
      return { kind: "component" };
    default:
      return { kind: "value", type: resolveValueType(definition, scope) };
  }
}

function resolveFunctionType(definition: FunctionTypeDefinition, scope: TypeScope): FunctionType {
  return {
    parameters: definition.parameters.map(({ label, type }) => ({ label, type: valueType(type, scope) })),
    result: optionalValueType(definition.result, scope),
  };
}

function resolveValueType(definition: ValueTypeDefinition, scope: TypeScope): ValueType {
  switch (definition.kind) {
    case "primitive":
      return { kind: definition.primitive };
    case "record":
      return {
        kind: "record",
        fields: definition.fields.map(({ label, type }) => member(label, valueType(type, scope))),
      };
    case "variant":
      return {
        kind: "variant",
        cases: definition.cases.map(({ label, type }) => ({ label, type: optionalValueType(type, scope) })),
      };
    case "list":
      return { kind: "list", element: valueType(definition.element, scope) };
    case "tuple":
      return { kind: "tuple", elements: definition.elements.map((element) => valueType(element, scope)) };
    case "flags":
      return { kind: "flags", keys: definition.labels.map((label) => camelCase(label)) };
    case "enum":
      return { kind: "enum", labels: definition.labels };
    case "option":
      return { kind: "option", some: valueType(definition.some, scope) };
    case "result":
      return {
        kind: "result",
        ok: optionalValueType(definition.ok, scope),
        error: optionalValueType(definition.error, scope),
      };
    case "own":
    case "borrow":
      return { kind: definition.kind, resource: resourceTypeAt(scope, definition.resource) };
  }
}

function optionalValueType(reference: ValueTypeRef | undefined, scope: TypeScope): ValueType | undefined {
  return reference === undefined ? undefined : valueType(reference, scope);
}

function valueType(reference: ValueTypeRef, scope: TypeScope): ValueType {
  if (typeof reference === "string") return { kind: reference };
  return typeAt("value", scope, reference);
}

/** The resource type at a type index. */
export function resourceTypeAt(scope: TypeScope, index: number): ResourceType {
  return typeAt("resource", scope, index);
}

/** The function type at a type index. */
export function functionTypeAt(scope: TypeScope, index: number): FunctionType {
  return typeAt("function", scope, index);
}

interface TypeOfKind {
  readonly value: ValueType;
  readonly resource: ResourceType;
  readonly function: FunctionType;
}

function typeAt<Kind extends keyof TypeOfKind>(
  kind: Kind,
  scope: TypeScope,
  index: number,
): TypeOfKind[Kind] {
  const found = at(scope.types, index, "type");
  if (found.kind === kind) return (found as { readonly type: unknown }).type as TypeOfKind[Kind];
  throw new ComponentError(
    "component/invalid",
    `type ${index} has to be ${withArticle(kind)} type, it is ${withArticle(found.kind)} type`,
  );
}
