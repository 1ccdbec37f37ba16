/**
 * Validation of component instances: `instantiate` with its arguments, and instances made of exports.
 *
 * Component Model, Binary.md "Instance Definitions", Explainer.md "Type Checking".
 */

import { withArticle } from "../article.ts";
import type { InstanceDefinition, SortIndex } from "../ast.ts";
import { declareName, newNameScope } from "./extern-names.ts";
import { levelsAbove } from "./layout.ts";
import { Matcher } from "./match.ts";
import { at, type Scope } from "./scope.ts";
import { type Extern, type InstanceType, renamed, typesOf } from "./static-types.ts";
import { freshIdentities, Substitution } from "./substitute.ts";
import { violation } from "./violation.ts";

type Instantiation = Extract<InstanceDefinition, { kind: "instantiate" }>;

/** Appends an instance to its index space. */
export function validateInstance(definition: InstanceDefinition, scope: Scope): void {
  scope.instances.push(
    definition.kind === "exports" ? inlineExports(definition.exports, scope) : instantiate(definition, scope),
  );
}

/** The type of the item at a `sortidx`: whatever an import or export may have. */
function externAt(item: SortIndex, scope: Scope): Extern {
  const { sort, index } = item;
  switch (sort) {
    case "core-module":
      return { sort, type: at(scope.coreModules, index, "core module") };
    case "func":
      return { sort, type: at(scope.functions, index, "function") };
    case "type":
      return { sort, type: at(scope.types, index, "type") };
    case "instance":
      return { sort, type: at(scope.instances, index, "instance") };
    case "component":
      return { sort, type: at(scope.components, index, "component") };
    default:
      throw violation(`${withArticle(sort)} cannot be passed or exported by a component`);
  }
}

/** As `externAt`, for an export: a type gets a name of its own. */
export function exportedExternAt(item: SortIndex, scope: Scope): Extern {
  const extern = externAt(item, scope);
  return extern.sort === "type" ? { sort: "type", type: renamed(extern.type) } : extern;
}

function inlineExports(
  exports: Extract<InstanceDefinition, { kind: "exports" }>["exports"],
  scope: Scope,
): InstanceType {
  const names = newNameScope();
  const externs = new Map<string, Extern>();
  for (const { name, item } of exports) {
    const extern = externAt(item, scope);
    // Nothing is renamed here: types keep the names that they have, and functions are not annotated with them.
    declareName(name, extern, names);
    externs.set(name.name, extern);
  }
  return { sort: "instance", exports: externs, declaredResources: [], levels: levelsAbove(typesOf(externs)) };
}

/** Matches every import with its argument, then puts the arguments' types in place of the imports' in the exports. */
function instantiate(definition: Instantiation, scope: Scope): InstanceType {
  const component = at(scope.components, definition.component, "component");
  const args = argumentsByName(definition, scope);
  const matcher = new Matcher(component.importedResources, scope.steps);
  const pairs: [Extern, Extern][] = [];
  for (const [name, expected] of component.imports) {
    const actual = args.get(name);
    if (actual === undefined) throw violation(`no argument is given for the import "${name}"`);
    const mismatch = matcher.extern(actual, expected);
    if (mismatch !== undefined) throw violation(`argument "${name}": ${mismatch}`);
    pairs.push([expected, actual]);
  }
  const fresh = freshIdentities(component.definedResources, scope.steps);
  const substitution = new Substitution(new Map([...matcher.bindings, ...fresh]), scope.steps);
  for (const [expected, actual] of pairs) replaceNames(expected, actual, substitution);
  scope.adopt([...fresh.values()], "export");
  const exports = substitution.externs(component.exports);
  return { sort: "instance", exports, declaredResources: [], levels: levelsAbove(typesOf(exports)) };
}

function argumentsByName(definition: Instantiation, scope: Scope): Map<string, Extern> {
  const args = new Map<string, Extern>();
  for (const { name, item } of definition.args) {
    if (args.has(name)) throw violation(`two arguments are named "${name}"`);
    args.set(name, externAt(item, scope));
  }
  return args;
}

/** An imported type is from here on the very type that was supplied, under the name that it has outside. */
function replaceNames(expected: Extern, actual: Extern, substitution: Substitution): void {
  if (expected.sort === "type" && actual.sort === "type") substitution.replace(expected.type, actual.type);
  if (expected.sort !== "instance" || actual.sort !== "instance") return;
  for (const [name, wanted] of expected.type.exports) {
    const supplied = actual.type.exports.get(name);
    if (supplied !== undefined) replaceNames(wanted, supplied, substitution);
  }
}
