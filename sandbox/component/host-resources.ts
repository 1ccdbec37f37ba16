/**
 * Resources at the host's boundary: a guest's resource is an object of a class made for its type, a host's object is
 * a representation in the guest's table.
 *
 * jco's conventions: constructor, methods and statics of a guest's resource are on its class (resource-classes.ts puts
 * them there), and `Symbol.dispose` drops it; a host's object is disposed of when its last owner drops the handle.
 */

import type { LiftLowerContext } from "./abi/context.ts";
import type { ResourceType } from "./handles.ts";
import { destructorFor } from "./resources.ts";
import { toHostError } from "./traps.ts";

/** What an object of a guest's resource class stands for. */
interface GuestHandle {
  readonly type: ResourceType;
  readonly representation: number;
  readonly own: boolean;
  /** Calls in progress that borrow from it. */
  lendCount: number;
  /** Dropped, given back to a guest, or borrowed for a call that is over. */
  gone: boolean;
}

const handles = new WeakMap<object, GuestHandle>();
/** Passed to a class's constructor to wrap a handle that is there already. */
const adopt = Symbol("adopt");

/** A resource that a guest implements, as the host holds it. */
class GuestResource {
  constructor(handle: GuestHandle) {
    handles.set(this, handle);
  }

  /** Drops the handle: the guest's destructor runs. Does nothing when it is gone already or only borrowed. */
  [Symbol.dispose](): void {
    const handle = handles.get(this);
    if (handle === undefined || handle.gone || !handle.own) return;
    if (handle.lendCount !== 0) throw new TypeError(`${handle.type.name} is borrowed by a call in progress`);
    handle.gone = true;
    try {
      destructorFor(handle.type, undefined)(handle.representation);
    } catch (error) {
      throw toHostError(error, `the destructor of ${handle.type.name}`);
    }
  }
}

type GuestResourceClass = new (...args: unknown[]) => GuestResource;

const classes = new WeakMap<ResourceType, GuestResourceClass>();
const constructors = new WeakMap<ResourceType, (...args: unknown[]) => unknown>();

/** The class of a guest's resource type, made when it is first needed. */
export function guestResourceClass(type: ResourceType): GuestResourceClass {
  let made = classes.get(type);
  if (made === undefined) {
    made = class extends GuestResource {
      constructor(...args: unknown[]) {
        super(args[0] === adopt ? (args[1] as GuestHandle) : construct(type, args));
      }
    };
    classes.set(type, made);
  }
  return made;
}

/** Says which function `new` calls; it returns an object of the class. */
export function setGuestConstructor(type: ResourceType, construct: (...args: unknown[]) => unknown): void {
  constructors.set(type, construct);
}

function construct(type: ResourceType, args: readonly unknown[]): GuestHandle {
  const made = constructors.get(type)?.(...args);
  const handle = typeof made === "object" && made !== null ? handles.get(made) : undefined;
  if (handle === undefined) throw new TypeError(`${type.name} has no constructor`);
  return handle;
}

/** An owned handle leaves the guest: the host gets its own object back, or an object of the guest's class. */
export function toHostOwn(type: ResourceType, representation: number): unknown {
  if (type.objects !== undefined) return type.objects.remove(representation);
  const handle: GuestHandle = { type, representation, own: true, lendCount: 0, gone: false };
  return new (guestResourceClass(type))(adopt, handle);
}

/** The host may use the resource until the current call is over. */
export function toHostBorrow(cx: LiftLowerContext, type: ResourceType, representation: number): unknown {
  if (type.objects !== undefined) return type.objects.get(representation);
  const handle: GuestHandle = { type, representation, own: false, lendCount: 0, gone: false };
  cx.scope.atEnd(() => {
    handle.gone = true;
  });
  return new (guestResourceClass(type))(adopt, handle);
}

/** The guest becomes the owner of a host's object, or gets its own resource back. Returns the representation. */
export function fromHostOwn(type: ResourceType, value: unknown): number {
  if (type.objects !== undefined) return type.objects.add(requireObject(type, value));
  const handle = requireHandle(type, value);
  if (!handle.own) throw new TypeError(`${type.name} is only borrowed and can't be given away`);
  if (handle.lendCount !== 0) throw new TypeError(`${type.name} is borrowed by a call in progress`);
  handle.gone = true;
  return handle.representation;
}

/** The guest may use the object for the current call. `release` is to run when the guest drops its handle. */
export function fromHostBorrow(
  cx: LiftLowerContext,
  type: ResourceType,
  value: unknown,
): { readonly representation: number; readonly release: (() => void) | undefined } {
  const { objects } = type;
  if (objects !== undefined) {
    const representation = objects.add(requireObject(type, value));
    return { representation, release: () => objects.remove(representation) };
  }
  const handle = requireHandle(type, value);
  handle.lendCount += 1;
  cx.scope.atEnd(() => {
    handle.lendCount -= 1;
  });
  return { representation: handle.representation, release: undefined };
}

function requireObject(type: ResourceType, value: unknown): object {
  if (typeof value === "object" && value !== null) return value;
  throw new TypeError(`expected an object for the resource ${type.name}, got ${typeof value}`);
}

function requireHandle(type: ResourceType, value: unknown): GuestHandle {
  const handle = typeof value === "object" && value !== null ? handles.get(value) : undefined;
  if (handle?.type !== type) throw new TypeError(`expected a resource ${type.name} of this instance`);
  if (handle.gone) throw new TypeError(`the resource ${type.name} was dropped or given away`);
  return handle;
}
