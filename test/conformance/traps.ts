/**
 * Which of this loader's trap codes fit the message of an `assert_trap`: the wording of traps is each runtime's own, but the kind must fit.
 */

import type { TrapCode } from "../../sandbox/component/errors.ts";

const KINDS: readonly (readonly [RegExp, readonly TrapCode[]])[] = [
  [/cannot enter component instance/, ["trap/cannot-enter"]],
  [/stack exhausted|stack overflow/, ["trap/stack-overflow"]],
  [/out of bounds/, ["trap/canonical-abi", "trap/wasm"]],
  [
    /unreachable|divide by zero|integer overflow|invalid conversion|indirect call|undefined element|uninitialized|null|cast failure|exception/,
    ["trap/wasm"],
  ],
];

/** The codes that a trap with this message may have. */
export function trapCodes(message: string): readonly TrapCode[] {
  return KINDS.find(([pattern]) => pattern.test(message))?.[1] ?? ["trap/canonical-abi"];
}
