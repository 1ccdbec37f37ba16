/**
 * A broken validation rule of the Component Model (the notes under each production of Binary.md), on its way to the `ComponentError`
 * that says in which definition it was found.
 */

import type { ComponentErrorCode } from "../errors.ts";

/** Thrown inside the validator only. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly code: ComponentErrorCode;

  constructor(code: ComponentErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The component breaks a rule. */
export function violation(message: string): Violation {
  return new Violation("component/invalid", message);
}

/** The component is larger than `limits.ts` allows. */
export function limitViolation(message: string): Violation {
  return new Violation("component/limit-exceeded", message);
}

/** The component needs a feature that this loader does not have. */
export function unsupportedViolation(feature: string): Violation {
  return new Violation("component/unsupported", `needs ${feature}, which is not supported; build it without`);
}

/** Steps that the validation of one component may still take: sharing makes some types exponential when written out. */
export class StepBudget {
  #remaining: number;
  readonly #limit: number;

  constructor(limit: number) {
    this.#remaining = limit;
    this.#limit = limit;
  }

  /** Takes one step, or several at once. */
  spend(steps = 1): void {
    this.#remaining -= steps;
    if (this.#remaining < 0) throw limitViolation(`its types take more than ${this.#limit} steps to check`);
  }
}
