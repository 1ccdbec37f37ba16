/**
 * Notices a module that hangs, from the agent's thread: the module's own thread may never come back.
 *
 * Two rules. A call (start, init, on-timer, on-message, health) has a deadline from beginning to end. A command, whose one call never
 * returns, has to call the host now and then: the time that it computes without doing so has a deadline; waiting inside
 * a host call is no computing. A call whose time went into waiting for the write rate ends by the write rate's name.
 */

import type { AgentControl } from "./control-block.ts";
import type { LimitCode } from "./errors.ts";

type OnExpired = (code: LimitCode & ("limit/deadline" | "limit/write-rate"), message: string) => void;

/** How often a command's activity is sampled within its deadline. */
const SAMPLES_PER_DEADLINE = 4;

export class Watchdog {
  readonly #control: AgentControl;
  readonly #onExpired: OnExpired;
  #timer: NodeJS.Timeout | undefined;

  constructor(control: AgentControl, onExpired: OnExpired) {
    this.#control = control;
    this.#onExpired = onExpired;
  }

  /** Watches one call; `what` names it in the message. A deadline may be `Infinity`, here and below. */
  watchCall(what: string, deadlineMs: number): void {
    this.rest();
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      return;
    }
    const waitedBeforeMs = this.#control.writeWaitMs();
    this.#timer = setTimeout(() => {
      const tookTooLong = `${what} took longer than ${deadlineMs} ms`;
      // The difference is right across the word's wrapping, too.
      const waitedMs = (this.#control.writeWaitMs() - waitedBeforeMs) | 0;
      if (waitedMs < deadlineMs / 2) this.#onExpired("limit/deadline", tookTooLong);
      else {
        const message = `${tookTooLong}, most of it waiting to write: it writes more to its files than it may, so let it write less in one call`;
        this.#onExpired("limit/write-rate", message);
      }
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
