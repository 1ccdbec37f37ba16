/**
 * How a directive came out.
 *
 * A directive passes when its code returns. What it needs and this loader does not have is thrown as `NotSupported`,
 * everything else that is thrown is a failure.
 */

import { ComponentError } from "../../sandbox/component/errors.ts";

export type Outcome =
  | { readonly kind: "passed" }
  /** Needs a feature that the loader or the text parser does not have. */
  | { readonly kind: "not supported"; readonly feature: string }
  | { readonly kind: "failed"; readonly why: string };

/** Thrown by a directive that needs what is not there; not a failure. */
export class NotSupported extends Error {
  override readonly name = "NotSupported";
}

/** Whether the loader refused a component for want of a feature. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof ComponentError && error.code === "component/unsupported";
}

/** The outcome that something thrown stands for. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof NotSupported) return { kind: "not supported", feature: error.message };

  if (error instanceof ComponentError && isUnsupported(error)) {
    return { kind: "not supported", feature: featureOf(error) };
  }
  if (error instanceof ComponentError) return { kind: "failed", why: `${error.code}: ${error.message}` };
  return { kind: "failed", why: String(error) };
}

/** The feature that the loader's message names. */
function featureOf(error: Error): string {
  return /needs (.*?)(?: at byte \d+)?, which/.exec(error.message)?.[1] ?? error.message;
}
