/**
 * Messages that wait to be sent: all of them pass through here, and while there is no connection they stay, within bounds. Pure.
 *
 * - `latest`: retained state and status. Only the newest message of each topic is worth sending.
 * - `event`: events and replies, in order. Beyond the bound the oldest go, counted.
 * - `telemetry`: telemetry and logs, in order. Beyond the bound the oldest go, counted.
 *
 * They leave in that order: an operator wants to see the state before a backlog of measurements.
 */
import {
  MAX_QUEUED_EVENT_BYTES,
  MAX_QUEUED_EVENTS,
  MAX_QUEUED_LATEST,
  MAX_QUEUED_TELEMETRY,
  MAX_QUEUED_TELEMETRY_BYTES,
} from "./limits.ts";

export type OutgoingKind = "latest" | "event" | "telemetry";

export interface OutgoingMessage {
  readonly kind: OutgoingKind;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Of an MQTT 5 request that this answers. */
  readonly correlationData: Uint8Array | undefined;
}

/** Messages that were given up because the queue was full, since the start. */
export interface DroppedCounts {
  readonly events: number;
  readonly telemetry: number;
}

export class Outbox {
  readonly #latest = new Map<string, OutgoingMessage>();
  readonly #events = new BoundedQueue(MAX_QUEUED_EVENTS, MAX_QUEUED_EVENT_BYTES);
  readonly #telemetry = new BoundedQueue(MAX_QUEUED_TELEMETRY, MAX_QUEUED_TELEMETRY_BYTES);

  get size(): number {
    return this.#latest.size + this.#events.size + this.#telemetry.size;
  }

  get dropped(): DroppedCounts {
    return { events: this.#events.dropped, telemetry: this.#telemetry.dropped };
  }

  /** Takes a message in; the queue's bound may push an older one out. */
  add(message: OutgoingMessage): void {
    switch (message.kind) {
      case "latest": {
        this.#latest.set(message.topic, message);
        if (this.#latest.size > MAX_QUEUED_LATEST) {
          const oldest = this.#latest.keys().next();
          if (oldest.done !== true) this.#latest.delete(oldest.value);
        }
        break;
      }
      case "event":
        this.#events.push(message);
        break;
      case "telemetry":
        this.#telemetry.push(message);
        break;
    }
  }

  /** The next message to send, removed from the queue. */
  take(): OutgoingMessage | undefined {
    const latest = this.#latest.entries().next();
    if (latest.done !== true) {
      const [topic, message] = latest.value;
      this.#latest.delete(topic);
      return message;
    }
    return this.#events.shift() ?? this.#telemetry.shift();
  }

  /**
   * Puts back messages that were taken, oldest first, and not acknowledged before the connection ended. A newer state that came
   * meanwhile stays; telemetry is not sent twice (QoS 0: at most once).
   */
  restore(messages: readonly OutgoingMessage[]): void {
    for (const message of messages.toReversed()) {
      if (message.kind === "event") this.#events.unshift(message);
      if (message.kind === "latest" && !this.#latest.has(message.topic)) {
        this.#latest.set(message.topic, message);
      }
    }
  }
}

/** First in, first out; bounded by count and by payload bytes. */
class BoundedQueue {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #messages: OutgoingMessage[] = [];
  #bytes = 0;
  #dropped = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#messages.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(message: OutgoingMessage): void {
    this.#messages.push(message);
    this.#bytes += message.payload.length;
    this.#trim();
  }

  unshift(message: OutgoingMessage): void {
    this.#messages.unshift(message);
    this.#bytes += message.payload.length;
    this.#trim();
  }

  shift(): OutgoingMessage | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.#bytes -= message.payload.length;
    return message;
  }

  #trim(): void {
    while (this.#messages.length > this.#maxCount || this.#bytes > this.#maxBytes) {
      this.shift();
      this.#dropped += 1;
    }
  }
}
