/**
 * The time of day that a module's worker goes by, in nanoseconds.
 *
 * `Date.now()` has milliseconds where the times of files have nanoseconds: a module that has just written a file would find it
 * written in the future. Node has no finer clock (`performance.timeOrigin` stays as it is when the clock is set), so the
 * monotonic clock counts between the milliseconds, always within the one that `Date.now()` says.
 */

import { monotonicNs } from "./monotonic-time.ts";

const NS_PER_MS = 1_000_000n;

/** What the monotonic clock and the time of day differ by; undefined before anybody asked. */
let offsetNs: bigint | undefined;

/** Nanoseconds since 1970: never behind the system's, ahead by a microsecond or so. Goes back only when that is set back. */
export function wallTimeNs(): bigint {
  offsetNs ??= offsetAtNextMillisecond();
  // In this order: an interruption between the two leaves it ahead for a while, not behind.
  const passedNs = monotonicNs();
  const startNs = BigInt(Date.now()) * NS_PER_MS;
  const timeNs = clamped(passedNs + offsetNs, startNs, startNs + NS_PER_MS - 1n);
  offsetNs = timeNs - passedNs;
  return timeNs;
}

/** Busy until the next millisecond begins, once. */
function offsetAtNextMillisecond(): bigint {
  let earlierNs = monotonicNs();
  const firstMs = Date.now();
  for (;;) {
    const passedNs = monotonicNs();
    const nowMs = Date.now();
    // The reading before: it is known to lie before the new millisecond, which an interruption may have put between these two.
    if (nowMs !== firstMs) return BigInt(nowMs) * NS_PER_MS - earlierNs;
    earlierNs = passedNs;
  }
}

function clamped(value: bigint, minimum: bigint, maximum: bigint): bigint {
  if (value < minimum) return minimum;
  return value > maximum ? maximum : value;
}
