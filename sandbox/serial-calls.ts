/** The calls of one module that are about serial ports: what it was granted, what it has open, and that nothing stays open behind it. */

import { setTimeout as delay } from "node:timers/promises";
import { DONE, done, NO_PAYLOAD, type Reply, refusal } from "./host-replies.ts";
import { MAX_OPEN_HANDLES, MAX_SERIAL_BYTES, MAX_SERIAL_TIMEOUT_MS, OPENING_TIMEOUT_MS } from "./limits.ts";
import type { ModuleServices } from "./module-spec.ts";

export class SerialCalls {
  readonly #granted: readonly string[];
  readonly #services: ModuleServices;
  readonly #serviceFailed: (message: string) => void;
  readonly #openPorts = new Set<string>();
  /** The port that is being opened: closing has to wait for it, or the module's next start finds it busy. */
  #opening: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    granted: readonly string[],
    services: ModuleServices,
    serviceFailed: (message: string) => void,
  ) {
    this.#granted = granted;
    this.#services = services;
    this.#serviceFailed = serviceFailed;
  }

  async open(name: string): Promise<Reply> {
    if (!this.#granted.includes(name)) {
      return refusal("not-granted");
    }
    if (this.#openPorts.has(name) || this.#openPorts.size >= MAX_OPEN_HANDLES) {
      return refusal("busy");
    }
    const opened = this.#services.openSerial(name);
    this.#opening = opened.then(
      ({ tag }) => tag === "ok" && this.#openPorts.add(name),
      () => undefined,
    );
    const outcome = await opened;
    await this.#opening;
    if (this.#isClosed) {
      await this.#closePorts();
    }
    return done(outcome);
  }

  async closePort(name: string): Promise<Reply> {
    if (this.#openPorts.delete(name)) {
      await this.#services.closeSerial(name);
    }
    return DONE;
  }

  async read(name: string, maxBytes: number, timeoutMs: number): Promise<Reply> {
    if (!this.#openPorts.has(name)) {
      return refusal("not-granted");
    }
    if (maxBytes === 0) {
      return refusal("invalid-argument");
    }
    const boundedBytes = Math.min(maxBytes, MAX_SERIAL_BYTES);
    const boundedMs = Math.min(timeoutMs, MAX_SERIAL_TIMEOUT_MS);
    const outcome = await this.#services.readSerial(name, boundedBytes, boundedMs);
    if (outcome.tag === "err") {
      return refusal(outcome.code);
    }
    return { head: { tag: "bytes" }, payload: outcome.value.subarray(0, boundedBytes) };
  }

  async write(name: string, data: Uint8Array): Promise<Reply> {
    if (!this.#openPorts.has(name)) {
      return refusal("not-granted");
    }
    if (data.byteLength > MAX_SERIAL_BYTES) {
      return refusal("invalid-argument");
    }
    const outcome = await this.#services.writeSerial(name, data);
    return outcome.tag === "err"
      ? refusal(outcome.code)
      : { head: { tag: "count", count: outcome.value }, payload: NO_PAYLOAD };
  }

  /** Closes what the module left open. Never rejects. */
  async close(): Promise<void> {
    await this.#openingEnds();
    this.#isClosed = true;
    await this.#closePorts();
  }

  /** Or its time is over: it is closed then as soon as it is open. */
  async #openingEnds(): Promise<void> {
    const timer = new AbortController();
    const { signal } = timer;
    await Promise.race([
      this.#opening,
      delay(OPENING_TIMEOUT_MS, undefined, { signal }).catch(() => undefined),
    ]);
    timer.abort();
  }

  async #closePorts(): Promise<void> {
    for (const name of this.#openPorts) {
      this.#openPorts.delete(name);
      await this.#services.closeSerial(name).catch((error: unknown) => {
        this.#serviceFailed(`closing ${name} failed: ${error instanceof Error ? error.message : error}`);
      });
    }
  }
}
