/**
 * Core instances: embedded modules instantiated with what the component passes them, and bundles of exports.
 *
 * Component Model, Explainer.md "Instance Definitions" (`core:instance`) and "Alias Definitions".
 */

import { withArticle } from "./article.ts";
import type { CoreInstanceDefinition, CoreModule, CoreSort } from "./ast.ts";
import { ComponentError } from "./errors.ts";
import { at, type ComponentScope, type CoreInstanceValue } from "./scope.ts";

/** Compiles an embedded module under the instantiation's limits and instantiates it. */
export type InstantiateCoreModule = (
  module: CoreModule,
  imports: WebAssembly.Imports,
) => WebAssembly.Instance;

/** Evaluates a core instance definition; a module's start function runs here. */
export function instantiateCore(
  definition: CoreInstanceDefinition,
  scope: ComponentScope,
  instantiate: InstantiateCoreModule,
): CoreInstanceValue {
  if (definition.kind === "exports") {
    const bundle: Record<string, unknown> = Object.create(null);
    for (const { name, sort, index } of definition.exports)
      bundle[name] = at(coreSpace(sort, scope), index, `core ${sort}`);
    return bundle;
  }
  const imports: WebAssembly.Imports = Object.create(null);
  for (const { name, instance } of definition.args) {
    imports[name] = at(scope.coreInstances, instance, "core instance");
  }
  const module = at(scope.coreModules, definition.module, "core module");
  try {
    return instantiate(module, imports).exports;
  } catch (error) {
    if (!(error instanceof WebAssembly.LinkError) && !(error instanceof TypeError)) throw error;
    throw new ComponentError("component/invalid", `a core module can't be linked: ${error.message}`, {
      cause: error,
    });
  }
}

/** The core index space of a sort; core modules, types and instances are no exports of a core instance. */
export function coreSpace(sort: CoreSort, scope: ComponentScope): unknown[] {
  if (sort === "type" || sort === "module" || sort === "instance") {
    throw new ComponentError("component/unsupported", `a core instance can't export ${withArticle(sort)}`);
  }
  return scope.core[sort];
}
