/**
 * Both sides of a component, made from its type: stubs for all that it imports, and calls of all that it exports.
 */

import type { Instance } from "../../sandbox/component/index.ts";
import { camelCase, parseFunctionName, pascalCase } from "../../sandbox/component/names.ts";
import type {
  ComponentType,
  Extern,
  FunctionType,
  ResourceIdentity,
  ValueType,
} from "../../sandbox/component/validation/static-types.ts";
import type { Random } from "./random.ts";
import { isSame, randomJunk, randomValue, ValueTooLarge } from "./values.ts";

/** What a stub throws now and then: it has to come out of the call as it is. */
export class HostFailure extends Error {
  override readonly name = "HostFailure";
}

/** An echo that came back changed: the canonical ABI is wrong somewhere. */
export class ChangedValue extends Error {
  override readonly name = "ChangedValue";
}

class HostObject {}

export interface WorldOptions {
  /** Stubs return, and exports are given, values of wrong types now and then; stubs throw. */
  readonly hostile: boolean;
}

type AnyFunction = (...args: unknown[]) => unknown;

export class World {
  readonly #type: ComponentType;
  readonly #random: Random;
  readonly #options: WorldOptions;
  /** Objects of the guest's that came out of calls. */
  readonly #guestObjects: object[] = [];

  constructor(type: ComponentType, random: Random, options: WorldOptions) {
    this.#type = type;
    this.#random = random;
    this.#options = options;
  }

  /** What the component imports. */
  imports(): Record<string, unknown> {
    return this.#hostObject(this.#type.imports);
  }

  /** Calls each exported function with values of its types, interfaces included; `call` runs one. */
  callExports(instance: Instance, call: (name: string, run: () => void) => void): void {
    this.#callAll(this.#type.exports, instance.exports, call);
  }

  #hostObject(externs: ReadonlyMap<string, Extern>): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null);
    for (const [name, extern] of externs) {
      if (extern.sort === "instance") object[name] = this.#hostObject(extern.type.exports);
      if (extern.sort === "func") this.#addStub(object, name, extern.type);
    }
    return object;
  }

  #addStub(object: Record<string, unknown>, name: string, type: FunctionType): void {
    const parsed = parseFunctionName(name);
    const stub = this.#stub(name, type);
    if (parsed.kind === "free") {
      object[name] = stub;
      object[camelCase(name)] ??= stub;
      return;
    }
    const className = pascalCase(parsed.resource);
    object[className] ??= class {};
    const holder = parsed.kind === "static" ? object[className] : Object(object[className]).prototype;
    if (parsed.kind !== "constructor") Object(holder)[camelCase(parsed.name)] = stub;
  }

  #stub(name: string, type: FunctionType): AnyFunction {
    return (...args) => {
      if (this.#options.hostile && this.#random.percent(5)) throw new HostFailure("a stub failed");
      if (this.#options.hostile && this.#random.percent(5)) return randomJunk(this.#random);
      if (type.result === undefined) return undefined;
      const value = name.startsWith("echo") && args.length === 1 ? args[0] : this.#value(type.result);
      return type.result.shape.kind === "result" ? unwrapped(value) : value;
    };
  }

  #callAll(
    externs: ReadonlyMap<string, Extern>,
    object: Readonly<Record<string, unknown>>,
    call: (name: string, run: () => void) => void,
  ): void {
    for (const [name, extern] of externs) {
      const inner = object[name];
      if (extern.sort === "instance" && typeof inner === "object" && inner !== null) {
        this.#callAll(extern.type.exports, inner as Record<string, unknown>, call);
      }
      const exported = extern.sort === "func" ? exportedFunction(object, name) : undefined;
      if (extern.sort === "func" && exported !== undefined) {
        call(name, () => this.#callOne(name, exported, extern.type));
      }
    }
  }

  #callOne(name: string, exported: AnyFunction, type: FunctionType): void {
    const isHostile = this.#options.hostile && this.#random.percent(20);
    const args = this.#arguments(type, isHostile);
    if (args === undefined) return;
    const returned = type.result?.shape.kind === "result" ? wrapped(exported, args) : exported(...args);
    if (typeof returned === "object" && returned !== null && Symbol.dispose in returned) {
      this.#guestObjects.push(returned);
    }
    if (!this.#options.hostile && name.startsWith("echo") && !isSame(returned, args[0])) {
      throw new ChangedValue(`${name} was given ${show(args[0])} and returned ${show(returned)}`);
    }
  }

  /** `undefined` where the types have no value of a size that can be made. */
  #arguments(type: FunctionType, isHostile: boolean): unknown[] | undefined {
    try {
      return type.parameters.map((one) => (isHostile ? randomJunk(this.#random) : this.#value(one.type)));
    } catch (error) {
      if (error instanceof ValueTooLarge) return undefined;
      throw error;
    }
  }

  #value(type: ValueType): unknown {
    return randomValue(this.#random, type, (identity) => this.#resource(identity));
  }

  #resource(identity: ResourceIdentity): object {
    const isImported = this.#type.importedResources.includes(identity);
    if (isImported || this.#guestObjects.length === 0) return new HostObject();
    // Given away or dropped afterwards: what comes next has to do with another.
    return this.#guestObjects[this.#random.below(this.#guestObjects.length)] ?? new HostObject();
  }
}

function exportedFunction(object: Readonly<Record<string, unknown>>, name: string): AnyFunction | undefined {
  const parsed = parseFunctionName(name);
  let found: unknown = object[name];
  if (parsed.kind !== "free") {
    const Class = object[pascalCase(parsed.resource)];
    if (typeof Class !== "function") return undefined;
    if (parsed.kind === "constructor") return (...args) => Reflect.construct(Class, args);
    if (parsed.kind === "static") found = Reflect.get(Class, parsed.name);
    const method: unknown = parsed.kind === "method" ? Reflect.get(Class.prototype, parsed.name) : undefined;
    if (typeof method === "function") return (self, ...args) => Reflect.apply(method, self, args);
  }
  return typeof found === "function" ? (...args) => Reflect.apply(found, undefined, args) : undefined;
}

/** A `result` as a host function returns it: its error is thrown. */
function unwrapped(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { tag, val } = value as { readonly tag?: unknown; readonly val?: unknown };
  if (tag === "err") throw Object.assign(new Error("the error case"), { payload: val });
  return val;
}

/** The mirror of `unwrapped`: a function's `result` as a value. */
function wrapped(exported: AnyFunction, args: readonly unknown[]): unknown {
  try {
    return { tag: "ok", val: exported(...args) };
  } catch (error) {
    if (typeof error !== "object" || error === null || !("payload" in error)) throw error;
    return { tag: "err", val: error.payload };
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}n` : part));
  return text?.slice(0, 500) ?? String(value);
}
