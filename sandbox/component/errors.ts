/**
 * What the component loader refuses and how a running component ends, by code.
 *
 * One code per thing that somebody can do about it: see docs/SECURITY.md for the operator's side.
 */

/** Why a component was refused before a line of it ran. */
export type ComponentErrorCode =
  /** Not a component at all: random bytes, a core module, another version of the format. */
  | "component/not-a-component"
  /** The bytes break the binary format. */
  | "component/malformed"
  /** Well-formed, but breaks a validation rule. */
  | "component/invalid"
  /** Needs a feature that this loader does not have (async, threads, memory64 …): the message names it. */
  | "component/unsupported"
  /** Exceeds a limit of `limits.ts`. */
  | "component/limit-exceeded"
  /** An import that nobody supplies, or of another type. */
  | "component/import-missing"
  /** An export that the caller needs is not there. */
  | "component/export-missing";

/** A component that was refused; nothing of it has run. */
export class ComponentError extends Error {
  override readonly name = "ComponentError";
  readonly code: ComponentErrorCode;
  /** Byte offset into the component's bytes, where the decoder knows it. */
  readonly offset: number | undefined;

  constructor(code: ComponentErrorCode, message: string, options?: ErrorOptions & { offset?: number }) {
    super(message, options);
    this.code = code;
    this.offset = options?.offset;
  }
}

/** Why a running component instance ended. An instance that trapped can't be entered again. */
export type TrapCode =
  /** The guest executed `unreachable`, an out-of-bounds access, a division by zero, … */
  | "trap/wasm"
  /** The guest broke a rule of the canonical ABI: a bad pointer, string, discriminant or handle. */
  | "trap/canonical-abi"
  /** The instance was entered again while it was inside, or after it had trapped. */
  | "trap/cannot-enter"
  /** The stack ran out. */
  | "trap/stack-overflow"
  /** It holds more handles, or passes more in one call, than the host has memory for: a limit of ours, not the specification's. */
  | "trap/limit";

/** A trap: the component instance is dead, the host and everything else goes on. */
export class Trap extends Error {
  override readonly name = "Trap";
  readonly code: TrapCode;

  constructor(code: TrapCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
