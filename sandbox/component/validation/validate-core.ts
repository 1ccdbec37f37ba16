/**
 * Validation of core modules' types, core types and core instances.
 *
 * Component Model, Binary.md "Instance Definitions" (`core:instance`) and "Type Definitions" (`core:type`).
 */

import { withArticle } from "../article.ts";
import type {
  CoreExternType,
  CoreExternTypeRef,
  CoreFunctionType,
  CoreInstanceDefinition,
  CoreLimits,
  CoreModule,
  CoreModuleDeclaration,
  CoreSort,
  CoreTypeDefinition,
} from "../ast.ts";
import { coreExternMismatch, importKey } from "./match-core.ts";
import { at, type CoreType, outerScope, type Scope } from "./scope.ts";
import type { CoreModuleType } from "./static-types.ts";
import { violation } from "./violation.ts";

/** Pages of 64 KiB that 32-bit and 64-bit addresses can reach. */
const MAX_MEMORY_PAGES = 2 ** 16;
const MAX_MEMORY64_PAGES = 2 ** 48;

/** The type of an embedded core module. */
export function coreModuleType(module: CoreModule): CoreModuleType {
  return newModuleType(module.imports, module.exports);
}

function newModuleType(
  imports: CoreModule["imports"],
  exports: Iterable<{ readonly name: string; readonly type: CoreExternType }>,
): CoreModuleType {
  const keys = new Set<string>();
  for (const { module, name } of imports) {
    const key = importKey(module, name);
    if (keys.has(key)) throw violation(`a core module imports "${module}" "${name}" twice`);
    keys.add(key);
  }
  const exported = new Map<string, CoreExternType>();
  for (const { name, type } of exports) {
    if (exported.has(name)) throw violation(`a core module exports "${name}" twice`);
    exported.set(name, type);
  }
  return { imports, exports: exported };
}

/** The type that a `core:deftype` defines. */
export function validateCoreType(definition: CoreTypeDefinition, scope: Scope): CoreType {
  if (definition.kind === "core-function") return { kind: "function", type: definition.type };
  const types: CoreFunctionType[] = [];
  const imports: CoreModule["imports"][number][] = [];
  const exports: { name: string; type: CoreExternType }[] = [];
  for (const declaration of definition.declarations) {
    switch (declaration.kind) {
      case "type":
      case "alias":
        types.push(moduleTypesFunction(declaration, types, scope));
        break;
      case "import": {
        const { module, name } = declaration;
        imports.push({ module, name, type: resolveCoreExtern(declaration.type, types) });
        break;
      }
      case "export":
        exports.push({ name: declaration.name, type: resolveCoreExtern(declaration.type, types) });
        break;
    }
  }
  return { kind: "module", type: newModuleType(imports, exports) };
}

/** A module type's own type index space holds function types only. A module type is itself the innermost scope. */
function moduleTypesFunction(
  declaration: Extract<CoreModuleDeclaration, { kind: "type" | "alias" }>,
  types: readonly CoreFunctionType[],
  scope: Scope,
): CoreFunctionType {
  if (declaration.kind === "type") {
    if (declaration.type.kind === "core-function") return declaration.type.type;
    throw violation("a module type cannot define module types");
  }
  if (declaration.count === 0) return at(types, declaration.index, "core type");
  const type = at(outerScope(scope, declaration.count - 1).target.coreTypes, declaration.index, "core type");
  if (type.kind === "module") throw violation("a module type cannot alias module types");
  return type.type;
}

function resolveCoreExtern(reference: CoreExternTypeRef, types: readonly CoreFunctionType[]): CoreExternType {
  switch (reference.kind) {
    case "func":
    case "tag": {
      const type = at(types, reference.type, "core type");
      if (reference.kind === "tag" && type.results.length > 0)
        throw violation("a tag's type cannot have results");
      return { kind: reference.kind, type };
    }
    case "memory":
      checkLimits(
        reference.limits,
        reference.limits.address64 ? MAX_MEMORY64_PAGES : MAX_MEMORY_PAGES,
        "memory",
      );
      return reference;
    case "table":
      checkLimits(reference.type.limits, Number.POSITIVE_INFINITY, "table");
      return reference;
    case "global":
      return reference;
  }
}

function checkLimits(limits: CoreLimits, most: number, what: string): void {
  const { minimum, maximum, shared } = limits;
  if (minimum > most || (maximum ?? 0) > most) throw violation(`a ${what} can have at most ${most} pages`);
  if (maximum !== undefined && maximum < minimum)
    throw violation(`a ${what}'s maximum is less than its minimum`);
  if (shared && maximum === undefined) throw violation(`a shared ${what} has to have a maximum`);
}

/** Appends a core instance to its index space. */
export function validateCoreInstance(instance: CoreInstanceDefinition, scope: Scope): void {
  scope.coreInstances.push(
    instance.kind === "exports"
      ? inlineCoreExports(instance.exports, scope)
      : instantiateModule(instance, scope),
  );
}

function instantiateModule(
  definition: Extract<CoreInstanceDefinition, { kind: "instantiate" }>,
  scope: Scope,
): ReadonlyMap<string, CoreExternType> {
  const module = at(scope.coreModules, definition.module, "core module");
  const args = new Map<string, ReadonlyMap<string, CoreExternType>>();
  for (const { name, instance } of definition.args) {
    if (args.has(name)) throw violation(`two core arguments are named "${name}"`);
    args.set(name, at(scope.coreInstances, instance, "core instance"));
  }
  for (const { module: moduleName, name, type } of module.imports) {
    const supplied = args.get(moduleName);
    if (supplied === undefined) throw violation(`no core argument is named "${moduleName}"`);
    const found = supplied.get(name);
    if (found === undefined) throw violation(`core argument "${moduleName}" does not export "${name}"`);
    const mismatch = coreExternMismatch(found, type);
    if (mismatch !== undefined) throw violation(`core import "${moduleName}" "${name}": ${mismatch}`);
    scope.steps.spend();
  }
  return module.exports;
}

function inlineCoreExports(
  exports: Extract<CoreInstanceDefinition, { kind: "exports" }>["exports"],
  scope: Scope,
): ReadonlyMap<string, CoreExternType> {
  const exported = new Map<string, CoreExternType>();
  for (const { name, sort, index } of exports) {
    if (exported.has(name)) throw violation(`two core exports are named "${name}"`);
    exported.set(name, coreExternAt(sort, index, scope));
  }
  return exported;
}

function coreExternAt(sort: CoreSort, index: number, scope: Scope): CoreExternType {
  switch (sort) {
    case "func":
      return { kind: "func", type: at(scope.coreFunctions, index, "core function") };
    case "table":
      return { kind: "table", type: at(scope.coreTables, index, "core table") };
    case "memory":
      return { kind: "memory", limits: at(scope.coreMemories, index, "core memory") };
    case "global":
      return { kind: "global", ...at(scope.coreGlobals, index, "core global") };
    case "tag":
      return { kind: "tag", type: at(scope.coreTags, index, "core tag") };
    default:
      throw violation(`a core instance cannot export ${withArticle(sort)}`);
  }
}
