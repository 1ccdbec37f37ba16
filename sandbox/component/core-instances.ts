/**
 * Core instances: embedded modules instantiated with what the component passes them, and bundles of exports.
 *
 * Component Model, Explainer.md "Instance Definitions" (`core:instance`) and "Alias Definitions".
 */

import type { CoreInstanceDefinition, CoreModule, CoreSort } from "./ast.ts";
import type { CoreFunction } from "./canon-lift.ts";
import { ComponentError } from "./errors.ts";
import { at, type ComponentScope, type CoreInstanceValue } from "./scope.ts";

/** Compiles an embedded module under the instantiation's limits. */
export type CompileCoreModule = (module: CoreModule) => WebAssembly.Module;

/** Evaluates a core instance definition; a module's start function runs here. */
export function instantiateCore(
  definition: CoreInstanceDefinition,
  scope: ComponentScope,
  compile: CompileCoreModule,
): CoreInstanceValue {
  if (definition.kind === "exports") {
    const bundle: Record<string, unknown> = Object.create(null);
    for (const { name, sort, index } of definition.exports) bundle[name] = coreItem(sort, index, scope);
    return bundle;
  }
  const imports: Record<string, Record<string, unknown>> = Object.create(null);
  for (const { name, instance } of definition.args) {
    imports[name] = at(scope.coreInstances, instance, "core instance");
  }
  const module = compile(at(scope.coreModules, definition.module, "core module"));
  try {
    return new WebAssembly.Instance(module, imports).exports;
  } catch (error) {
    if (!(error instanceof WebAssembly.LinkError) && !(error instanceof TypeError)) throw error;
    throw new ComponentError("component/invalid", `a core module can't be linked: ${error.message}`, {
      cause: error,
    });
  }
}

function coreItem(sort: CoreSort, index: number, scope: ComponentScope): unknown {
  switch (sort) {
    case "func":
      return at(scope.coreFunctions, index, "core function");
    case "table":
      return at(scope.coreTables, index, "core table");
    case "memory":
      return at(scope.coreMemories, index, "core memory");
    case "global":
      return at(scope.coreGlobals, index, "core global");
    case "tag":
      return at(scope.coreTags, index, "core tag");
    default:
      throw new ComponentError("component/invalid", `a core instance can't export a ${sort}`);
  }
}

/** Puts a core instance's export into the index space of its sort. */
export function aliasCoreExport(sort: CoreSort, value: unknown, scope: ComponentScope): void {
  switch (sort) {
    case "func":
      // The validator has matched the sort against the module's export section.
      scope.coreFunctions.push(value as CoreFunction);
      break;
    case "memory":
      scope.coreMemories.push(value as WebAssembly.Memory);
      break;
    case "table":
      scope.coreTables.push(value);
      break;
    case "global":
      scope.coreGlobals.push(value);
      break;
    case "tag":
      scope.coreTags.push(value);
      break;
    default:
      throw new ComponentError("component/unsupported", `a core instance's ${sort} can't be aliased`);
  }
}
