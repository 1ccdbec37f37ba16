/**
 * The imports of the outermost component, taken from the host's objects.
 *
 * jco's conventions: an interface is an object under its WIT name, with functions in camelCase and resource classes
 * in PascalCase; a function of the world itself stands under its name. What the component imports and the host does
 * not have is "component/import-missing", named, before any code runs.
 */

import type { FunctionType } from "./abi/types.ts";
import { withArticle } from "./article.ts";
import type { ExternName, ExternType } from "./ast.ts";
import type { HostFunction } from "./canon-lift.ts";
import { ComponentError } from "./errors.ts";
import { HostObjects, type ResourceType } from "./handles.ts";
import { camelCase, parseFunctionName, pascalCase, withoutVersion } from "./names.ts";
import { functionTypeAt, resolveType } from "./runtime-types.ts";
import { at, type InstanceValue, type Item, outerScope, type RuntimeType, type TypeScope } from "./scope.ts";

/** What the host supplies: interfaces and functions by their WIT names. */
export type Imports = Readonly<Record<string, unknown>>;

/** Finds the host's objects by name. */
export class ImportLookup {
  readonly imports: Imports;
  readonly #resolveImport: ((name: string) => unknown) | undefined;
  readonly #resolved = new Map<string, unknown>();

  /**
   * @param resolveImport asked, once per name, for what `imports` has not under its exact name; returns `undefined`
   *   for what the host does not have
   */
  constructor(imports: Imports, resolveImport: ((name: string) => unknown) | undefined) {
    this.imports = imports;
    this.#resolveImport = resolveImport;
  }

  /** By the exact name, by the host's own lookup, or by the name without its version. */
  find(name: string): unknown {
    const exact = own(this.imports, name);
    if (exact !== undefined) return exact;
    if (!this.#resolved.has(name)) this.#resolved.set(name, this.#resolveImport?.(name));
    return this.#resolved.get(name) ?? own(this.imports, withoutVersion(name));
  }
}

/** One of the host's objects, and what it stands for in messages. */
interface HostSource {
  readonly name: string;
  /** `undefined` when the host has nothing of that name, which matters only if something of it is needed. */
  readonly value: unknown;
}

/** The error of imports that the host does not have. */
export function importMissing(names: readonly string[]): ComponentError {
  return new ComponentError(
    "component/import-missing",
    `the component imports ${names.join(", ")}, which the host does not have; build without it`,
  );
}

/** The item for an import of the outermost component. */
export function hostImport(name: ExternName, type: ExternType, scope: TypeScope, lookup: ImportLookup): Item {
  switch (type.kind) {
    case "instance": {
      const source = { name: name.name, value: lookup.find(name.name) };
      return { sort: "instance", value: hostInstance(at(scope.types, type.type, "type"), source) };
    }
    case "function": {
      const call = worldCall(name.name, lookup);
      if (call === undefined) throw importMissing([name.name]);
      const functionType = functionTypeAt(scope, type.type);
      return { sort: "func", value: { kind: "host", name: name.name, type: functionType, call } };
    }
    case "type":
      if (type.bound.kind === "equal")
        return { sort: "type", value: at(scope.types, type.bound.type, "type") };
      return { sort: "type", value: hostResource(name.name) };
    default:
      throw unsupportedImport(name.name, type.kind);
  }
}

function unsupportedImport(name: string, kind: string): ComponentError {
  return new ComponentError(
    "component/unsupported",
    `the import ${name} is ${withArticle(kind)}; the host supplies functions, resources and interfaces`,
  );
}

/**
 * A property that the object itself or its class has, by a name that a component chose: never one that the language gives to every
 * object or function (`toString`, `call`), nor a class by its `constructor`, from which JavaScript's own `Function` is one step.
 */
function own(object: unknown, key: string): unknown {
  const from: object = Object(object);
  // Of a primitive value, `Object` makes another one.
  if (from !== object) return undefined;
  let holder: object | null = from;
  while (holder !== null && !Object.hasOwn(holder, key)) holder = Object.getPrototypeOf(holder);
  if (holder === null || holder === Object.prototype || holder === Function.prototype) return undefined;
  const value: unknown = Reflect.get(from, key);
  return typeof value === "function" && value.prototype === holder ? undefined : value;
}

/** Evaluates an instance type against a host's object (Explainer.md: `instancetype`). */
function hostInstance(type: RuntimeType, source: HostSource): InstanceValue {
  if (type.kind !== "instance") {
    throw new ComponentError("component/invalid", `the import ${source.name} has no instance type`);
  }
  const scope: TypeScope & { instances: InstanceValue[] } = { parent: type.scope, types: [], instances: [] };
  const exports = new Map<string, Item>();
  for (const declaration of type.declarations) {
    switch (declaration.kind) {
      case "type":
        if (declaration.type.kind !== "resource") scope.types.push(resolveType(declaration.type, scope));
        break;
      case "alias": {
        const { alias } = declaration;
        if (alias.kind === "outer" && alias.sort === "type") {
          scope.types.push(at(outerScope<TypeScope>(scope, alias.count).types, alias.index, "type"));
        } else if (alias.kind === "export") {
          const item = at(scope.instances, alias.instance, "instance").exports.get(alias.name);
          if (item?.sort === "type") scope.types.push(item.value);
          if (item?.sort === "instance") scope.instances.push(item.value);
        }
        break;
      }
      case "export": {
        const item = hostExport(declaration.name.name, declaration.type, scope, source);
        exports.set(declaration.name.name, item);
        if (item.sort === "type") scope.types.push(item.value);
        if (item.sort === "instance") scope.instances.push(item.value);
        break;
      }
      default:
        break;
    }
  }
  return { exports };
}

function hostExport(name: string, type: ExternType, scope: TypeScope, source: HostSource): Item {
  switch (type.kind) {
    case "function":
      return { sort: "func", value: hostFunction(name, functionTypeAt(scope, type.type), source) };
    case "type":
      if (type.bound.kind === "equal")
        return { sort: "type", value: at(scope.types, type.bound.type, "type") };
      return { sort: "type", value: hostResource(name) };
    case "instance": {
      const inner = { name: `${source.name}/${name}`, value: own(source.value, name) };
      return { sort: "instance", value: hostInstance(at(scope.types, type.type, "type"), inner) };
    }
    default:
      throw unsupportedImport(`${source.name}/${name}`, type.kind);
  }
}

/** A resource type of the host: its objects are disposed of when their last owner drops them. */
function hostResource(name: string): RuntimeType {
  const objects = new HostObjects();
  const destructor = (representation: number): void => {
    const object = objects.remove(representation);
    const dispose = own(object, Symbol.dispose as unknown as string);
    if (typeof dispose === "function") Reflect.apply(dispose, object, []);
  };
  const type: ResourceType = { name, implementation: undefined, destructor, objects };
  return { kind: "resource", type };
}

/** A function of the world: under its name, as an ES module's default export, or in camelCase. */
export function worldCall(name: string, lookup: ImportLookup): HostFunction["call"] | undefined {
  const direct = lookup.find(name);
  const call = typeof direct === "function" ? direct : own(direct, "default");
  if (typeof call === "function") return bound(call, undefined);
  return hostCall(name, { name, value: lookup.imports });
}

function hostFunction(name: string, type: FunctionType, source: HostSource): HostFunction {
  const call = hostCall(name, source);
  if (call === undefined) throw importMissing([`${name} of ${source.name}`]);
  return { kind: "host", name: `${source.name}#${name}`, type, call };
}

export function hostCall(name: string, source: HostSource): ((...args: unknown[]) => unknown) | undefined {
  const { value } = source;
  const parsed = parseFunctionName(name);
  if (parsed.kind === "free") {
    const call = own(value, camelCase(name)) ?? own(value, name);
    return typeof call === "function" ? bound(call, value) : undefined;
  }
  const Class = own(value, pascalCase(parsed.resource));
  if (typeof Class !== "function") return undefined;
  if (parsed.kind === "constructor") return (...args) => Reflect.construct(Class, args);
  const key = camelCase(parsed.name);
  if (parsed.kind === "static") {
    const call = own(Class, key);
    return typeof call === "function" ? bound(call, Class) : undefined;
  }
  if (typeof own(Class.prototype, key) !== "function") return undefined;
  return (self, ...args) => {
    // A component declares which functions return what: any object of the host could come back as any resource.
    if (!(self instanceof Class)) throw new TypeError(name);
    return Reflect.apply(Reflect.get(self, key), self, args);
  };
}

function bound(call: CallableFunction, self: unknown): (...args: unknown[]) => unknown {
  // The engine sees through a bound function, where `Reflect.apply` of collected arguments would stop it.
  return Function.prototype.bind.call(call, self);
}
