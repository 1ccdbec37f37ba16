/**
 * A `result` that a function returns: its ok case is returned in JavaScript, its error case thrown.
 *
 * jco's conventions: the Error carries the error case's value as `payload`.
 */

import { raiseHostFailure } from "./traps.ts";

/** The error case of a `result` that a guest's function returned. */
class ResultError extends Error {
  override readonly name = "ResultError";
  readonly payload: unknown;

  constructor(payload: unknown) {
    super(`${describe(payload)} (see error.payload)`);
    this.payload = payload;
  }
}

function describe(payload: unknown): string {
  if (typeof payload !== "object" || payload === null) return String(payload);
  return "tag" in payload ? String(payload.tag) : "error";
}

/** Returns the ok case's value, throws the error case's. */
export function unwrapResult(value: unknown): unknown {
  const { tag, val } = value as { readonly tag: string; readonly val: unknown };
  if (tag === "err") throw new ResultError(val);
  return val;
}

/** What a host function that returns a `result` threw, as the error case; anything else it may throw ends the guest. */
export function errorCase(thrown: unknown): { readonly tag: "err"; readonly val: unknown } {
  if (typeof thrown === "object" && thrown !== null && "payload" in thrown) {
    return { tag: "err", val: thrown.payload };
  }
  if (thrown instanceof Error) return raiseHostFailure(thrown);
  return { tag: "err", val: thrown };
}
