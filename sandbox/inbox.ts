/**
 * The messages to one reactor: bounded in size, rate and number, handed over one at a time while the module deals with the one
 * before. What exceeds a bound is dropped, counted and answered at once; nothing ever waits for the module but the queue itself.
 */

import type { LimitCode } from "./errors.ts";
import {
  MAX_MESSAGE_BYTES,
  MAX_TOPIC_BYTES,
  MAX_WAITING_MESSAGE_BYTES,
  MAX_WAITING_MESSAGES,
} from "./limits.ts";
import type { Delivery } from "./module-spec.ts";
import { TokenBucket } from "./token-bucket.ts";
import { isTopicTooLong, topicProblem } from "./topic-filter.ts";

export interface InboxOptions {
  readonly messagesPerSecond: number;
  /** Calls the module; resolves with its error text, or `null`. */
  readonly call: (topic: string, payload: Uint8Array) => Promise<string | null>;
  /** Told of each drop; the message counts those of its code so far. */
  readonly limited: (code: LimitCode, message: string) => void;
}

interface Waiting {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly resolve: (delivery: Delivery) => void;
}

const ENDED: Delivery = { kind: "ended" };

export class Inbox {
  readonly #options: InboxOptions;
  readonly #rate: TokenBucket;
  readonly #queue: Waiting[] = [];
  readonly #dropped = new Map<LimitCode, number>();
  #queuedBytes = 0;
  #state: "closed" | "open" | "ended" = "closed";
  #isBusy = false;

  constructor(options: InboxOptions) {
    this.#options = options;
    const { messagesPerSecond } = options;
    this.#rate = new TokenBucket(messagesPerSecond, messagesPerSecond, performance.now());
  }

  /** Takes a message, or drops it; resolves when the module has dealt with it. Never rejects. The payload is copied. */
  deliver(topic: string, payload: Uint8Array): Promise<Delivery> {
    if (this.#state === "ended") return Promise.resolve(ENDED);
    const sizeBytes = sizeOf(topic, payload);
    if (payload.byteLength > MAX_MESSAGE_BYTES || isTopicTooLong(topic)) {
      return this.#drop(
        "limit/message-size",
        `at most ${MAX_MESSAGE_BYTES} bytes of payload and ${MAX_TOPIC_BYTES} of topic`,
      );
    }
    const problem = topicProblem(topic);
    if (problem !== undefined) {
      const message = `the topic ${JSON.stringify(topic)} ${problem}: send the message on another one`;
      return Promise.resolve({ kind: "refused", message });
    }
    if (!this.#rate.take(1, performance.now())) {
      return this.#drop("limit/message-rate", `at most ${this.#options.messagesPerSecond} come per second`);
    }
    if (
      this.#queue.length >= MAX_WAITING_MESSAGES ||
      this.#queuedBytes + sizeBytes > MAX_WAITING_MESSAGE_BYTES
    ) {
      const most = `at most ${MAX_WAITING_MESSAGES} wait, with ${MAX_WAITING_MESSAGE_BYTES} bytes together`;
      return this.#drop("limit/message-queue", most);
    }
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    this.#queue.push({ topic, payload: Uint8Array.from(payload), resolve });
    this.#queuedBytes += sizeBytes;
    void this.#work();
    return promise;
  }

  /** The module runs: what waits is handed over from now on. */
  open(): void {
    if (this.#state !== "closed") return;
    this.#state = "open";
    void this.#work();
  }

  /** The module has ended. */
  end(): void {
    this.#state = "ended";
    for (const { resolve } of this.#queue.splice(0)) resolve(ENDED);
    this.#queuedBytes = 0;
  }

  async #work(): Promise<void> {
    if (this.#isBusy || this.#state !== "open") return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#queuedBytes -= sizeOf(next.topic, next.payload);
      const error = await this.#options.call(next.topic, next.payload);
      next.resolve(this.#hasEnded() ? ENDED : answered(error));
    }
    this.#isBusy = false;
  }

  /** A function of its own, since it changes while the module is called. */
  #hasEnded(): boolean {
    return this.#state === "ended";
  }

  #drop(code: LimitCode, bound: string): Promise<Delivery> {
    const count = (this.#dropped.get(code) ?? 0) + 1;
    this.#dropped.set(code, count);
    const message = `${count} message${count === 1 ? "" : "s"} to it dropped so far: ${bound}`;
    this.#options.limited(code, message);
    return Promise.resolve({ kind: "dropped", code, message });
  }
}

function answered(error: string | null): Delivery {
  return error === null ? { kind: "handled" } : { kind: "failed", message: error };
}

function sizeOf(topic: string, payload: Uint8Array): number {
  return Buffer.byteLength(topic) + payload.byteLength;
}
