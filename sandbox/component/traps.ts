/**
 * Raising a trap from JavaScript, and telling afterwards what ended a call.
 *
 * Component Model, CanonicalABI.md `trap_if`: nothing in a guest may catch a trap. An error that JavaScript throws
 * is caught by a guest's `catch_all`, even a `WebAssembly.RuntimeError` of our making; only an error that the engine
 * itself raised for a wasm instruction is not. So a trap is a real `unreachable`, executed in a module of six lines,
 * and what it stands for is remembered beside it.
 */

import { Trap, type TrapCode } from "./errors.ts";

/** What a raised trap stands for. */
type Meaning =
  | { readonly kind: "trap"; readonly code: TrapCode; readonly message: string }
  /** A host function threw: the guest ends as by a trap, and the caller gets what was thrown. */
  | { readonly kind: "host"; readonly thrown: unknown };

const meanings = new WeakMap<object, Meaning>();

/** `(module (func (export "t") unreachable))` */
const unreachableModule = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00], // type section: () -> ()
  ...[0x03, 0x02, 0x01, 0x00], // function section
  ...[0x07, 0x05, 0x01, 0x01, 0x74, 0x00, 0x00], // export section: "t"
  ...[0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b], // code section: unreachable, end
);

let unreachable: (() => void) | undefined;

/** Traps, with a message that says which rule was broken. */
export function raiseTrap(message: string, code: TrapCode = "trap/canonical-abi"): never {
  return raise({ kind: "trap", code, message });
}

/** `trap_if`: traps when the condition holds. */
export function trapIf(condition: boolean, message: string): void {
  if (condition) raiseTrap(message);
}

/** Ends the guest because a host function threw; the caller outside gets `thrown` itself. */
export function raiseHostFailure(thrown: unknown): never {
  if (isStackOverflow(thrown)) return raiseTrap("call stack exhausted", "trap/stack-overflow");
  return raise({ kind: "host", thrown });
}

function raise(meaning: Meaning): never {
  try {
    executeUnreachable();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) {
      // Whoever sees the error before our boundary does (a debugger, a log) should read the reason.
      error.message = meaning.kind === "trap" ? meaning.message : `host function failed: ${meaning.thrown}`;
      meanings.set(error, meaning);
    }
    throw error;
  }
  throw new Error("the engine executed `unreachable` and went on");
}

function executeUnreachable(): void {
  if (unreachable === undefined) {
    const exported = new WebAssembly.Instance(new WebAssembly.Module(unreachableModule)).exports["t"];
    if (typeof exported === "function") unreachable = () => exported();
  }
  unreachable?.();
}

/** Whether the error came out of guest code (as a trap, an exception or a full stack) and so ended the instance. */
export function endedGuest(error: unknown): boolean {
  return (
    error instanceof WebAssembly.RuntimeError ||
    error instanceof WebAssembly.Exception ||
    isStackOverflow(error)
  );
}

/**
 * Between components: whatever the callee threw goes on to the caller as a trap, which it can't catch
 * (spec: `call_and_trap_on_throw`).
 */
export function propagateTrap(error: unknown): never {
  if (error instanceof WebAssembly.RuntimeError) throw error;
  if (error instanceof WebAssembly.Exception) return raiseTrap("uncaught exception", "trap/wasm");
  return raiseHostFailure(error);
}

/**
 * At the host's boundary: what to throw for an error that came out of a call.
 *
 * @param subject the function that was called, for the message
 * @returns a `Trap` whose `cause` keeps the wasm stack, or what a host function had thrown, as it was
 */
export function toHostError(error: unknown, subject: string): unknown {
  const meaning = typeof error === "object" && error !== null ? meanings.get(error) : undefined;
  if (meaning?.kind === "host") return meaning.thrown;
  if (meaning !== undefined) return trapped(meaning.code, subject, meaning.message, error);
  if (error instanceof WebAssembly.RuntimeError) return trapped("trap/wasm", subject, error.message, error);
  if (error instanceof WebAssembly.Exception)
    return trapped("trap/wasm", subject, "uncaught exception", error);
  if (isStackOverflow(error)) return trapped("trap/stack-overflow", subject, "call stack exhausted", error);
  return error;
}

function trapped(code: TrapCode, subject: string, message: string, cause: unknown): Trap {
  return new Trap(code, `${subject} trapped: ${message}`, { cause });
}

function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith("Maximum call stack size");
}
