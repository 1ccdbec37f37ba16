/**
 * Messages to modules (docs/ARCHITECTURE.md, "Topics"): from the operator to one module, and from one module of this device to
 * another. It decides who gets what: a module gets what its manifest asked for and the policy grants, and never its own telemetry.
 *
 * What the operator sends to a module that does not run waits a little: a connection to the broker is often there before the
 * modules are, and an update has a moment in which neither version runs.
 */
import { topicSegment } from "../ota/names.ts";
import type { Delivery } from "../sandbox/module-spec.ts";
import { topicMatches } from "../sandbox/topic-filter.ts";
import { MAX_HELD_MESSAGE_BYTES, MAX_HELD_MESSAGES, MESSAGE_HOLD_MS } from "./limits.ts";

type Deliver = (topic: string, payload: Uint8Array) => Promise<Delivery>;

/** What became of a message; the text says why it did not arrive. */
export type RoutedDelivery =
  | Delivery
  | { readonly kind: "not-running" | "not-granted"; readonly message: string };

interface Receiver {
  readonly filters: readonly string[];
  readonly deliver: Deliver;
}

interface Held {
  readonly module: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly resolve: (delivery: RoutedDelivery | Promise<RoutedDelivery>) => void;
  readonly timer: NodeJS.Timeout;
}

export class MessageRouter {
  readonly #receivers = new Map<string, Receiver>();
  readonly #held = new Set<Held>();
  #heldBytes = 0;

  /** A module starts; what is held for it is delivered. Gives the function to call when it has ended. */
  add(module: string, filters: readonly string[], deliver: Deliver): () => void {
    const receiver = { filters, deliver };
    this.#receivers.set(module, receiver);
    for (const held of this.#held) {
      if (held.module === module)
        this.#release(held, this.#deliver(module, receiver, held.topic, held.payload));
    }
    return () => {
      if (this.#receivers.get(module) === receiver) this.#receivers.delete(module);
    };
  }

  /** The operator's message to a module; `path` is what stands behind the module's name in the topic. Never rejects. */
  send(module: string, path: string, payload: Uint8Array): Promise<RoutedDelivery> {
    const topic = `message/${path}`;
    const receiver = this.#receivers.get(module);
    return receiver === undefined
      ? this.#hold(module, topic, payload)
      : this.#deliver(module, receiver, topic, payload);
  }

  /** A module published `telemetry/<path>`: the others that asked for it are told. Drops are theirs to report. */
  published(from: string, path: string, payload: Uint8Array): void {
    const topic = `telemetry/${topicSegment(from)}/${path}`;
    for (const [module, { filters, deliver }] of this.#receivers) {
      if (module !== from && isWanted(filters, topic)) void deliver(topic, payload);
    }
  }

  /** The agent ends: nothing is held any more. */
  close(): void {
    for (const held of this.#held) this.#release(held, notRunning(held.module));
  }

  async #deliver(
    module: string,
    { filters, deliver }: Receiver,
    topic: string,
    payload: Uint8Array,
  ): Promise<RoutedDelivery> {
    if (isWanted(filters, topic)) return deliver(topic, payload);
    const message = `${module} is not to be told "${topic}": its manifest has to ask for it in subscribe, and the policy to grant it`;
    return { kind: "not-granted", message };
  }

  #hold(module: string, topic: string, payload: Uint8Array): Promise<RoutedDelivery> {
    const isFull =
      this.#held.size >= MAX_HELD_MESSAGES || this.#heldBytes + payload.byteLength > MAX_HELD_MESSAGE_BYTES;
    if (isFull) return Promise.resolve(notRunning(module));
    const { promise, resolve } = Promise.withResolvers<RoutedDelivery>();
    const timer = setTimeout(() => this.#release(held, notRunning(module)), MESSAGE_HOLD_MS).unref();
    const held: Held = { module, topic, payload: Uint8Array.from(payload), resolve, timer };
    this.#held.add(held);
    this.#heldBytes += payload.byteLength;
    return promise;
  }

  #release(held: Held, delivery: RoutedDelivery | Promise<RoutedDelivery>): void {
    clearTimeout(held.timer);
    this.#held.delete(held);
    this.#heldBytes -= held.payload.byteLength;
    held.resolve(delivery);
  }
}

function isWanted(filters: readonly string[], topic: string): boolean {
  return filters.some((filter) => topicMatches(filter, topic));
}

function notRunning(module: string): RoutedDelivery {
  return {
    kind: "not-running",
    message: `${module} does not run here, or takes no messages: see the device's state`,
  };
}
