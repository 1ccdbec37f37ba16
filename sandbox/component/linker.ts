/**
 * Instantiates a component: evaluates its definitions in order, building the index spaces as it goes.
 *
 * Component Model, Explainer.md "Component Definitions" and "Instance Definitions". Instantiation is eager: a core
 * module's start function runs when its turn comes, and may already call across components.
 */

import type {
  Alias,
  Canonical,
  Definition,
  ExternName,
  ExternType,
  InstanceDefinition,
  TypeDefinition,
} from "./ast.ts";
import type { CoreFunction } from "./canon-lift.ts";
import { lowerFunction } from "./canon-lower.ts";
import { type ContextCache, canonicalContext } from "./canonical-options.ts";
import { ComponentInstance } from "./component-instance.ts";
import { coreSpace, type InstantiateCoreModule, instantiateCore } from "./core-instances.ts";
import { ComponentError } from "./errors.ts";
import type { ResourceType } from "./handles.ts";
import { resourceDrop, resourceNew, resourceRepresentation } from "./resources.ts";
import { functionTypeAt, resolveType, resourceTypeAt } from "./runtime-types.ts";
import {
  at,
  type ComponentClosure,
  ComponentScope,
  type InstanceValue,
  type Item,
  outerScope,
  type RuntimeType,
} from "./scope.ts";
import { propagateTrap } from "./traps.ts";

/** Where a component's imports come from: the host, or the arguments of an `instantiate`. */
export type ImportSource = (name: ExternName, type: ExternType, scope: ComponentScope) => Item;

/** One component being instantiated. */
interface Linking {
  readonly scope: ComponentScope;
  readonly imports: ImportSource;
  readonly instantiate: InstantiateCoreModule;
  readonly contexts: ContextCache;
  readonly exports: Map<string, Item>;
}

/** Instantiates the component; its exports are under their exact names. */
export function link(
  component: ComponentClosure,
  parent: ComponentInstance | undefined,
  imports: ImportSource,
  instantiate: InstantiateCoreModule,
): InstanceValue {
  const scope = new ComponentScope(component.scope, new ComponentInstance(parent));
  const linking: Linking = { scope, imports, instantiate, contexts: [], exports: new Map() };
  for (const definition of component.definition.definitions) evaluate(definition, linking);
  return { exports: linking.exports };
}

function evaluate(definition: Definition, linking: Linking): void {
  const { scope } = linking;
  switch (definition.kind) {
    case "core-module":
      scope.coreModules.push(definition.module);
      break;
    case "core-instance":
      scope.coreInstances.push(instantiateCore(definition.instance, scope, linking.instantiate));
      break;
    case "core-type":
      // Types of core modules were matched by the validator.
      break;
    case "component":
      scope.components.push({ definition: definition.component, scope });
      break;
    case "instance":
      scope.instances.push(makeInstance(definition.instance, linking));
      break;
    case "alias":
      evaluateAlias(definition.alias, scope);
      break;
    case "type":
      scope.types.push(makeType(definition.type, scope));
      break;
    case "canonical":
      evaluateCanonical(definition.canonical, linking);
      break;
    case "import":
      scope.add(linking.imports(definition.name, definition.type, scope));
      break;
    case "export": {
      const item = scope.item(definition.item.sort, definition.item.index);
      nameResource(item, definition.name.name);
      linking.exports.set(definition.name.name, item);
      scope.add(item);
      break;
    }
  }
}

function makeType(definition: TypeDefinition, scope: ComponentScope): RuntimeType {
  if (definition.kind !== "resource") return resolveType(definition, scope);
  const { destructor } = definition;
  const type: ResourceType = {
    name: "guest-defined resource",
    implementation: scope.instance,
    destructor:
      destructor === undefined ? undefined : guarded(at(scope.core.func, destructor, "core function")),
    objects: undefined,
  };
  return { kind: "resource", type };
}

/** A destructor whose exceptions no caller can catch. */
function guarded(destructor: CoreFunction): (representation: number) => void {
  return (representation) => {
    try {
      destructor(representation);
    } catch (error) {
      propagateTrap(error);
    }
  };
}

/** A resource has no name until it is exported; the first one is the one that messages give. */
function nameResource(item: Item, name: string): void {
  if (item.sort !== "type" || item.value.kind !== "resource") return;
  if (item.value.type.name === "guest-defined resource") item.value.type.name = name;
}

function makeInstance(definition: InstanceDefinition, linking: Linking): InstanceValue {
  const { scope } = linking;
  if (definition.kind === "exports") {
    return {
      exports: new Map(
        definition.exports.map(({ name, item }) => [name.name, scope.item(item.sort, item.index)]),
      ),
    };
  }
  const component = at(scope.components, definition.component, "component");
  const args = new Map(definition.args.map(({ name, item }) => [name, scope.item(item.sort, item.index)]));
  return link(component, scope.instance, (name) => argument(args, name), linking.instantiate);
}

function argument(args: ReadonlyMap<string, Item>, name: ExternName): Item {
  const item = args.get(name.name);
  if (item !== undefined) return item;
  throw new ComponentError(
    "component/import-missing",
    `a nested component imports ${name.name}, which it is not given`,
  );
}

function evaluateAlias(alias: Alias, scope: ComponentScope): void {
  switch (alias.kind) {
    case "export": {
      const item = at(scope.instances, alias.instance, "instance").exports.get(alias.name);
      if (item === undefined) {
        throw new ComponentError("component/invalid", `an instance has no export ${alias.name}`);
      }
      scope.add(item);
      break;
    }
    case "core-export":
      // The validator has matched the sort against the module's export section.
      coreSpace(alias.sort, scope).push(at(scope.coreInstances, alias.instance, "core instance")[alias.name]);
      break;
    case "outer": {
      if (alias.sort === "core-type") break;
      scope.add(outerScope<ComponentScope>(scope, alias.count).item(alias.sort, alias.index));
      break;
    }
  }
}

function evaluateCanonical(canonical: Canonical, linking: Linking): void {
  const { scope } = linking;
  switch (canonical.kind) {
    case "lift": {
      const { postReturn } = canonical.options;
      scope.functions.push({
        kind: "lifted",
        type: functionTypeAt(scope, canonical.type),
        core: at(scope.core.func, canonical.function, "core function"),
        cx: canonicalContext(canonical.options, scope, linking.contexts),
        postReturn: postReturn === undefined ? undefined : at(scope.core.func, postReturn, "core function"),
      });
      break;
    }
    case "lower": {
      const callee = at(scope.functions, canonical.function, "function");
      scope.core.func.push(
        lowerFunction(callee, canonicalContext(canonical.options, scope, linking.contexts)),
      );
      break;
    }
    case "resource.new":
      scope.core.func.push(core(resourceNew(scope.instance, resourceTypeAt(scope, canonical.resource))));
      break;
    case "resource.drop":
      scope.core.func.push(core(resourceDrop(scope.instance, resourceTypeAt(scope, canonical.resource))));
      break;
    case "resource.rep":
      scope.core.func.push(
        core(resourceRepresentation(scope.instance, resourceTypeAt(scope, canonical.resource))),
      );
      break;
  }
}

/** A built-in on i32 values as a core function. Whatever a host's destructor throws ends the guest. */
function core(builtIn: (value: number) => unknown): CoreFunction {
  return (value) => {
    try {
      return builtIn(Number(value));
    } catch (error) {
      return propagateTrap(error);
    }
  };
}
