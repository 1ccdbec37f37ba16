/**
 * Waits until it has become quiet: acts once for a burst of messages, but at the latest some time after the first of them, so that a
 * flood puts nothing off for ever.
 */

export class Settling {
  readonly #quietMs: number;
  readonly #maxMs: number;
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the first message of the burst came. */
  #sinceMs: number | undefined;

  /** Acts `quietMs` after the last message, at the latest `maxMs` after the first one; both in milliseconds. */
  constructor(quietMs: number, maxMs: number, act: () => void) {
    this.#quietMs = quietMs;
    this.#maxMs = maxMs;
    this.#act = act;
  }

  /** A message came. */
  touch(): void {
    const nowMs = performance.now();
    this.#sinceMs ??= nowMs;
    const leftMs = Math.max(0, this.#sinceMs + this.#maxMs - nowMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#sinceMs = undefined;
        this.#act();
      },
      Math.min(this.#quietMs, leftMs),
    );
  }

  /** Does not act any more for what came. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#sinceMs = undefined;
  }
}
