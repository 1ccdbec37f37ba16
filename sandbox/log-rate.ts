/** How many log lines, and how many bytes of them, a module may write: kept by its worker, and by the agent's side once more. */

import { LOG_BURST_SECONDS } from "./limits.ts";
import { monotonicMs } from "./monotonic-time.ts";
import { TokenBucket } from "./token-bucket.ts";

export class LogRate {
  readonly #lines: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(linesPerSecond: number, bytesPerSecond: number) {
    const nowMs = monotonicMs();
    this.#lines = new TokenBucket(linesPerSecond, linesPerSecond * LOG_BURST_SECONDS, nowMs);
    this.#bytes = new TokenBucket(bytesPerSecond, bytesPerSecond * LOG_BURST_SECONDS, nowMs);
  }

  /** Whether the line may go out; if not, it is to be dropped. */
  take(text: string): boolean {
    const nowMs = monotonicMs();
    return this.#bytes.take(Buffer.byteLength(text), nowMs) && this.#lines.take(1, nowMs);
  }
}
