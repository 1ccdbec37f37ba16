/** A rate limit that lets short bursts pass. Pure: the time is passed in. */

export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #updatedMs: number;

  /** `burst` tokens are there at first and at most; `perSecond` come back. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#capacity = burst;
    this.#tokens = burst;
    this.#updatedMs = nowMs;
  }

  /** Takes `count` tokens if they are there; otherwise takes none and answers false. */
  take(count: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < count) {
      return false;
    }
    this.#tokens -= count;
    return true;
  }

  /** Takes `count` tokens, going into debt if they are not there, and answers how long to wait for them, in milliseconds. */
  reserve(count: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= count;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.#perSecond;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#updatedMs);
    this.#updatedMs = nowMs;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (elapsedMs * this.#perSecond) / 1000);
  }
}
