/**
 * What lifting and lowering work on: one guest's memory, its `realloc` and its string encoding.
 *
 * Component Model, CanonicalABI.md "Lifting and Lowering Context" and "Canonical ABI Options".
 */

import type { StringEncoding } from "../ast.ts";
import type { ComponentInstance } from "../component-instance.ts";
import type { BorrowScope, Handle } from "../handles.ts";
import { raiseTrap, trapIf } from "../traps.ts";
import { MAX_OVERLAPPING_BYTES } from "./limits.ts";
import type { NumericArray, NumericKind } from "./typed-arrays.ts";

/** `realloc(old, oldByteLength, alignment, newByteLength)`, a core function. */
export type Realloc = (old: number, oldBytes: number, alignment: number, newBytes: number) => unknown;

const noMemory = new ArrayBuffer(0);

/**
 * The context of all lifts and lowers of one component instance that have the same canonical options.
 *
 * An instance can't be entered while it is inside, so no two of its lifts or lowers are ever half done at once.
 */
export class LiftLowerContext {
  readonly instance: ComponentInstance;
  readonly stringEncoding: StringEncoding;
  readonly #memory: WebAssembly.Memory | undefined;
  readonly #realloc: Realloc | undefined;
  /** The memory as it is now: call `refresh` after anything that may have grown it. */
  bytes = Buffer.from(noMemory);
  view = new DataView(noMemory);
  /** Second result of storing a string (tagged code units) or a list (elements); the pointer is returned. */
  length = 0;
  /** The whole memory as typed arrays of other kinds, made when they are first needed. */
  #arrays: (NumericArray | undefined)[] = [];
  /** Bytes of strings and lists that the present lift has copied. */
  #copiedBytes = 0;
  /** The call whose arguments are being lifted or lowered: each call that passes borrowed handles sets its own. */
  scope = new CallScope();

  constructor(
    instance: ComponentInstance,
    stringEncoding: StringEncoding,
    memory: WebAssembly.Memory | undefined,
    realloc: Realloc | undefined,
  ) {
    this.instance = instance;
    this.stringEncoding = stringEncoding;
    this.#memory = memory;
    this.#realloc = realloc;
  }

  /**
   * Before each lift, and after whatever may have grown the memory: takes new views when it has, which detaches the old ones (their
   * length becomes 0).
   */
  refresh(): void {
    this.#copiedBytes = 0;
    if (this.bytes.length !== 0 || this.#memory === undefined) return;
    this.bytes = Buffer.from(this.#memory.buffer);
    this.view = new DataView(this.#memory.buffer);
    this.#arrays = [];
  }

  /** The whole memory as a typed array of the given kind: copying by it needs no view per list. */
  array(kind: NumericKind): NumericArray {
    const known = this.#arrays[kind.slot];
    if (known !== undefined) return known;
    const array = new kind.constructor(this.bytes.buffer);
    this.#arrays[kind.slot] = array;
    return array;
  }

  /**
   * Counts what a lift copies out of the memory, where nothing but this bounds it: any number of strings and lists may be the same
   * bytes. What does not overlap is never more than the memory.
   */
  takeCopy(byteLength: number): void {
    this.#copiedBytes += byteLength;
    if (this.#copiedBytes > MAX_OVERLAPPING_BYTES && this.#copiedBytes > this.bytes.length)
      raiseTrap("overlapping strings and lists are too long", "trap/limit");
  }

  /** Has the guest allocate `byteLength` bytes; traps when what it returns is misaligned or out of bounds. */
  allocate(alignment: number, byteLength: number): number {
    const { instance } = this;
    if (this.#realloc === undefined) return raiseTrap("a value has to be allocated, but there is no realloc");
    instance.mayLeave = false;
    const pointer = Number(this.#realloc(0, 0, alignment, byteLength)) >>> 0;
    instance.mayLeave = true;
    this.refresh();
    this.requireRange(pointer, alignment, byteLength, "realloc return");
    return pointer;
  }

  /** Traps unless the range is aligned and lies within memory. */
  requireRange(pointer: number, alignment: number, byteLength: number, what: string): void {
    if ((pointer & (alignment - 1)) !== 0)
      raiseTrap(`unaligned pointer: ${what} not aligned to ${alignment} bytes`);
    if (pointer + byteLength > this.bytes.length) raiseTrap(`${what}: beyond end of memory, out of bounds`);
  }
}

/** What one call has to give back at its end: borrowed handles handed out, handles lent, the host's wrappers. */
export class CallScope implements BorrowScope {
  borrowCount = 0;
  readonly #lenders: Handle[] = [];
  readonly #cleanups: (() => void)[] = [];

  /** Has the call borrow from the handle until `end`. */
  lend(handle: Handle): void {
    handle.lendCount += 1;
    this.#lenders.push(handle);
  }

  /** Has `cleanup` run at the call's end. */
  atEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Traps when borrowed handles that the call handed out are still there (spec: `Task.return_`). */
  requireBorrowsDropped(): void {
    trapIf(this.borrowCount !== 0, "borrow handles still remain at the end of the call");
  }

  /** Ends all loans. */
  end(): void {
    for (const handle of this.#lenders) handle.lendCount -= 1;
    for (const cleanup of this.#cleanups) cleanup();
  }
}
