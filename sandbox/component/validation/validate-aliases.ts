/**
 * Validation of aliases.
 *
 * Component Model, Binary.md "Alias Definitions", and of alias declarators in "Type Definitions".
 */

import { withArticle } from "../article.ts";
import type { Alias, CoreSort, Sort } from "../ast.ts";
import { at, outerScope, type Scope } from "./scope.ts";
import { freeResources } from "./substitute.ts";
import { violation } from "./violation.ts";

/** Appends what an alias refers to to its index space. */
export function validateAlias(alias: Alias, scope: Scope): void {
  if (scope.kind !== "component") refuseInType(alias);
  switch (alias.kind) {
    case "export":
      aliasExport(alias.sort, alias.instance, alias.name, scope);
      return;
    case "core-export":
      aliasCoreExport(alias.sort, alias.instance, alias.name, scope);
      return;
    case "outer":
      aliasOuter(alias.sort, alias.count, alias.index, scope);
      return;
  }
}

/** A type has no items, only types: and instances, as what types are aliased from. */
function refuseInType(alias: Alias): void {
  const allowed: readonly Sort[] = alias.kind === "outer" ? ["type", "core-type"] : ["type", "instance"];
  if (alias.kind === "core-export" || !allowed.includes(alias.sort)) {
    throw violation(
      `an alias inside a type may only refer to types or instances, not to ${withArticle(alias.sort)}`,
    );
  }
}

function aliasExport(sort: Sort, instance: number, name: string, scope: Scope): void {
  const extern = at(scope.instances, instance, "instance").exports.get(name);
  if (extern === undefined) throw violation(`instance ${instance} has no export named "${name}"`);
  if (extern.sort !== sort)
    throw violation(`export "${name}" of instance ${instance} is not ${withArticle(sort)}`);
  scope.add(extern);
}

function aliasCoreExport(sort: CoreSort, instance: number, name: string, scope: Scope): void {
  const extern = at(scope.coreInstances, instance, "core instance").get(name);
  if (extern === undefined) throw violation(`core instance ${instance} has no export named "${name}"`);
  if (extern.kind !== sort)
    throw violation(`export "${name}" of core instance ${instance} is not ${withArticle(sort)}`);
  scope.addCore(extern);
}

function aliasOuter(sort: Sort, count: number, index: number, scope: Scope): void {
  const { target, crossesComponent } = outerScope(scope, count);
  switch (sort) {
    case "core-module":
      scope.coreModules.push(at(target.coreModules, index, "core module"));
      return;
    case "core-type":
      scope.coreTypes.push(at(target.coreTypes, index, "core type"));
      return;
    case "component":
      scope.components.push(at(target.components, index, "component"));
      return;
    case "type": {
      const type = at(target.types, index, "type");
      // Resources are made per instance; a nested component is not part of the instance around it.
      if (crossesComponent && freeResources(type, scope.steps).length > 0) {
        throw violation(
          `type ${index} transitively refers to resources, so it cannot cross a component's boundary`,
        );
      }
      scope.types.push(type);
      return;
    }
    default:
      throw violation(`an outer alias cannot reach ${withArticle(sort)}`);
  }
}
