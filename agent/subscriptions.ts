/**
 * Which topic filters the device wants, which the broker knows of, and the next SUBSCRIBE or UNSUBSCRIBE that brings the two
 * together. Pure.
 *
 * Rules:
 * - On each new connection everything wanted is subscribed again, also in a resumed session: subscribing makes the broker send
 *   the retained messages, and some may have changed while its queue for us was full.
 * - What a resumed session still holds and nobody wants any more is unsubscribed.
 * - A filter that brought an oversized packet is left out for a growing time, so that one poisoned retained message does not
 *   take the rest of the link with it.
 *
 * - The two kinds of change take turns, subscribing first. What is sent at the broker's answer to a SUBSCRIBE acknowledges it on TCP's level;
 *   without it a broker that leaves Nagle's algorithm on (Mosquitto does) would hold back what was subscribed for 40 ms.
 *
 * Example: want(a); reset(false); next() → subscribe [a]; unwant(a); next() → unsubscribe [a]; next() → undefined.
 */
import { quarantineMs } from "./backoff.ts";
import { MAX_FILTERS_PER_PACKET, MAX_FOREIGN_FILTERS } from "./limits.ts";
import { filterMatches } from "./topics.ts";

export interface SubscriptionChange {
  readonly kind: "subscribe" | "unsubscribe";
  /** At most `MAX_FILTERS_PER_PACKET`. */
  readonly filters: readonly string[];
}

interface Quarantine {
  readonly untilMs: number;
  readonly strikes: number;
}

export class Subscriptions {
  readonly #wanted = new Set<string>();
  /** Wanted, and a SUBSCRIBE is still to be sent on this connection. */
  readonly #toSubscribe = new Set<string>();
  /** The broker may hold a subscription for these. */
  readonly #atBroker = new Set<string>();
  readonly #quarantined = new Map<string, Quarantine>();
  #unsubscribesNext = false;

  /** Wants a filter; wanting it again subscribes again, which makes the broker send its retained message once more. */
  want(filter: string): void {
    this.#wanted.add(filter);
    this.#toSubscribe.add(filter);
  }

  /** Does not want the filter any more. */
  unwant(filter: string): void {
    this.#wanted.delete(filter);
    this.#toSubscribe.delete(filter);
    this.#quarantined.delete(filter);
  }

  isWanted(filter: string): boolean {
    return this.#wanted.has(filter);
  }

  /** A message came on a filter that nobody wants: an earlier run of this agent left it in the session. */
  foundAtBroker(filter: string): void {
    // A broker can make up any number of them: what does not fit is unsubscribed when it shows again.
    if (this.#atBroker.size < this.#wanted.size + MAX_FOREIGN_FILTERS) this.#atBroker.add(filter);
  }

  /** A new connection: nothing is subscribed on it yet, and unless the session was resumed the broker knows nothing. */
  reset(sessionPresent: boolean): void {
    if (!sessionPresent) this.#atBroker.clear();
    for (const filter of this.#wanted) this.#toSubscribe.add(filter);
  }

  /** Leaves out, for a while, the wanted filters that `topic` came by. Returns them. */
  quarantine(topic: string, nowMs: number): readonly string[] {
    const filters = [...this.#wanted].filter((filter) => filterMatches(filter, topic));
    for (const filter of filters) {
      const strikes = (this.#quarantined.get(filter)?.strikes ?? 0) + 1;
      this.#quarantined.set(filter, { untilMs: nowMs + quarantineMs(strikes), strikes });
      this.#toSubscribe.add(filter);
    }
    return filters;
  }

  /** When the first filter comes out of quarantine, or undefined if none is in it. */
  nextReleaseMs(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const { untilMs } of this.#quarantined.values()) {
      if (untilMs > nowMs && (next === undefined || untilMs < next)) next = untilMs;
    }
    return next;
  }

  /** The next packet to send, taken as sent; undefined when the broker has what is wanted. One at a time, in order. */
  next(nowMs: number): SubscriptionChange | undefined {
    const change = this.#unsubscribesNext
      ? (this.#nextUnsubscribe() ?? this.#nextSubscribe(nowMs))
      : (this.#nextSubscribe(nowMs) ?? this.#nextUnsubscribe());
    this.#unsubscribesNext = change?.kind === "subscribe";
    return change;
  }

  #nextUnsubscribe(): SubscriptionChange | undefined {
    const filters = firstOf(this.#atBroker, (filter) => !this.#wanted.has(filter));
    if (filters.length === 0) return undefined;
    for (const filter of filters) this.#atBroker.delete(filter);
    return { kind: "unsubscribe", filters };
  }

  #nextSubscribe(nowMs: number): SubscriptionChange | undefined {
    const filters = firstOf(
      this.#toSubscribe,
      (filter) => (this.#quarantined.get(filter)?.untilMs ?? 0) <= nowMs,
    );
    if (filters.length === 0) return undefined;
    for (const filter of filters) {
      this.#toSubscribe.delete(filter);
      this.#atBroker.add(filter);
    }
    return { kind: "subscribe", filters };
  }
}

/** The first members for which `holds`, as many as fit in one packet. */
function firstOf(set: ReadonlySet<string>, holds: (filter: string) => boolean): string[] {
  const found: string[] = [];
  for (const filter of set) {
    if (found.length === MAX_FILTERS_PER_PACKET) break;
    if (holds(filter)) found.push(filter);
  }
  return found;
}
