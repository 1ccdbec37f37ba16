/**
 * Subtyping: whether what is supplied may stand where something is expected.
 *
 * Component Model, Explainer.md "Type Checking": functions and value types have to be equal, labels included; an
 * instance may export more than is expected; a component may import less and export more; a resource that is expected
 * by a `(sub resource)` bound is bound to whichever resource is supplied first, and stays that one.
 */

import { weightOf } from "./layout.ts";
import { coreModuleMismatch } from "./match-core.ts";
import type {
  AnyType,
  ComponentType,
  Extern,
  FunctionType,
  InstanceType,
  ResourceIdentity,
  ResourceType,
  StaticCase,
  StaticField,
  ValueShape,
  ValueType,
} from "./static-types.ts";
import { freshComponent, freshInstance } from "./substitute.ts";
import type { StepBudget } from "./violation.ts";

/** Why something does not match, in words; `undefined` if it does. */
export type Mismatch = string | undefined;

const sortNames: Readonly<Record<AnyType["sort"], string>> = {
  value: "a value type",
  function: "a function type",
  resource: "a resource type",
  instance: "an instance type",
  component: "a component type",
};

/** One comparison, or several that share their bound resources (the arguments of one `instantiate`). */
export class Matcher {
  readonly #flexible: Set<ResourceIdentity>;
  readonly #bindings = new Map<ResourceIdentity, ResourceIdentity>();
  /** Pairs of value types found equal, so that shared parts are compared once. */
  readonly #equal = new Map<ValueType, Set<ValueType>>();
  readonly #steps: StepBudget;

  /** `flexible`: the resources of the expected side that take the identity of what is supplied. */
  constructor(flexible: Iterable<ResourceIdentity>, steps: StepBudget) {
    this.#flexible = new Set(flexible);
    this.#steps = steps;
  }

  /** What each flexible resource was bound to. */
  get bindings(): ReadonlyMap<ResourceIdentity, ResourceIdentity> {
    return this.#bindings;
  }

  extern(actual: Extern, expected: Extern): Mismatch {
    this.#steps.spend();
    if (actual.sort === "core-module" && expected.sort === "core-module") {
      this.#steps.spend(expected.type.imports.length + expected.type.exports.size);
      return coreModuleMismatch(actual.type, expected.type);
    }
    if (actual.sort === "func" && expected.sort === "func") return this.#function(actual.type, expected.type);
    if (actual.sort === "type" && expected.sort === "type") return this.#type(actual.type, expected.type);
    if (actual.sort === "instance" && expected.sort === "instance") {
      return this.#instance(actual.type, expected.type);
    }
    if (actual.sort === "component" && expected.sort === "component") {
      return this.#component(actual.type, expected.type);
    }
    return `expected ${expected.sort}, found ${actual.sort}`;
  }

  /** Types themselves have to be equal; only a resource bound leaves a choice. */
  #type(actual: AnyType, expected: AnyType): Mismatch {
    if (actual.sort === "resource" && expected.sort === "resource")
      return this.#resourceBound(actual, expected);
    if (actual.sort === "value" && expected.sort === "value") return this.#value(actual, expected);
    if (actual.sort === "function" && expected.sort === "function") return this.#function(actual, expected);
    if (actual.sort === "instance" && expected.sort === "instance") {
      return this.#instanceType(actual, expected) ?? this.#instanceType(expected, actual);
    }
    if (actual.sort === "component" && expected.sort === "component") {
      return this.#component(actual, expected) ?? this.#component(expected, actual);
    }
    return `expected ${sortNames[expected.sort]}, found ${sortNames[actual.sort]}`;
  }

  #resourceBound(actual: ResourceType, expected: ResourceType): Mismatch {
    const { identity } = expected;
    if (this.#flexible.has(identity) && !this.#bindings.has(identity)) {
      const supplied = this.#resolve(actual.identity);
      if (supplied !== identity) this.#bindings.set(identity, supplied);
      return undefined;
    }
    return this.#resource(actual, expected);
  }

  #resource(actual: ResourceType, expected: ResourceType): Mismatch {
    const supplied = this.#resolve(actual.identity);
    const wanted = this.#resolve(expected.identity);
    if (supplied === wanted) return undefined;
    return `resource types are not the same (${wanted.description} and ${supplied.description})`;
  }

  #resolve(identity: ResourceIdentity): ResourceIdentity {
    let resolved = identity;
    for (let next = this.#bindings.get(resolved); next !== undefined; next = this.#bindings.get(resolved)) {
      resolved = next;
    }
    return resolved;
  }

  #function(actual: FunctionType, expected: FunctionType): Mismatch {
    this.#steps.spend(weightOf(expected));
    if (actual.parameters.length !== expected.parameters.length) {
      return `expected ${expected.parameters.length} parameters, found ${actual.parameters.length}`;
    }
    const parameters = this.#fields(actual.parameters, expected.parameters, "parameter");
    return parameters ?? this.#optional(actual.result, expected.result, "a result");
  }

  /** Entries that have to be the same by label, order and type. */
  #fields(actual: readonly StaticField[], expected: readonly StaticField[], what: string): Mismatch {
    for (const [index, wanted] of expected.entries()) {
      const found = actual[index];
      if (found === undefined || found.label !== wanted.label) {
        return `expected ${what} "${wanted.label}", found "${found?.label}"`;
      }
      const mismatch = this.#value(found.type, wanted.type);
      if (mismatch !== undefined) return `${what} "${wanted.label}": ${mismatch}`;
    }
    return undefined;
  }

  #cases(actual: readonly StaticCase[], expected: readonly StaticCase[]): Mismatch {
    for (const [index, wanted] of expected.entries()) {
      const found = actual[index];
      if (found === undefined || found.label !== wanted.label) {
        return `expected case "${wanted.label}", found "${found?.label}"`;
      }
      const mismatch = this.#optional(found.type, wanted.type, "a type");
      if (mismatch !== undefined) return `case "${wanted.label}": ${mismatch}`;
    }
    return undefined;
  }

  #optional(actual: ValueType | undefined, expected: ValueType | undefined, what: string): Mismatch {
    if (actual === undefined && expected === undefined) return undefined;
    if (actual === undefined) return `expected ${what}, found none`;
    if (expected === undefined) return `expected no ${what.replace(/^an? /, "")}, found one`;
    return this.#value(actual, expected);
  }

  #value(actual: ValueType, expected: ValueType): Mismatch {
    if (this.#equal.get(actual)?.has(expected)) return undefined;
    this.#steps.spend(weightOf(expected));
    const mismatch = this.#shape(actual, expected);
    if (mismatch === undefined) {
      const known = this.#equal.get(actual) ?? new Set();
      this.#equal.set(actual, known.add(expected));
    }
    return mismatch;
  }

  #shape(actual: ValueType, expected: ValueType): Mismatch {
    const found = actual.shape;
    const wanted = expected.shape;
    const count = (left: number, right: number, what: string): Mismatch =>
      left === right ? undefined : `expected ${right} ${what}, found ${left}`;
    if (found.kind === "primitive" && wanted.kind === "primitive") {
      return found.primitive === wanted.primitive
        ? undefined
        : `expected ${wanted.primitive}, found ${found.primitive}`;
    }
    if (found.kind === "record" && wanted.kind === "record") {
      return (
        count(found.fields.length, wanted.fields.length, "fields") ??
        this.#fields(found.fields, wanted.fields, "field")
      );
    }
    if (found.kind === "variant" && wanted.kind === "variant") {
      return (
        count(found.cases.length, wanted.cases.length, "cases") ?? this.#cases(found.cases, wanted.cases)
      );
    }
    if (found.kind === "list" && wanted.kind === "list") return this.#value(found.element, wanted.element);
    if (found.kind === "option" && wanted.kind === "option") return this.#value(found.some, wanted.some);
    if (found.kind === "tuple" && wanted.kind === "tuple") {
      const lengths = count(found.elements.length, wanted.elements.length, "elements");
      return lengths ?? this.#elements(found.elements, wanted.elements);
    }
    if (found.kind === "result" && wanted.kind === "result") {
      return (
        this.#optional(found.ok, wanted.ok, "an ok type") ??
        this.#optional(found.error, wanted.error, "an error type")
      );
    }
    if (
      (found.kind === "flags" && wanted.kind === "flags") ||
      (found.kind === "enum" && wanted.kind === "enum")
    ) {
      return sameLabels(found.labels, wanted.labels)
        ? undefined
        : `the labels of ${wanted.kind} types differ`;
    }
    if (
      (found.kind === "own" && wanted.kind === "own") ||
      (found.kind === "borrow" && wanted.kind === "borrow")
    ) {
      return this.#resource(found.resource, wanted.resource);
    }
    return `expected ${nameOf(wanted)}, found ${nameOf(found)}`;
  }

  #elements(actual: readonly ValueType[], expected: readonly ValueType[]): Mismatch {
    for (const [index, wanted] of expected.entries()) {
      const found = actual[index];
      const mismatch = found === undefined ? "missing" : this.#value(found, wanted);
      if (mismatch !== undefined) return `element ${index}: ${mismatch}`;
    }
    return undefined;
  }

  /** A concrete instance against an instance type whose resources are flexible already, or its own to bind. */
  #instance(actual: InstanceType, expected: InstanceType): Mismatch {
    for (const identity of expected.declaredResources) this.#flexible.add(identity);
    return this.#externs(actual.exports, expected.exports, "export");
  }

  /** Two instance types, each with resources of its own. */
  #instanceType(actual: InstanceType, expected: InstanceType): Mismatch {
    const wanted = freshInstance(expected, this.#steps);
    for (const identity of wanted.fresh) this.#flexible.add(identity);
    return this.#externs(freshInstance(actual, this.#steps).type.exports, wanted.type.exports, "export");
  }

  #component(actualType: ComponentType, expectedType: ComponentType): Mismatch {
    const actual = freshComponent(actualType, this.#steps);
    const expected = freshComponent(expectedType, this.#steps);
    for (const identity of [...actual.importedResources, ...expected.definedResources])
      this.#flexible.add(identity);
    // Contravariant: whoever instantiates supplies what the expected type imports.
    const imports = this.#externs(expected.imports, actual.imports, "import");
    return imports ?? this.#externs(actual.exports, expected.exports, "export");
  }

  #externs(
    actual: ReadonlyMap<string, Extern>,
    expected: ReadonlyMap<string, Extern>,
    what: string,
  ): Mismatch {
    for (const [name, wanted] of expected) {
      const found = actual.get(name);
      if (found === undefined) return `missing ${what} "${name}"`;
      const mismatch = this.extern(found, wanted);
      if (mismatch !== undefined) return `${what} "${name}": ${mismatch}`;
    }
    return undefined;
  }
}

function nameOf(shape: ValueShape): string {
  return shape.kind === "primitive" ? shape.primitive : shape.kind;
}

function sameLabels(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((label, index) => label === right[index]);
}
