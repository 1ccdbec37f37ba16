/**
 * Reading retained messages. MQTT has no "that was all": a topic without a retained message just stays
 * silent.
 *
 * A marker helps: a topic that is known to hold a retained message, subscribed to last. Brokers hand retained
 * messages out in the order of the subscriptions (Mosquitto does; the standard does not promise it), so once
 * it has come and nothing more follows for a short while, the rest is missing. A caller takes "missing" for a
 * hint: publishing again what was there costs a transfer and harms nothing.
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

  const proceed = (): void => {
    if (seen.size >= expected) silence.finish();
    else silence.after(markerCame ? RETAINED_SETTLE_MS : RETAINED_SETTLE_WITHOUT_MARKER_MS);
  };
  try {
    const unsubscribe = await connection.subscribe(filters, (topic, payload, retained) => {
      if (topic === marker) {
        markerCame = true;
      } else {
        seen.add(topic);
        handler(topic, payload, retained);
      }
      proceed();
    });
    proceed();
    await connection.whileConnected(silence.reached);
    await unsubscribe();
  } finally {
    silence.finish();
  }
}

/** Resolves once nothing has happened for the time last asked for; rejects after RETAINED_TIMEOUT_MS. */
class Silence {
  readonly #outcome = Promise.withResolvers<void>();
  readonly #deadline: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #finished = false;

  constructor() {
    // Waited for only once the subscription stands.
    this.#outcome.promise.catch(() => {});
    this.#deadline = setTimeout(() => {
      const message = `The broker was still sending retained messages after ${RETAINED_TIMEOUT_MS / 1000} s: check what else writes to the fleet's topics`;
      this.#outcome.reject(new FleetError("fleet/broker-timeout", message));
      this.finish();
    }, RETAINED_TIMEOUT_MS);
  }

  get reached(): Promise<void> {
    return this.#outcome.promise;
  }

  after(settleMs: number): void {
    if (this.#finished) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.finish(), settleMs);
  }

  finish(): void {
    this.#finished = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#outcome.resolve();
  }
}
