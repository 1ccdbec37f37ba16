/**
 * Index spaces while a component is being instantiated, and what stands in them.
 *
 * Component Model, Binary.md "Index Spaces": every definition adds to one of them, in order, and may refer to what is
 * there already; a nested component also to those of the components around it.
 */

import type { FunctionType, ValueType } from "./abi/types.ts";
import { withArticle } from "./article.ts";
import type { ComponentDefinition, CoreModule, Declaration, Sort } from "./ast.ts";
import type { ComponentFunction, CoreFunction } from "./canon-lift.ts";
import type { ComponentInstance } from "./component-instance.ts";
import { ComponentError } from "./errors.ts";
import type { ResourceType } from "./handles.ts";

/** A type with this instantiation's resource types in it. */
export type RuntimeType =
  | { readonly kind: "value"; readonly type: ValueType }
  | { readonly kind: "function"; readonly type: FunctionType }
  | { readonly kind: "resource"; readonly type: ResourceType }
  /** Evaluated for an import that the host supplies; `scope` is where its outer aliases lead. */
  | { readonly kind: "instance"; readonly declarations: readonly Declaration[]; readonly scope: TypeScope }
  /** Matched by the validator; nothing at run time depends on it. */
  | { readonly kind: "component" };

/** Where type indices are looked up: a component or a type with declarations of its own. */
export interface TypeScope {
  readonly parent: TypeScope | undefined;
  readonly types: RuntimeType[];
}

/** A component with the scope that its outer aliases refer to. */
export interface ComponentClosure {
  readonly definition: ComponentDefinition;
  readonly scope: ComponentScope | undefined;
}

/** What a component imports, exports or passes on. */
export type Item =
  | { readonly sort: "func"; readonly value: ComponentFunction }
  | { readonly sort: "type"; readonly value: RuntimeType }
  | { readonly sort: "component"; readonly value: ComponentClosure }
  | { readonly sort: "instance"; readonly value: InstanceValue }
  | { readonly sort: "core-module"; readonly value: CoreModule };

/** An instance: its exports by their exact names. */
export interface InstanceValue {
  readonly exports: ReadonlyMap<string, Item>;
}

/** A core instance: its exports, as an import object takes them. */
export type CoreInstanceValue = Readonly<Record<string, unknown>>;

/** The core index spaces that instances' exports go to, by sort. */
export interface CoreSpaces {
  readonly func: CoreFunction[];
  readonly memory: WebAssembly.Memory[];
  readonly table: unknown[];
  readonly global: unknown[];
  readonly tag: unknown[];
}

/** The index spaces of one component being instantiated. */
export class ComponentScope implements TypeScope {
  readonly parent: ComponentScope | undefined;
  readonly instance: ComponentInstance;
  readonly types: RuntimeType[] = [];
  readonly functions: ComponentFunction[] = [];
  readonly components: ComponentClosure[] = [];
  readonly instances: InstanceValue[] = [];
  readonly coreModules: CoreModule[] = [];
  readonly coreInstances: CoreInstanceValue[] = [];
  readonly core: CoreSpaces = { func: [], memory: [], table: [], global: [], tag: [] };

  constructor(parent: ComponentScope | undefined, instance: ComponentInstance) {
    this.parent = parent;
    this.instance = instance;
  }

  /** Puts the item into the index space of its sort. */
  add(item: Item): void {
    this.#space(item.sort).push(item.value);
  }

  /** The item at an index of a sort's space. */
  item(sort: Sort, index: number): Item {
    return { sort, value: at(this.#space(sort), index, sort) } as Item;
  }

  /** What stands in a space is of its sort: `add` and the linker put nothing else there. */
  #space(sort: Sort): unknown[] {
    switch (sort) {
      case "func":
        return this.functions;
      case "type":
        return this.types;
      case "component":
        return this.components;
      case "instance":
        return this.instances;
      case "core-module":
        return this.coreModules;
      default:
        throw new ComponentError(
          "component/unsupported",
          `${withArticle(sort)} can't be imported or exported`,
        );
    }
  }
}

/** The entry of an index space; the validator has checked that it is there. */
export function at<T>(space: readonly T[], index: number, what: string): T {
  const entry = space[index];
  if (entry === undefined) throw new ComponentError("component/invalid", `there is no ${what} ${index}`);
  return entry;
}

/** The scope that many levels out. */
export function outerScope<S extends TypeScope>(
  scope: S & { readonly parent: S | undefined },
  levels: number,
): S {
  let found: (S & { readonly parent: S | undefined }) | undefined = scope;
  for (let level = 0; level < levels; level++) found = found?.parent as typeof found;
  if (found === undefined) {
    throw new ComponentError(
      "component/invalid",
      `an outer alias leads ${levels} levels out, beyond the component`,
    );
  }
  return found;
}
