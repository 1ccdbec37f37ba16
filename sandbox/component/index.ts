/**
 * Components: decode, validate, instantiate.
 *
 * Component Model, as WASI 0.2 uses it (synchronous; no values, async, streams, threads or 64-bit memories).
 * Values cross the boundary by jco's conventions. Nothing generates code: closures are built from types, so the agent
 * runs under `--disallow-code-generation-from-strings`.
 */

import type { ComponentDefinition, CoreModule } from "./ast.ts";
import { type ComponentDescription, describeComponent as describeDefinition } from "./component-type.ts";
import { decodeComponent } from "./decode.ts";
import { ComponentError } from "./errors.ts";
import { exportedObject } from "./exports.ts";
import { hostImport, ImportLookup, type Imports, requireHostImports } from "./host-imports.ts";
import {
  type CoreLimitOptions,
  CoreLimitPlan,
  coreModules,
  limitCoreModule,
  type ModuleLimits,
} from "./limit-memory.ts";
import { link } from "./linker.ts";
import { toHostError } from "./traps.ts";

/** A component that was decoded and validated. It can be instantiated many times. */
export class Component {
  readonly definition: ComponentDefinition;
  readonly description: ComponentDescription;
  readonly #compiled = new Map<CoreModule, CompiledModule>();

  constructor(definition: ComponentDefinition, description: ComponentDescription) {
    this.definition = definition;
    this.description = description;
  }

  /** The embedded module, compiled with the limits in it; compiled once for the same limits. */
  compile(module: CoreModule, limits: ModuleLimits): WebAssembly.Module {
    const key = JSON.stringify(limits);
    const known = this.#compiled.get(module);
    if (known?.key === key) return known.compiled;
    const compiled = compileCoreModule(module, limitCoreModule(module, limits));
    this.#compiled.set(module, { key, compiled });
    return compiled;
  }
}

interface CompiledModule {
  /** The limits that are in it. */
  readonly key: string;
  readonly compiled: WebAssembly.Module;
}

export interface InstantiateOptions extends CoreLimitOptions {
  /**
   * Asked for an import whose exact name is not among the imports, so that a host can match compatible versions
   * (`wasi:io/streams@0.2.3` by what it has for 0.2.6); returns `undefined` for one it does not have.
   */
  readonly resolveImport?: (name: string) => unknown;
}

/** An instantiated component. */
export interface Instance {
  /**
   * Interfaces under their exact WIT names, functions of the world under their camelCase and their exact names:
   * `exports["demo:sensor/probe@0.1.0"].sample()`.
   */
  readonly exports: Readonly<Record<string, unknown>>;
}

/**
 * Decodes and validates a component. Its core modules are compiled when they are first instantiated.
 *
 * @throws ComponentError for anything that is not a valid component
 */
export function compileComponent(bytes: Uint8Array): Component {
  const definition = decodeComponent(bytes);
  return new Component(definition, describeDefinition(definition));
}

/** What the component imports and exports, by name. */
export function describeComponent(component: Component): ComponentDescription {
  return component.description;
}

/**
 * Instantiates a component: its start functions run, its exports can be called.
 *
 * @param imports interfaces and functions by their exact WIT names (or without their version)
 * @throws ComponentError "component/import-missing" for an import that nobody supplies, "component/limit-exceeded"
 *   for memories or tables that do not fit the options' limits; Trap for a start function
 *   that traps
 */
export function instantiateComponent(
  component: Component,
  imports: Imports,
  options: InstantiateOptions = {},
): Instance {
  const lookup = new ImportLookup(imports, options.resolveImport);
  requireHostImports(component.description.imports, lookup);
  const plan = new CoreLimitPlan(component.definition, options);
  try {
    const instance = link(
      { definition: component.definition, scope: undefined },
      undefined,
      (name, type, scope) => hostImport(name, type, scope, lookup),
      (module) => component.compile(module, plan.take(module)),
    );
    return { exports: exportedObject(instance) };
  } catch (error) {
    throw toHostError(error, "instantiation");
  }
}

/**
 * Has the engine check every embedded core module, without compiling or running any: for whoever stages a component
 * now and runs it later.
 *
 * @throws ComponentError "component/invalid"
 */
export function checkCoreModules(component: Component): void {
  for (const module of coreModules(component.definition)) {
    if (!WebAssembly.validate(module.bytes)) throw invalidCoreModule(module, "the engine refuses it");
  }
}

function compileCoreModule(module: CoreModule, bytes: Uint8Array): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw invalidCoreModule(module, error.message, error);
  }
}

function invalidCoreModule(module: CoreModule, reason: string, cause?: unknown): ComponentError {
  return new ComponentError(
    "component/invalid",
    `the core module at offset ${module.offset} is not valid: ${reason}; build the component again`,
    { cause, offset: module.offset },
  );
}
