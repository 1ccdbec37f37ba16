/**
 * Reading retained messages. MQTT has no "that was all": a topic without a retained message just stays
 * silent.
 *
 * A marker helps: a topic that is known to hold a retained message, subscribed to last. Brokers hand retained
 * messages out in the order of the subscriptions (Mosquitto does; the standard does not promise it), so once
 * it has come and nothing more follows for a short while, the rest is missing.
 *
 * What is published meanwhile comes without the retain flag (MQTT 5.0 §3.3.1.3) and is passed over: in a busy fleet there would be no silence, a
 * marker published anew would come before what it marks the end of, and nobody can tell whether the broker keeps such a message.
 *
 * Silence alone is no proof: a broker, or this process, may get no processor time for longer than any while. So the broker is pinged at the end
 * of it. Its answer comes after all that it had sent before, on one connection, so what was on its way is read first; and if something was, the
 * silence begins anew.
 */

import type { BrokerConnection, MessageHandler } from "./broker.ts";
import { FleetError } from "./errors.ts";
import { RETAINED_SETTLE_MS, RETAINED_SETTLE_WITHOUT_MARKER_MS, RETAINED_TIMEOUT_MS } from "./limits.ts";

export interface RetainedRequest {
  /** Topics or filters; not empty. */
  readonly filters: readonly string[];
  /** A topic that holds a retained message, if one is known. */
  readonly marker?: string | undefined;
  /** How many topics can answer; when so many have, reading is done. Without it the silence decides. */
  readonly expected?: number;
}

/** Calls `handler` for each retained message; resolves when all have come as far as can be told. */
export async function readRetained(
  connection: BrokerConnection,
  request: RetainedRequest,
  handler: MessageHandler,
): Promise<void> {
  const { marker, expected = Number.POSITIVE_INFINITY } = request;
  const silence = new Silence();
  const seen = new Set<string>();
  let markerCame = false;
  const filters = marker === undefined ? request.filters : [...request.filters, marker];

  let received = 0;
  const proceed = (): void => {
    if (seen.size >= expected) silence.finish();
    else silence.after(markerCame ? RETAINED_SETTLE_MS : RETAINED_SETTLE_WITHOUT_MARKER_MS);
  };
  try {
    const unsubscribe = await connection.subscribe(filters, (topic, payload, retained) => {
      if (!retained) return;
      received += 1;
      if (topic === marker) {
        markerCame = true;
      } else {
        seen.add(topic);
        handler(topic, payload, retained);
      }
      proceed();
    });
    for (let before = -1; before !== received && seen.size < expected; ) {
      const reached = silence.next();
      proceed();
      await connection.whileConnected(reached);
      before = received;
      await connection.roundTrip();
    }
    await unsubscribe();
  } finally {
    silence.end();
  }
}

/** Tells when nothing has happened for the time last asked for; altogether it waits for RETAINED_TIMEOUT_MS. */
class Silence {
  #waiting = Promise.withResolvers<void>();
  readonly #tooLong = Promise.withResolvers<never>();
  readonly #deadline: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    // Waited for only once the subscription stands.
    this.#tooLong.promise.catch(() => {});
    this.#deadline = setTimeout(() => {
      const message = `The broker was still sending retained messages after ${RETAINED_TIMEOUT_MS / 1000} s: the line to it is slow, or more is retained on the fleet's topics than Skerry wrote`;
      this.#tooLong.reject(new FleetError("fleet/broker-timeout", message));
    }, RETAINED_TIMEOUT_MS);
  }

  /** Resolves at the next silence, or when it is finished. */
  next(): Promise<void> {
    this.#waiting = Promise.withResolvers();
    return Promise.race([this.#waiting.promise, this.#tooLong.promise]);
  }

  after(settleMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#waiting.resolve(), settleMs);
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#waiting.resolve();
  }

  /** Nobody waits any more. */
  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
  }
}
