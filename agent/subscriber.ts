/**
 * Keeps the broker's subscriptions as `Subscriptions` wants them, over the connection that there is: one SUBSCRIBE or UNSUBSCRIBE
 * at a time, in order.
 */

import type { Connection } from "./connection-types.ts";
import { AgentError } from "./errors.ts";
import { Subscriptions } from "./subscriptions.ts";

export class Subscriber {
  readonly #onProblem: (error: AgentError) => void;
  readonly #subscriptions = new Subscriptions();
  #connection: Connection | undefined;
  /** The connection over which a change is under way. */
  #busy: Connection | undefined;
  #releaseTimer: NodeJS.Timeout | undefined;

  /** @param onProblem told of a filter that the broker refuses */
  constructor(onProblem: (error: AgentError) => void) {
    this.#onProblem = onProblem;
  }

  want(filters: readonly string[]): void {
    for (const filter of filters) this.#subscriptions.want(filter);
    this.#settle();
  }

  unwant(filters: readonly string[]): void {
    for (const filter of filters) this.#subscriptions.unwant(filter);
    this.#settle();
  }

  isWanted(filter: string): boolean {
    return this.#subscriptions.isWanted(filter);
  }

  /** A message came by a filter that nobody wants. */
  unwanted(filter: string): void {
    this.#subscriptions.foundAtBroker(filter);
    this.#settle();
  }

  /** Leaves out what brought an oversized packet on `topic`; for the connections to come. */
  quarantine(topic: string): readonly string[] {
    return this.#subscriptions.quarantine(topic, performance.now());
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#subscriptions.reset(connection.sessionPresent);
    this.#busy = connection;
    // At once: what is published next (the status) should find the device listening for its commands.
    void this.#applyAll(connection);
  }

  /** The connection ended. */
  detach(): void {
    this.#connection = undefined;
    clearTimeout(this.#releaseTimer);
  }

  #settle(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#busy === connection) return;
    this.#busy = connection;
    // In a microtask, so that all that one caller wants goes out together.
    queueMicrotask(() => void this.#applyAll(connection));
  }

  async #applyAll(connection: Connection): Promise<void> {
    try {
      while (await this.#applyNext(connection));
      this.#awaitRelease();
    } catch {
      // The connection ended; the next one starts afresh with attach().
    } finally {
      if (this.#busy === connection) this.#busy = undefined;
    }
  }

  async #applyNext(connection: Connection): Promise<boolean> {
    if (this.#connection !== connection) return false;
    const change = this.#subscriptions.next(performance.now());
    if (change === undefined) return false;
    if (change.kind === "unsubscribe") {
      await connection.unsubscribe(change.filters);
      return true;
    }
    for (const filter of await connection.subscribe(change.filters)) {
      const message = `the broker refused a subscription to ${filter}; check the broker's access control`;
      this.#onProblem(new AgentError("link/subscribe-refused", message));
    }
    return true;
  }

  #awaitRelease(): void {
    clearTimeout(this.#releaseTimer);
    const nowMs = performance.now();
    const releaseMs = this.#subscriptions.nextReleaseMs(nowMs);
    if (releaseMs === undefined) return;
    this.#releaseTimer = setTimeout(() => this.#settle(), releaseMs - nowMs).unref();
  }
}
