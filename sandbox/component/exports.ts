/**
 * An instance's exports as JavaScript objects, by jco's conventions.
 *
 * An interface is an object under its exact WIT name; functions stand under their camelCase name and, not enumerable,
 * under their exact one. Resources are classes in PascalCase.
 */

import { type ComponentFunction, hostCallable } from "./canon-lift.ts";
import type { ResourceType } from "./handles.ts";
import { guestResourceClass, setGuestConstructor } from "./host-resources.ts";
import { camelCase, parseFunctionName, pascalCase } from "./names.ts";
import type { InstanceValue, Item } from "./scope.ts";

/** A function that a component exports. */
type ExportedFunction = (...args: unknown[]) => unknown;

/** The exports of an instance, nested interfaces included. */
export function exportedObject(instance: InstanceValue, path = ""): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = Object.create(null);
  const resources = new Map<string, ResourceType>();
  for (const [name, item] of instance.exports) {
    if (item.sort !== "type" || item.value.kind !== "resource") continue;
    const { type } = item.value;
    if (type.implementation === undefined) continue;
    resources.set(name, type);
    const made = guestResourceClass(type);
    Object.defineProperty(made, "name", { value: pascalCase(name), configurable: true });
    define(object, pascalCase(name), name, made);
  }
  for (const [name, item] of instance.exports) exportItem(object, name, item, path, resources);
  return object;
}

function exportItem(
  object: Record<string, unknown>,
  name: string,
  item: Item,
  path: string,
  resources: ReadonlyMap<string, ResourceType>,
): void {
  if (item.sort === "instance") object[name] = exportedObject(item.value, name);
  if (item.sort !== "func") return;
  const callable = exportedFunction(item.value, path === "" ? name : `${path}#${name}`);
  const parsed = parseFunctionName(name);
  const type = parsed.kind === "free" ? undefined : resources.get(parsed.resource);
  if (parsed.kind === "free" || type === undefined) {
    define(object, camelCase(name), name, callable);
    return;
  }
  const made = guestResourceClass(type);
  switch (parsed.kind) {
    case "constructor":
      setGuestConstructor(type, callable);
      break;
    case "static":
      define(made, camelCase(parsed.name), parsed.name, callable);
      break;
    case "method":
      define(made.prototype, camelCase(parsed.name), parsed.name, asMethod(callable));
      break;
  }
}

function exportedFunction(item: ComponentFunction, subject: string): ExportedFunction {
  return item.kind === "host" ? item.call : hostCallable(item, subject);
}

/** The receiver is the first argument of the component's function. */
function asMethod(callable: ExportedFunction): ExportedFunction {
  return function method(this: unknown, ...args: unknown[]) {
    return callable(this, ...args);
  };
}

/** A static function may be called `name`, as every class's is; none can be called `prototype` in JavaScript. */
function define(object: object, key: string, exactName: string, value: unknown): void {
  Reflect.defineProperty(object, exactName, { value, configurable: true });
  Reflect.defineProperty(object, key, { value, enumerable: true, configurable: true });
}
