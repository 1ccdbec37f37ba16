/**
 * Core modules and components that the host supplies for imports of the outermost component: code instead of functions.
 *
 * Component Model, Explainer.md "Import and Export Definitions" and "Type Checking": what is supplied has to be a subtype of
 * what is imported. Imports inside of an imported instance are not supplied this way.
 */

import type { CoreModule } from "./ast.ts";
import { decodeCoreModule } from "./core-module.ts";
import { ComponentError } from "./errors.ts";
import type { ImportLookup } from "./host-imports.ts";
import { coreModules } from "./limit-memory.ts";
import { MAX_VALIDATION_STEPS } from "./limits.ts";
import { Component, type SuppliedDefinitions } from "./loader.ts";
import { ByteReader } from "./reader.ts";
import type { Item } from "./scope.ts";
import { typeOfComponent } from "./validate.ts";
import { Matcher } from "./validation/match.ts";
import type { Extern } from "./validation/static-types.ts";
import { coreModuleType } from "./validation/validate-core.ts";
import { StepBudget, Violation } from "./validation/violation.ts";

/** What stands for one import. */
interface Supplied {
  readonly item: Item;
  readonly type: Extern;
  readonly modules: readonly CoreModule[];
}

/**
 * Finds what the host supplies for the component's imports of core modules (their bytes) and of components (compiled ones).
 *
 * @throws ComponentError "component/import-missing" where it has none or one of another type, and the errors of decoding
 */
export function suppliedDefinitions(component: Component, lookup: ImportLookup): SuppliedDefinitions {
  const items = new Map<string, Item>();
  const modules: CoreModule[] = [];
  const wanted = component.description.imports.filter(
    ({ sort }) => sort === "core-module" || sort === "component",
  );
  if (wanted.length === 0) return { items, modules };
  const { imports } = typeOfComponent(component.definition);
  for (const { name } of wanted) {
    const found = supplied(lookup.find(name));
    const expected = imports.get(name);
    if (found === undefined || expected === undefined) {
      throw misfit(name, "it has to be a compiled component, or a core module's bytes");
    }
    const mismatch = mismatchOf(found.type, expected);
    if (mismatch !== undefined) throw misfit(name, mismatch);
    items.set(name, found.item);
    modules.push(...found.modules);
  }
  return { items, modules };
}

function supplied(value: unknown): Supplied | undefined {
  if (value instanceof Uint8Array) {
    const module = decodeCoreModule(new ByteReader(value));
    const type: Extern = { sort: "core-module", type: coreModuleType(module) };
    return { item: { sort: "core-module", value: module }, type, modules: [module] };
  }
  if (!(value instanceof Component)) return undefined;
  const { definition } = value;
  return {
    item: { sort: "component", value: { definition, scope: undefined } },
    type: { sort: "component", type: typeOfComponent(definition) },
    modules: coreModules(definition),
  };
}

function mismatchOf(actual: Extern, expected: Extern): string | undefined {
  try {
    return new Matcher([], new StepBudget(MAX_VALIDATION_STEPS)).extern(actual, expected);
  } catch (error) {
    if (error instanceof Violation) throw new ComponentError(error.code, error.message, { cause: error });
    throw error;
  }
}

function misfit(name: string, reason: string): ComponentError {
  return new ComponentError(
    "component/import-missing",
    `what the host supplies for the import ${name} does not fit: ${reason}; supply it, or build without it`,
  );
}
