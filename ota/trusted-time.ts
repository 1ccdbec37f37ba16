/**
 * What time it is, on a device whose clock may be wrong: the fixed time of an update (TUF 1.0.31 §5.1, Uptane 2.1 "Full verification", step 1).
 *
 * Rules
 * - The high-water mark is the latest time that is signed: when the trusted timestamps were issued, or the agent was built. It is never earlier than that.
 *   The mark is as durable as the timestamps that it comes from, and falls with them when their keys are revoked: who stole one and signed a time
 *   far ahead locks nobody out for longer than that.
 * - Nothing but a signature raises the mark. A clock that was wrong once leaves nothing behind.
 * - From the mark on, time passes by the monotonic clock for as long as the agent runs.
 * - The machine's clock counts if it is later than that, unless the system says that it is not synchronised, or it is further ahead than any metadata
 *   is valid: then it was set wrong. Where nothing was ever signed with a time (a repository of other tools, an agent that runs from its sources) there is
 *   nothing to hold it against.
 *
 * Examples, mark 2030-06-01, agent just started:
 *
 *     1970, unknown           → 2030-06-01: updates go on, and what expired before is refused
 *     2030-07-01, synchronised → 2030-07-01
 *     2099, unknown           → 2030-06-01: it updates as if it had no clock
 */

import { MAX_CLOCK_LEAD_MS } from "./limits.ts";

/** The machine's clock. */
export interface ClockReading {
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  /** Milliseconds since some moment; only goes forward. */
  readonly monotonicMs: number;
  /** Undefined where the system does not tell. */
  readonly isSynchronised: boolean | undefined;
}

/** Keeps the time of a device, from readings of its clock and signed times. */
export class TrustedTime {
  readonly #read: () => ClockReading;
  #markMs = Number.NEGATIVE_INFINITY;
  /** What the monotonic clock is behind the time that it is at least. */
  #offsetMs = Number.NEGATIVE_INFINITY;

  constructor(read: () => ClockReading) {
    this.#read = read;
  }

  /** The time in milliseconds since 1970, given the high-water mark in the same. */
  nowMs(markMs: number): number {
    const { wallMs, monotonicMs, isSynchronised } = this.#read();
    const offsetMs = markMs - monotonicMs;
    // A mark that has fallen was one of a stolen key: what passed since it is worth nothing.
    this.#offsetMs = markMs < this.#markMs ? offsetMs : Math.max(this.#offsetMs, offsetMs);
    this.#markMs = markMs;
    const earliestMs = this.#offsetMs + monotonicMs;
    const isAhead = markMs > 0 && wallMs > earliestMs + MAX_CLOCK_LEAD_MS;
    return isSynchronised !== false && !isAhead ? Math.max(wallMs, earliestMs) : earliestMs;
  }
}

/** The latest of the signed times: `builtMs` is when the agent was built, the others when timestamps were issued, where they say. */
export function highWaterMarkMs(builtMs: number, issuedMs: readonly (number | undefined)[]): number {
  return Math.max(builtMs, ...issuedMs.map((each) => each ?? 0));
}
