/**
 * What came in on a line and was not read yet. Bounded: when it would overflow, all of it is dropped, the next read
 * is told so, and what comes afterwards counts again. Half a telegram helps nobody.
 */

import { DeviceError } from "./errors.ts";
import { MAX_SERIAL_BUFFER_BYTES } from "./limits.ts";

export class ReceiveBuffer {
  readonly #label: string;
  readonly #waiting = new Set<() => void>();
  /** What was received and not read lies from #start to #end. */
  readonly #bytes = new Uint8Array(MAX_SERIAL_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #lostBytes = 0;

  /** `label` names the port in messages. */
  constructor(label: string) {
    this.#label = label;
  }

  /** Takes bytes in; they are copied. */
  push(bytes: Uint8Array): void {
    const sizeBytes = this.#end - this.#start + bytes.length;
    if (sizeBytes > this.#bytes.length) {
      this.#lostBytes += sizeBytes;
      this.#start = this.#end = 0;
    } else {
      if (this.#end + bytes.length > this.#bytes.length) {
        this.#bytes.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      this.#bytes.set(bytes, this.#end);
      this.#end += bytes.length;
    }
    this.wake();
  }

  /** At most `maxBytes`, possibly none. Throws "device/overrun", once, after bytes were lost. */
  take(maxBytes: number): Uint8Array {
    if (this.#lostBytes > 0) {
      const lost = this.#lostBytes;
      this.#lostBytes = 0;
      throw new DeviceError(
        "device/overrun",
        `${this.#label}: ${lost} bytes came and were not read in time: read more often`,
      );
    }
    const taken = this.#bytes.slice(this.#start, Math.min(this.#start + maxBytes, this.#end));
    this.#start += taken.length;
    return taken;
  }

  /** Resolves when there is something to take, when `wake` is called, or after `timeoutMs` milliseconds. */
  async arrival(timeoutMs: number): Promise<void> {
    if (this.#end > this.#start || this.#lostBytes > 0 || timeoutMs <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#waiting.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }

  /** Ends every wait: the line was closed, or something came. */
  wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
