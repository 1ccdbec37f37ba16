/** Calls a reactor's `on-timer` at its interval. What falls due while the last call waits or runs is left out. */

/** Node's timers fire at once beyond this. */
const LONGEST_TIMER_MS = 0x7fffffff;

export class ReactorTimer {
  readonly #call: () => Promise<void>;
  #isPending = false;
  #interval: NodeJS.Timeout | undefined;

  /** @param call resolves when the module has dealt with the call; never rejects */
  constructor(call: () => Promise<void>) {
    this.#call = call;
  }

  start(intervalMs: number): void {
    this.#interval = setInterval(() => void this.#due(), Math.min(intervalMs, LONGEST_TIMER_MS));
  }

  stop(): void {
    clearInterval(this.#interval);
  }

  async #due(): Promise<void> {
    if (this.#isPending) return;
    this.#isPending = true;
    await this.#call();
    this.#isPending = false;
  }
}
