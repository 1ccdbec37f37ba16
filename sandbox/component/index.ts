/**
 * Components: decode, validate, instantiate. The way in for bytes from anywhere; `loader.ts` is the part of it that a
 * worker needs for a component that was validated before.
 */

import { type ComponentDescription, describeComponent as describeDefinition } from "./component-type.ts";
import { requireCheckable } from "./core-cost.ts";
import { decodeComponent } from "./decode.ts";
import { suppliedDefinitions } from "./host-definitions.ts";
import { ImportLookup, type Imports } from "./host-imports.ts";
import { type CoreLimitOptions, coreModules } from "./limit-memory.ts";
import {
  instantiate,
  invalidCoreModule,
  Component as LoadedComponent,
  type Instance as LoadedInstance,
} from "./loader.ts";
import { requireHostImports } from "./required-imports.ts";

/** A component that was decoded and validated. It can be instantiated many times. */
export type Component = LoadedComponent;

/** An instantiated component. */
export type Instance = LoadedInstance;

export interface InstantiateOptions extends CoreLimitOptions {
  /**
   * Asked for an import whose exact name is not among the imports, so that a host can match compatible versions
   * (`wasi:io/streams@0.2.3` by what it has for 0.2.6); returns `undefined` for one it does not have.
   */
  readonly resolveImport?: (name: string) => unknown;
}

/**
 * Instantiates a component: its start functions run, its exports can be called.
 *
 * @param imports interfaces and functions by their exact WIT names (or without their version); for an import of a
 *   component a compiled one, for one of a core module its bytes
 * @throws ComponentError "component/import-missing", naming all that is missing, before any code runs; and what
 *   `instantiate` of loader.ts throws
 */
export function instantiateComponent(
  component: Component,
  imports: Imports,
  options: InstantiateOptions = {},
): Instance {
  const lookup = new ImportLookup(imports, options.resolveImport);
  requireHostImports(component.description.imports, lookup);
  return instantiate(component, lookup, options, suppliedDefinitions(component, lookup));
}

/**
 * Decodes and validates a component. Its core modules are compiled when they are first instantiated.
 *
 * @throws ComponentError for anything that is not a valid component
 */
export function compileComponent(bytes: Uint8Array): Component {
  const definition = decodeComponent(bytes);
  return new LoadedComponent(definition, describeDefinition(definition));
}

/** What the component imports and exports, by name. */
export function describeComponent(component: Component): ComponentDescription {
  return component.description;
}

/**
 * Judges what it would take the engine to check and compile the core modules: nothing can interrupt it once it is asked to.
 *
 * @throws ComponentError "component/limit-exceeded" for modules that would take too long together
 */
export function requireCheckableModules(component: Component): void {
  requireCheckable(coreModules(component.definition));
}

/**
 * Has the engine check every embedded core module, without compiling or running any: for whoever stages a component
 * now and runs it later.
 *
 * @throws ComponentError "component/invalid", and "component/limit-exceeded" for modules that would take too long to check
 */
export function checkCoreModules(component: Component): void {
  requireCheckableModules(component);
  for (const module of coreModules(component.definition)) {
    if (!WebAssembly.validate(module.bytes)) throw invalidCoreModule(module, "the engine refuses it");
  }
}
