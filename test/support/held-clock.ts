/** A clock that stands until a test moves it. */

import type { Clock } from "../../ota/clock.ts";

export class HeldClock implements Clock {
  #nowMs = 0;
  /** Told of each timer that is set. */
  onTimer: () => void = () => undefined;
  readonly #timers = new Map<() => void, number>();

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const fire = (): void => callback();
    this.#timers.set(fire, this.#nowMs + delayMs);
    this.onTimer();
    return () => this.#timers.delete(fire);
  }

  /** Milliseconds until each timer that is set, soonest first. */
  get pendingMs(): number[] {
    return [...this.#timers.values()].map((dueMs) => dueMs - this.#nowMs).sort((one, other) => one - other);
  }

  /** Moves on, firing what falls due in between, in order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(([, dueMs]) => dueMs <= untilMs)
        .sort(([, one], [, other]) => one - other);
      if (next === undefined) break;
      const [fire, dueMs] = next;
      this.#timers.delete(fire);
      this.#nowMs = dueMs;
      fire();
    }
    this.#nowMs = untilMs;
  }
}
