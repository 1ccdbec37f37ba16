/**
 * Validation of type definitions, the declarations of component and instance types, and extern types.
 *
 * Component Model, Binary.md "Type Definitions".
 */

import { withArticle } from "../article.ts";
import type {
  ComponentTypeDefinition,
  Declaration,
  ExternName,
  ExternType,
  FunctionTypeDefinition,
  InstanceTypeDefinition,
  ResourceTypeDefinition,
  TypeBound,
  TypeDefinition,
  ValueTypeDefinition,
  ValueTypeRef,
} from "../ast.ts";
import { checkLabels, declareName, nameResource } from "./extern-names.ts";
import { levelsAbove } from "./layout.ts";
import { sameCoreFunction } from "./match-core.ts";
import { at, Scope } from "./scope.ts";
import {
  type AnyType,
  type ComponentType,
  type Extern,
  type FunctionType,
  type InstanceType,
  primitiveType,
  type ResourceIdentity,
  type ResourceType,
  renamed,
  typesOf,
  type ValueShape,
  type ValueType,
  valueType,
} from "./static-types.ts";
import { freeResources, freshInstance } from "./substitute.ts";
import { validateAlias } from "./validate-aliases.ts";
import { validateCoreType } from "./validate-core.ts";
import { violation } from "./violation.ts";
import type { Direction } from "./visibility.ts";

const MAX_FLAGS = 32;
const DESTRUCTOR = { parameters: ["i32"], results: [] };

/** The type that a `deftype` defines. */
export function resolveType(definition: TypeDefinition, scope: Scope): AnyType {
  switch (definition.kind) {
    case "function":
      return resolveFunctionType(definition, scope);
    case "resource":
      return resolveResourceType(definition, scope);
    case "component":
      return resolveComponentType(definition, scope);
    case "instance":
      return resolveInstanceType(definition, scope);
    default:
      return valueType(resolveShape(definition, scope));
  }
}

function resolveShape(definition: ValueTypeDefinition, scope: Scope): ValueShape {
  const value = (reference: ValueTypeRef) => resolveValueType(reference, scope);
  const optional = (reference: ValueTypeRef | undefined) =>
    reference === undefined ? undefined : value(reference);
  switch (definition.kind) {
    case "primitive":
      return definition;
    case "record": {
      checkEntries(definition.fields, "field");
      return {
        kind: "record",
        fields: definition.fields.map(({ label, type }) => ({ label, type: value(type) })),
      };
    }
    case "variant": {
      checkEntries(definition.cases, "case");
      return {
        kind: "variant",
        cases: definition.cases.map(({ label, type }) => ({ label, type: optional(type) })),
      };
    }
    case "list":
      return { kind: "list", element: value(definition.element) };
    case "tuple":
      if (definition.elements.length === 0) throw violation("a tuple has to have an element");
      return { kind: "tuple", elements: definition.elements.map(value) };
    case "flags":
      if (definition.labels.length === 0) throw violation("flags have to have a label");
      if (definition.labels.length > MAX_FLAGS)
        throw violation(`flags cannot have more than ${MAX_FLAGS} labels`);
      checkLabels(definition.labels, "flag");
      return definition;
    case "enum":
      if (definition.labels.length === 0) throw violation("an enum has to have a case");
      checkLabels(definition.labels, "enum case");
      return definition;
    case "option":
      return { kind: "option", some: value(definition.some) };
    case "result":
      return { kind: "result", ok: optional(definition.ok), error: optional(definition.error) };
    case "own":
    case "borrow":
      return { kind: definition.kind, resource: resourceAt(scope, definition.resource) };
  }
}

function checkEntries(entries: readonly { readonly label: string }[], what: "field" | "case"): void {
  if (entries.length === 0)
    throw violation(`a ${what === "field" ? "record" : "variant"} has to have a ${what}`);
  checkLabels(
    entries.map((entry) => entry.label),
    what,
  );
}

function resolveValueType(reference: ValueTypeRef, scope: Scope): ValueType {
  if (typeof reference === "string") return primitiveType(reference);
  const type = at(scope.types, reference, "type");
  if (type.sort !== "value") throw violation(`type index ${reference} is not a value type`);
  return type;
}

function resolveFunctionType(definition: FunctionTypeDefinition, scope: Scope): FunctionType {
  checkLabels(
    definition.parameters.map((parameter) => parameter.label),
    "parameter",
  );
  const parameters = definition.parameters.map(({ label, type }) => ({
    label,
    type: resolveValueType(type, scope),
  }));
  const result = definition.result === undefined ? undefined : resolveValueType(definition.result, scope);
  if (result?.layout.containsBorrow) throw violation("the result of a function cannot contain a borrow");
  const parts = parameters.map((parameter) => parameter.type);
  return { sort: "function", parameters, result, levels: levelsAbove(result ? [...parts, result] : parts) };
}

function resolveResourceType(definition: ResourceTypeDefinition, scope: Scope): ResourceType {
  if (scope.kind !== "component")
    throw violation("resources can only be defined in a component, not in a type");
  if (definition.destructor !== undefined) {
    const destructor = at(scope.coreFunctions, definition.destructor, "core function");
    if (!sameCoreFunction(destructor, DESTRUCTOR)) throw violation("a destructor has to be [i32] -> []");
  }
  const identity: ResourceIdentity = { description: `type ${scope.types.length}` };
  scope.localResources.add(identity);
  scope.definedResources.add(identity);
  return { sort: "resource", identity };
}

/** The resource type at a type index. */
export function resourceAt(scope: Scope, index: number): ResourceType {
  const type = at(scope.types, index, "type");
  if (type.sort !== "resource") throw violation(`type index ${index} is not a resource type`);
  return type;
}

function resolveComponentType(definition: ComponentTypeDefinition, parent: Scope): ComponentType {
  const scope = new Scope("component-type", parent, parent.steps);
  for (const declaration of definition.declarations) declare(declaration, scope);
  return componentTypeOf(scope);
}

/** The type of the component, or of the component type, whose scope was filled. */
export function componentTypeOf(scope: Scope): ComponentType {
  const { imports, exports } = scope;
  const importedResources = [...scope.importedResources];
  const definedResources = [...scope.definedResources];
  const levels = levelsAbove([...typesOf(imports), ...typesOf(exports)]);
  return { sort: "component", imports, exports, importedResources, definedResources, levels };
}

function resolveInstanceType(definition: InstanceTypeDefinition, parent: Scope): InstanceType {
  const scope = new Scope("instance-type", parent, parent.steps);
  for (const declaration of definition.declarations) declare(declaration, scope);
  const { exports } = scope;
  const declaredResources = [...scope.definedResources];
  return { sort: "instance", exports, declaredResources, levels: levelsAbove(typesOf(exports)) };
}

function declare(declaration: Declaration, scope: Scope): void {
  switch (declaration.kind) {
    case "core-type":
      scope.coreTypes.push(validateCoreType(declaration.type, scope));
      return;
    case "type":
      scope.types.push(resolveType(declaration.type, scope));
      return;
    case "alias":
      validateAlias(declaration.alias, scope);
      return;
    case "import":
    case "export": {
      const { extern, fresh } = resolveExternType(declaration.type, scope, declaration.name.name);
      scope.adopt(fresh, declaration.kind);
      addNamed(declaration.name, extern, declaration.kind, scope);
      return;
    }
  }
}

/** Adds an import or export to a scope: its name, the visibility of its types, its index. */
export function addNamed(name: ExternName, extern: Extern, direction: Direction, scope: Scope): void {
  const names = direction === "import" ? scope.importNames : scope.exportNames;
  declareName(name, extern, names);
  nameResource(name, extern, names);
  if (direction === "import") refuseDefinedResources(name.name, extern, scope);
  // An instance type is checked where an instance of it is imported or exported.
  if (scope.kind !== "instance-type") scope.visible.declare(name.name, extern, direction);
  (direction === "import" ? scope.imports : scope.exports).set(name.name, extern);
  scope.add(extern);
}

/** Imports are supplied before anything is made, so that they cannot depend on resources that are made later. */
function refuseDefinedResources(name: string, extern: Extern, scope: Scope): void {
  const { definedResources } = scope;
  if (extern.sort === "core-module" || definedResources.size === 0) return;
  if (freeResources(extern.type, scope.steps).some((identity) => definedResources.has(identity))) {
    throw violation(`the import "${name}" mentions a resource that is defined or exported here`);
  }
}

/** What an `externtype` says, and the resources that come into being with it. */
export interface ResolvedExtern {
  readonly extern: Extern;
  readonly fresh: readonly ResourceIdentity[];
}

/** Resolves an `externtype`; `name` is that of its import or export, for messages. */
export function resolveExternType(type: ExternType, scope: Scope, name: string): ResolvedExtern {
  if (type.kind === "core-module") {
    const module = at(scope.coreTypes, type.type, "core type");
    if (module.kind !== "module") throw violation(`core type index ${type.type} is not a module type`);
    return { extern: { sort: "core-module", type: module.type }, fresh: [] };
  }
  if (type.kind === "type") return resolveTypeBound(type.bound, scope, name);
  const found = at(scope.types, type.type, "type");
  if (type.kind === "function" && found.sort === "function")
    return { extern: { sort: "func", type: found }, fresh: [] };
  if (type.kind === "component" && found.sort === "component") {
    return { extern: { sort: "component", type: found }, fresh: [] };
  }
  if (type.kind === "instance" && found.sort === "instance") {
    const instance = freshInstance(found, scope.steps);
    return { extern: { sort: "instance", type: instance.type }, fresh: instance.fresh };
  }
  throw violation(`type index ${type.type} is not the type of ${withArticle(type.kind)}`);
}

/** `(eq i)` gives a type a further name; `(sub resource)` stands for a resource that is yet unknown. */
function resolveTypeBound(bound: TypeBound, scope: Scope, name: string): ResolvedExtern {
  if (bound.kind === "equal") {
    const type = renamed(at(scope.types, bound.type, "type"));
    return { extern: { sort: "type", type }, fresh: [] };
  }
  const identity: ResourceIdentity = { description: `"${name}"` };
  return { extern: { sort: "type", type: { sort: "resource", identity } }, fresh: [identity] };
}
