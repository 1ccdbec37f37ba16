/**
 * Notices a module that hangs, from the agent's thread: the module's own thread may never come back.
 *
 * Two rules. A call (start, init, on-timer, on-message, health) has a deadline from beginning to end. A command, whose one call never
 * returns, has to call the host now and then: the time that it computes without doing so has a deadline; waiting inside
 * a host call is no computing. A call whose time went into waiting for a rate ends by that rate's name.
 */

import type { AgentControl } from "./control-block.ts";
import type { LimitCode } from "./errors.ts";

/** Rates that make a module wait. */
type RateCode = LimitCode & ("limit/write-rate" | "limit/host-call-rate");

/** How long a module has waited for each rate so far, in milliseconds, a wait counted when it begins; as 32 bits, which wrap. */
export type WaitedMs = Readonly<Record<RateCode, () => number>>;

type OnExpired = (code: RateCode | "limit/deadline", message: string) => void;

const RATES: readonly { readonly code: RateCode; readonly waited: string }[] = [
  {
    code: "limit/write-rate",
    waited: "waiting to write: it writes more to its files than it may, so let it write less in one call",
  },
  {
    code: "limit/host-call-rate",
    waited:
      "waiting for its turn to call the host: it does so more often than it may, so let it do so less often in one call",
  },
];

/** How often a command's activity is sampled within its deadline. */
const SAMPLES_PER_DEADLINE = 4;

export class Watchdog {
  readonly #control: AgentControl;
  readonly #waitedMs: WaitedMs;
  readonly #onExpired: OnExpired;
  #timer: NodeJS.Timeout | undefined;

  constructor(control: AgentControl, waitedMs: WaitedMs, onExpired: OnExpired) {
    this.#control = control;
    this.#waitedMs = waitedMs;
    this.#onExpired = onExpired;
  }

  /** Watches one call; `what` names it in the message. A deadline may be `Infinity`, here and below. */
  watchCall(what: string, deadlineMs: number): void {
    this.rest();
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      return;
    }
    const rates = RATES.map((rate) => ({ ...rate, beforeMs: this.#waitedMs[rate.code]() }));
    this.#timer = setTimeout(() => {
      const tookTooLong = `${what} took longer than ${deadlineMs} ms`;
      // The difference is right across the wrapping, too.
      const rate = rates.find(
        ({ code, beforeMs }) => ((this.#waitedMs[code]() - beforeMs) | 0) >= deadlineMs / 2,
      );
      if (rate === undefined) this.#onExpired("limit/deadline", tookTooLong);
      else this.#onExpired(rate.code, `${tookTooLong}, most of it ${rate.waited}`);
    }, deadlineMs);
  }

  /** Watches that the module calls the host at least every `deadlineMs`. */
  watchActivity(deadlineMs: number): void {
    this.rest();
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      return;
    }
    let seenCount = this.#control.activityCount();
    let silentSamples = 0;
    this.#timer = setInterval(() => {
      const count = this.#control.activityCount();
      silentSamples = count !== seenCount || this.#control.isWaiting() ? 0 : silentSamples + 1;
      seenCount = count;
      if (silentSamples > SAMPLES_PER_DEADLINE) {
        this.rest();
        this.#onExpired("limit/deadline", `computed for ${deadlineMs} ms without a single call of the host`);
      }
    }, deadlineMs / SAMPLES_PER_DEADLINE);
  }

  /** Watches nothing. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
