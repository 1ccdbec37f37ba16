/**
 * The index spaces of one scope: a component, a component type or an instance type.
 *
 * Component Model, Explainer.md "Index Spaces"; Binary.md "Alias Definitions" for what counts as a scope. Spaces grow
 * as definitions are validated, so that an index reaches what precedes it only.
 */

import type { CoreExternType, CoreFunctionType, CoreLimits, CoreTableType, CoreValueKind } from "../ast.ts";
import { type NameScope, newNameScope } from "./extern-names.ts";
import type {
  AnyType,
  ComponentType,
  CoreModuleType,
  Extern,
  FunctionType,
  InstanceType,
  ResourceIdentity,
} from "./static-types.ts";
import { type StepBudget, violation } from "./violation.ts";
import { type Direction, VisibleTypes } from "./visibility.ts";

export type ScopeKind = "component" | "component-type" | "instance-type";

export type CoreType =
  | { readonly kind: "function"; readonly type: CoreFunctionType }
  | { readonly kind: "module"; readonly type: CoreModuleType };

export class Scope {
  readonly kind: ScopeKind;
  readonly parent: Scope | undefined;
  readonly steps: StepBudget;

  readonly coreFunctions: CoreFunctionType[] = [];
  readonly coreTables: CoreTableType[] = [];
  readonly coreMemories: CoreLimits[] = [];
  readonly coreGlobals: { readonly value: CoreValueKind; readonly mutable: boolean }[] = [];
  readonly coreTags: CoreFunctionType[] = [];
  readonly coreTypes: CoreType[] = [];
  readonly coreModules: CoreModuleType[] = [];
  readonly coreInstances: ReadonlyMap<string, CoreExternType>[] = [];

  readonly functions: FunctionType[] = [];
  readonly types: AnyType[] = [];
  readonly instances: InstanceType[] = [];
  readonly components: ComponentType[] = [];

  readonly imports = new Map<string, Extern>();
  readonly exports = new Map<string, Extern>();
  readonly importNames: NameScope = newNameScope();
  readonly exportNames: NameScope = newNameScope();
  readonly visible: VisibleTypes;

  readonly importedResources = new Set<ResourceIdentity>();
  /** Made by each instantiation: this component's own, and those of the instances that it makes. */
  readonly definedResources = new Set<ResourceIdentity>();
  /** Those that this very component defines: it alone may make handles of them and look inside. */
  readonly localResources = new Set<ResourceIdentity>();

  constructor(kind: ScopeKind, parent: Scope | undefined, steps: StepBudget) {
    this.kind = kind;
    this.parent = parent;
    this.steps = steps;
    this.visible = new VisibleTypes(steps);
  }

  /** Appends an extern to the index space of its sort. */
  add(extern: Extern): void {
    switch (extern.sort) {
      case "core-module":
        this.coreModules.push(extern.type);
        return;
      case "func":
        this.functions.push(extern.type);
        return;
      case "type":
        this.types.push(extern.type);
        return;
      case "instance":
        this.instances.push(extern.type);
        return;
      case "component":
        this.components.push(extern.type);
        return;
    }
  }

  /** Appends a core extern to the index space of its kind. */
  addCore(extern: CoreExternType): void {
    switch (extern.kind) {
      case "func":
        this.coreFunctions.push(extern.type);
        return;
      case "table":
        this.coreTables.push(extern.type);
        return;
      case "memory":
        this.coreMemories.push(extern.limits);
        return;
      case "global":
        this.coreGlobals.push({ value: extern.value, mutable: extern.mutable });
        return;
      case "tag":
        this.coreTags.push(extern.type);
        return;
    }
  }

  /** Takes over the resources that came into being with an import or an export. */
  adopt(fresh: readonly ResourceIdentity[], direction: Direction): void {
    const owned = direction === "import" ? this.importedResources : this.definedResources;
    for (const identity of fresh) owned.add(identity);
  }
}

/** The entry of an index space; refuses an index that is not (yet) there. */
export function at<T>(space: readonly T[], index: number, what: string): T {
  const entry = space[index];
  if (entry === undefined) {
    throw violation(`${what} index ${index} is out of bounds: ${space.length} are defined before it`);
  }
  return entry;
}

/** The scope `count` levels outward, and whether a component's boundary lies between. */
export function outerScope(scope: Scope, count: number): { target: Scope; crossesComponent: boolean } {
  let target = scope;
  let crossesComponent = false;
  for (let level = 0; level < count; level += 1) {
    if (target.parent === undefined) {
      throw violation(`an outer alias reaches ${count} scopes outward, where only ${level} enclose it`);
    }
    crossesComponent ||= target.kind === "component";
    target = target.parent;
  }
  return { target, crossesComponent };
}
