/**
 * What a component imports and exports, by name: for policies and for checks before anything is instantiated.
 *
 * Component Model, Explainer.md "Import and Export Definitions".
 */

import type { ComponentDefinition } from "./ast.ts";
import { typeOfComponent } from "./validate.ts";
import type { Extern } from "./validation/static-types.ts";

/** One import or export of a component. */
export interface NamedType {
  /** The exact extern name: `wasi:clocks/monotonic-clock@0.2.0`, `run-it`. */
  readonly name: string;
  readonly sort: "func" | "instance" | "component" | "type" | "core-module";
  /** The names of the functions in an instance, in their order; of any other sort there are none. */
  readonly functions: readonly string[];
}

export interface ComponentDescription {
  readonly imports: readonly NamedType[];
  readonly exports: readonly NamedType[];
}

/**
 * Lists what a component imports and exports, without instantiating it.
 *
 * @throws ComponentError as `validateComponent`, which this includes.
 */
export function describeComponent(component: ComponentDefinition): ComponentDescription {
  const { imports, exports } = typeOfComponent(component);
  return { imports: Array.from(imports, describe), exports: Array.from(exports, describe) };
}

function describe([name, extern]: [string, Extern]): NamedType {
  const members = extern.sort === "instance" ? [...extern.type.exports] : [];
  const functions = members.filter(([, member]) => member.sort === "func").map(([member]) => member);
  return { name, sort: extern.sort, functions };
}
