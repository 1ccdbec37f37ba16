/**
 * Loads and instantiates components, without the validator: what a worker needs for a component that was validated
 * before. `index.ts` is the way in for bytes that nobody has looked at.
 *
 * Component Model, as WASI 0.2 uses it (synchronous; no values, async, streams, threads or 64-bit memories).
 * Values cross the boundary by jco's conventions. Nothing generates code: closures are built from types, so the agent
 * runs under `--disallow-code-generation-from-strings`.
 */

import type { ComponentDefinition, CoreModule, Definition } from "./ast.ts";
import type { ComponentDescription, NamedType } from "./component-type.ts";
import { decodeValidated } from "./decode.ts";
import { ComponentError } from "./errors.ts";
import { exportedObject } from "./exports.ts";
import { hostImport, type ImportLookup } from "./host-imports.ts";
import {
  type CoreLimitOptions,
  CoreLimitPlan,
  coreModules,
  limitCoreModule,
  type ModuleLimits,
} from "./limit-memory.ts";
import { link } from "./linker.ts";
import type { Item } from "./scope.ts";
import { toHostError } from "./traps.ts";

/** A component that was decoded and validated. It can be instantiated many times. */
export class Component {
  readonly definition: ComponentDefinition;
  readonly description: ComponentDescription;
  /** Weak: modules that a host supplies come and go. */
  readonly #compiled = new WeakMap<CoreModule, CompiledModule>();

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

/** An instantiated component. */
export interface Instance {
  /**
   * Interfaces under their exact WIT names, functions of the world under their camelCase and their exact names:
   * `exports["demo:sensor/probe@0.1.0"].sample()`.
   */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Linear memory that it has now, in bytes: what its core modules export, which is all that a compiler makes. */
  memoryBytes(): number;
}

/**
 * Loads bytes that `compileComponent` has accepted before: the caller answers for that, by their digest. Its
 * description has the names and sorts of imports and exports, and no functions.
 *
 * @throws ComponentError for bytes that are no component; of one that is not valid, anything may come out later
 */
export function loadValidatedComponent(bytes: Uint8Array): Component {
  const definition = decodeValidated(bytes);
  return new Component(definition, {
    imports: definition.definitions.flatMap((one) => (one.kind === "import" ? [named(one)] : [])),
    exports: definition.definitions.flatMap((one) => (one.kind === "export" ? [named(one)] : [])),
  });
}

function named(definition: Extract<Definition, { kind: "import" | "export" }>): NamedType {
  const { name } = definition.name;
  const sort = definition.kind === "import" ? definition.type.kind : definition.item.sort;
  // Values and core sorts other than modules are never imported or exported: the validator has seen to it.
  return { name, sort: (sort === "function" ? "func" : sort) as NamedType["sort"], functions: [] };
}

/** Core modules and components that the host supplies, by the names of the imports that they are for. */
export interface SuppliedDefinitions {
  readonly items: ReadonlyMap<string, Item>;
  /** All core modules in them: they share the instance's limits. */
  readonly modules: readonly CoreModule[];
}

/**
 * Instantiates a component: its start functions run, its exports can be called.
 *
 * @throws ComponentError "component/import-missing" for an import that the lookup has not, "component/limit-exceeded"
 *   for memories or tables that do not fit the limits; Trap for a start function that traps
 */
export function instantiate(
  component: Component,
  lookup: ImportLookup,
  limits: CoreLimitOptions,
  supplied?: SuppliedDefinitions,
): Instance {
  const plan = new CoreLimitPlan(
    [...coreModules(component.definition), ...(supplied?.modules ?? [])],
    limits,
  );
  const memories = new Set<WebAssembly.Memory>();
  try {
    const instance = link(
      { definition: component.definition, scope: undefined },
      undefined,
      (name, type, scope) => supplied?.items.get(name.name) ?? hostImport(name, type, scope, lookup),
      (module, imports) => {
        const instance = new WebAssembly.Instance(component.compile(module, plan.take(module)), imports);
        for (const exported of Object.values(instance.exports))
          if (exported instanceof WebAssembly.Memory) memories.add(exported);
        return instance;
      },
    );
    return { exports: exportedObject(instance), memoryBytes: () => bytesOf(memories) };
  } catch (error) {
    throw toHostError(error, "instantiation");
  }
}

function bytesOf(memories: Iterable<WebAssembly.Memory>): number {
  let bytes = 0;
  for (const { buffer } of memories) bytes += buffer.byteLength;
  return bytes;
}

function compileCoreModule(module: CoreModule, bytes: Uint8Array): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw invalidCoreModule(module, error.message, error);
  }
}

/** The error of a core module that the engine refuses. */
export function invalidCoreModule(module: CoreModule, reason: string, cause?: unknown): ComponentError {
  return new ComponentError(
    "component/invalid",
    `the core module at offset ${module.offset} is not valid: ${reason}; build the component again`,
    { cause, offset: module.offset },
  );
}
