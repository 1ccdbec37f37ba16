/** `result` of WIT as values, where it is no function's own answer. */

export type Result<Value, Failure> =
  | { readonly tag: "ok"; readonly val: Value }
  | { readonly tag: "err"; readonly val: Failure };

/** Thrown: the `error` case of a `result` without a type for it. */
export const FAILED: { readonly payload: undefined } = { payload: undefined };

/** What a future answers for the second time. */
export const TAKEN: Result<never, undefined> = { tag: "err", val: undefined };
