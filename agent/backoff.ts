/**
 * When to try again. Pure.
 *
 * Full jitter: the delay is drawn evenly from zero to a ceiling that doubles with each failure. After a broker's restart a
 * whole fleet comes back spread over the ceiling instead of in one wave.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
import {
  QUARANTINE_BASE_MS,
  QUARANTINE_CAP_MS,
  RECONNECT_BASE_MS,
  RECONNECT_CAP_MS,
  STABLE_CONNECTION_MS,
} from "./limits.ts";

/** `base` doubled `times` times, at most `cap`. */
function doubled(base: number, times: number, cap: number): number {
  // 2 ** 31 is past any cap here; bounding the exponent keeps the product finite.
  return Math.min(cap, base * 2 ** Math.min(times, 31));
}

/**
 * Milliseconds to wait before the next attempt, after `failures` failures in a row (at least one); `random` is in [0, 1).
 */
export function reconnectDelayMs(failures: number, random: number): number {
  return Math.floor(random * doubled(RECONNECT_BASE_MS, Math.max(0, failures - 1), RECONNECT_CAP_MS));
}

/**
 * Failures in a row after a connection ended that had held for `connectedMs`: one that held counts as a fresh start, one
 * that was thrown out at once (a broker that accepts and drops) goes on in the schedule.
 */
export function failuresAfter(failures: number, connectedMs: number): number {
  return connectedMs >= STABLE_CONNECTION_MS ? 1 : failures + 1;
}

/** Milliseconds for which a subscription stays out after its `strikes`-th oversized packet (from one). */
export function quarantineMs(strikes: number): number {
  return doubled(QUARANTINE_BASE_MS, Math.max(0, strikes - 1), QUARANTINE_CAP_MS);
}
