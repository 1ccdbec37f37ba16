/**
 * Which version of MQTT to try next. Pure.
 *
 * MQTT 5 first. A broker without it answers CONNECT with "unacceptable protocol version", as the older protocol asks, or just closes
 * the connection, as some do. So 3.1.1 comes next after a refusal, and after a close without an answer; a 3.1.1 that fails the same way
 * gives the turn back to 5. What worked is tried first after a lost connection, unless 3.1.1 was only a guess.
 */

import type { ProtocolVersion } from "./connection-types.ts";
import type { LinkErrorCode } from "./errors.ts";

export class ProtocolChoice {
  #next: ProtocolVersion = 5;
  /** The broker itself said that it has no MQTT 5. */
  #refused = false;

  get next(): ProtocolVersion {
    return this.#next;
  }

  /**
   * An attempt with `next` ended before the broker accepted it. Returns whether the other version is worth trying at once.
   */
  failed(code: LinkErrorCode): boolean {
    const tried = this.#next;
    const silent = code === "link/lost" || code === "link/protocol-error";
    if (code !== "link/protocol-version" && !silent) {
      // Unreachable, not authorized …: says nothing about versions.
      return false;
    }
    this.#refused = tried === 5 && code === "link/protocol-version";
    this.#next = tried === 5 ? 4 : 5;
    return tried === 5;
  }

  /** A connection that had been accepted ended. */
  ended(): void {
    if (!this.#refused) this.#next = 5;
  }
}
