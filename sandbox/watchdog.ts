/**
 * Notices a module that hangs, from the agent's thread: the module's own thread may never come back.
 *
 * Two rules. A call (start, init, on-timer, on-message, health) has a deadline from beginning to end. A command, whose one call never
 * returns, has to call the host now and then: the time that it computes without doing so has a deadline; waiting inside
 * a host call is no computing.
 */

import type { AgentControl } from "./control-block.ts";

/** How often a command's activity is sampled within its deadline. */
const SAMPLES_PER_DEADLINE = 4;

export class Watchdog {
  readonly #control: AgentControl;
  readonly #onExpired: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(control: AgentControl, onExpired: (message: string) => void) {
    this.#control = control;
    this.#onExpired = onExpired;
  }

  /** Watches one call; `what` names it in the message. A deadline may be `Infinity`, here and below. */
  watchCall(what: string, deadlineMs: number): void {
    this.rest();
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      return;
    }
    this.#timer = setTimeout(() => this.#onExpired(`${what} took longer than ${deadlineMs} ms`), deadlineMs);
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
        this.#onExpired(`computed for ${deadlineMs} ms without a single call of the host`);
      }
    }, deadlineMs / SAMPLES_PER_DEADLINE);
  }

  /** Watches nothing. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
