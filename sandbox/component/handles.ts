/**
 * Handles and resource types: one table per component instance for the handles of all its resource types.
 *
 * Component Model, CanonicalABI.md "Table State" and "Resource State". Indices start at 1 and
 * freed ones are reused last-in first-out, which the specification makes normative.
 */

import { MAX_HANDLES } from "./abi/limits.ts";
import type { ComponentInstance } from "./component-instance.ts";
import { raiseTrap, trapIf } from "./traps.ts";

/** A resource type of one instantiation: two instances of a component have two, and no handle fits both. */
export interface ResourceType {
  /** Its name in WIT, for messages and classes. */
  name: string;
  /** The instance that implements it; `undefined` for a resource of the host. */
  readonly implementation: ComponentInstance | undefined;
  /** Called with the representation when the last owner drops it. */
  readonly destructor: ((representation: number) => void) | undefined;
  /** The host's objects behind the representations of a resource of the host. */
  readonly objects: HostObjects | undefined;
}

/** The host's objects that guests hold handles of, by representation. */
export class HostObjects {
  readonly #objects: unknown[] = [undefined];
  readonly #free: number[] = [];

  /** Keeps the object and returns its representation. */
  add(object: unknown): number {
    const reused = this.#free.pop();
    if (reused === undefined) return this.#objects.push(object) - 1;
    this.#objects[reused] = object;
    return reused;
  }

  get(representation: number): unknown {
    return this.#objects[representation];
  }

  remove(representation: number): unknown {
    const object = this.#objects[representation];
    this.#objects[representation] = undefined;
    this.#free.push(representation);
    return object;
  }
}

/** What counts the borrowed handles that a call handed out and that must be dropped before it returns. */
export interface BorrowScope {
  borrowCount: number;
}

export interface Handle {
  readonly type: ResourceType;
  readonly representation: number;
  readonly own: boolean;
  /** For a borrowed handle: the call that it belongs to. */
  readonly scope: BorrowScope | undefined;
  /** How many calls in progress borrow from this owned handle. */
  lendCount: number;
  /** For a borrowed handle of a host's object: frees the representation that was made for this call. */
  readonly release: (() => void) | undefined;
}

export class HandleTable {
  readonly #entries: (Handle | undefined)[] = [undefined];
  readonly #free: number[] = [];

  /** Puts the handle in and returns its index. */
  add(handle: Handle): number {
    const reused = this.#free.pop();
    if (reused !== undefined) {
      this.#entries[reused] = handle;
      return reused;
    }
    if (this.#entries.length > MAX_HANDLES) {
      return raiseTrap(`handle table is full: ${MAX_HANDLES} handles are the most`, "trap/limit");
    }
    return this.#entries.push(handle) - 1;
  }

  /** The handle at the index; traps when there is none or it is of another resource type. */
  get(index: number, type: ResourceType): Handle {
    const handle = this.#entries[index >>> 0];
    if (handle === undefined) return raiseTrap(`unknown handle index ${index >>> 0}`);
    if (handle.type !== type) {
      return raiseTrap(
        `handle index ${index >>> 0} used with the wrong type, expected ${type.name} but found ${handle.type.name}`,
      );
    }
    return handle;
  }

  /** Takes the handle out; traps when there is none, it is of another type or lent to a call in progress. */
  remove(index: number, type: ResourceType): Handle {
    const handle = this.get(index, type);
    trapIf(handle.lendCount !== 0, "cannot remove owned resource while borrowed");
    this.#entries[index >>> 0] = undefined;
    this.#free.push(index >>> 0);
    return handle;
  }

  /** How many handles are open. */
  get size(): number {
    return this.#entries.length - 1 - this.#free.length;
  }
}

export function ownedHandle(type: ResourceType, representation: number): Handle {
  return { type, representation, own: true, scope: undefined, lendCount: 0, release: undefined };
}
