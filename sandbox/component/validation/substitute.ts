/**
 * Substitution of resources and of named types: what `instantiate` does with its arguments (Binary.md, "Instance
 * Definitions"), and how an instance type's resources become fresh for each instance of it.
 */

import { weightOf } from "./layout.ts";
import type {
  AnyType,
  ComponentType,
  Extern,
  InstanceType,
  ResourceIdentity,
  ResourceType,
  ValueType,
} from "./static-types.ts";
import type { StepBudget } from "./violation.ts";

export class Substitution {
  readonly #identities: Map<ResourceIdentity, ResourceIdentity>;
  /** What each type became; also seeded with named types that are replaced as a whole. */
  readonly #replaced = new Map<AnyType, AnyType>();
  readonly #steps: StepBudget;

  constructor(identities: Map<ResourceIdentity, ResourceIdentity>, steps: StepBudget) {
    this.#identities = identities;
    this.#steps = steps;
  }

  /** Has `type`, wherever that very name of it stands, replaced by `replacement`. */
  replace(type: AnyType, replacement: AnyType): void {
    this.#replaced.set(type, replacement);
  }

  externs(externs: ReadonlyMap<string, Extern>): Map<string, Extern> {
    this.#steps.spend(externs.size);
    return new Map(Array.from(externs, ([name, extern]) => [name, this.extern(extern)]));
  }

  extern(extern: Extern): Extern {
    switch (extern.sort) {
      case "core-module":
        return extern;
      case "func": {
        const type = this.type(extern.type);
        return type.sort === "function" ? { sort: "func", type } : extern;
      }
      case "type":
        return { sort: "type", type: this.type(extern.type) };
      case "instance":
        return { sort: "instance", type: this.instance(extern.type) };
      case "component":
        return { sort: "component", type: this.component(extern.type) };
    }
  }

  /** The type with everything replaced; the very same object where nothing in it was. */
  type(type: AnyType): AnyType {
    const known = this.#replaced.get(type);
    if (known !== undefined) return known;
    this.#steps.spend(weightOf(type));
    const result = this.#rebuild(type);
    this.#replaced.set(type, result);
    return result;
  }

  #rebuild(type: AnyType): AnyType {
    switch (type.sort) {
      case "resource": {
        const identity = this.#identities.get(type.identity);
        return identity === undefined ? type : { sort: "resource", identity };
      }
      case "value":
        return this.#rebuildValue(type);
      case "function": {
        const parameters = type.parameters.map(({ label, type: part }) => ({
          label,
          type: this.#value(part),
        }));
        const result = type.result && this.#value(type.result);
        const same =
          result === type.result && parameters.every((entry, i) => entry.type === type.parameters[i]?.type);
        return same ? type : { ...type, parameters, result };
      }
      case "instance": {
        const exports = this.externs(type.exports);
        return sameExterns(exports, type.exports) ? type : { ...type, exports };
      }
      case "component": {
        const imports = this.externs(type.imports);
        const exports = this.externs(type.exports);
        const same = sameExterns(imports, type.imports) && sameExterns(exports, type.exports);
        return same ? type : { ...type, imports, exports };
      }
    }
  }

  instance(type: InstanceType): InstanceType {
    const result = this.type(type);
    return result.sort === "instance" ? result : type;
  }

  component(type: ComponentType): ComponentType {
    const result = this.type(type);
    return result.sort === "component" ? result : type;
  }

  #value(type: ValueType): ValueType {
    const result = this.type(type);
    return result.sort === "value" ? result : type;
  }

  #resource(type: ResourceType): ResourceType {
    const result = this.type(type);
    return result.sort === "resource" ? result : type;
  }

  /** A replaced part has the layout of the original one, so that the whole keeps its layout. */
  #rebuildValue(type: ValueType): ValueType {
    const { shape } = type;
    const optional = (part: ValueType | undefined) => part && this.#value(part);
    switch (shape.kind) {
      case "primitive":
      case "flags":
      case "enum":
        return type;
      case "list": {
        const element = this.#value(shape.element);
        return element === shape.element ? type : { ...type, shape: { kind: "list", element } };
      }
      case "option": {
        const some = this.#value(shape.some);
        return some === shape.some ? type : { ...type, shape: { kind: "option", some } };
      }
      case "own":
      case "borrow": {
        const resource = this.#resource(shape.resource);
        return resource === shape.resource ? type : { ...type, shape: { kind: shape.kind, resource } };
      }
      case "tuple": {
        const elements = shape.elements.map((part) => this.#value(part));
        const same = elements.every((part, index) => part === shape.elements[index]);
        return same ? type : { ...type, shape: { kind: "tuple", elements } };
      }
      case "result": {
        const ok = optional(shape.ok);
        const error = optional(shape.error);
        return ok === shape.ok && error === shape.error
          ? type
          : { ...type, shape: { kind: "result", ok, error } };
      }
      case "record": {
        const fields = shape.fields.map(({ label, type: part }) => ({ label, type: this.#value(part) }));
        const same = fields.every((field, index) => field.type === shape.fields[index]?.type);
        return same ? type : { ...type, shape: { kind: "record", fields } };
      }
      case "variant": {
        const cases = shape.cases.map(({ label, type: part }) => ({ label, type: optional(part) }));
        const same = cases.every((entry, index) => entry.type === shape.cases[index]?.type);
        return same ? type : { ...type, shape: { kind: "variant", cases } };
      }
    }
  }
}

function sameExterns(left: ReadonlyMap<string, Extern>, right: ReadonlyMap<string, Extern>): boolean {
  for (const [name, extern] of left) if (extern.type !== right.get(name)?.type) return false;
  return true;
}

/** A fresh identity for each of `identities`. */
export function freshIdentities(
  identities: readonly ResourceIdentity[],
  steps: StepBudget,
): Map<ResourceIdentity, ResourceIdentity> {
  steps.spend(identities.length);
  return new Map(identities.map((identity) => [identity, { description: identity.description }]));
}

/** An instance of an instance type: its resources are fresh, and no longer bound in it. */
export function freshInstance(
  type: InstanceType,
  steps: StepBudget,
): { type: InstanceType; fresh: readonly ResourceIdentity[] } {
  if (type.declaredResources.length === 0) return { type, fresh: [] };
  const identities = freshIdentities(type.declaredResources, steps);
  const exports = new Substitution(identities, steps).externs(type.exports);
  return { type: { ...type, exports, declaredResources: [] }, fresh: [...identities.values()] };
}

/** The same component type with its bound resources renamed, so that comparing a type with itself binds nothing wrong. */
export function freshComponent(type: ComponentType, steps: StepBudget): ComponentType {
  const identities = freshIdentities([...type.importedResources, ...type.definedResources], steps);
  if (identities.size === 0) return type;
  const substitution = new Substitution(identities, steps);
  const fresh = (identity: ResourceIdentity) => identities.get(identity) ?? identity;
  return {
    ...type,
    imports: substitution.externs(type.imports),
    exports: substitution.externs(type.exports),
    importedResources: type.importedResources.map(fresh),
    definedResources: type.definedResources.map(fresh),
  };
}

/** The resources that a type mentions and does not bind itself. */
export function freeResources(type: AnyType, steps: StepBudget): ResourceIdentity[] {
  const used = new Set<ResourceIdentity>();
  const bound = new Set<ResourceIdentity>();
  const seen = new Set<AnyType>();
  const visitExterns = (externs: ReadonlyMap<string, Extern>) => {
    for (const extern of externs.values()) if (extern.sort !== "core-module") visit(extern.type);
  };
  const visit = (part: AnyType | undefined): void => {
    if (part === undefined || seen.has(part)) return;
    seen.add(part);
    steps.spend(weightOf(part));
    switch (part.sort) {
      case "resource":
        used.add(part.identity);
        return;
      case "value":
        for (const child of partsOf(part)) visit(child);
        return;
      case "function":
        for (const parameter of part.parameters) visit(parameter.type);
        visit(part.result);
        return;
      case "instance":
        for (const identity of part.declaredResources) bound.add(identity);
        visitExterns(part.exports);
        return;
      case "component":
        for (const identity of [...part.importedResources, ...part.definedResources]) bound.add(identity);
        visitExterns(part.imports);
        visitExterns(part.exports);
        return;
    }
  };
  visit(type);
  return [...used].filter((identity) => !bound.has(identity));
}

/** The types that a value type is made of: values, and the resource of a handle. */
export function partsOf(type: ValueType): readonly (ValueType | ResourceType)[] {
  const { shape } = type;
  const present = (parts: readonly (ValueType | undefined)[]) => parts.filter((part) => part !== undefined);
  switch (shape.kind) {
    case "primitive":
    case "flags":
    case "enum":
      return [];
    case "list":
      return [shape.element];
    case "option":
      return [shape.some];
    case "own":
    case "borrow":
      return [shape.resource];
    case "tuple":
      return shape.elements;
    case "result":
      return present([shape.ok, shape.error]);
    case "record":
      return shape.fields.map((field) => field.type);
    case "variant":
      return present(shape.cases.map((entry) => entry.type));
  }
}
