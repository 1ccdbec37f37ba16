/**
 * The calls of one module, checked and carried out on the agent's side.
 *
 * Each is held against the grants, the limits and what the module has open; the worker's own checks count for nothing.
 * Calls that come too fast wait; messages that come too fast are answered `rate-limited`, as wit/messaging.wit says.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { HostCall } from "./channel.ts";
import type { LimitCode } from "./errors.ts";
import { DONE, done, NO_PAYLOAD, type Reply, refusal } from "./host-replies.ts";
import { DEFAULT_NETWORK_CALLS_PER_SECOND, MAX_MESSAGE_BYTES, MAX_UNIT_LENGTH } from "./limits.ts";
import type { ModuleGrants, ModuleServices } from "./module-spec.ts";
import type { NetworkCalls } from "./network/network-calls.ts";
import type { NetworkCall, NetworkReply } from "./network/protocol.ts";
import { SerialCalls } from "./serial-calls.ts";
import { TokenBucket } from "./token-bucket.ts";
import { isValidTopic, topicMatches } from "./topic-filter.ts";

export interface HostCallLimits {
  readonly hostCallsPerSecond: number;
  readonly messagesPerSecond: number;
  readonly messageBytesPerSecond: number;
}

/** Told what the module itself is not told. */
export interface HostCallNotes {
  limited(code: LimitCode, message: string): void;
  /** A service rejected, which it should not. */
  serviceFailed(message: string): void;
  /** The module tried to reach what its grants do not allow. */
  networkRefused(what: string): void;
}

export class HostCalls {
  readonly #grants: ModuleGrants;
  readonly #services: ModuleServices;
  readonly #limits: HostCallLimits;
  readonly #notes: HostCallNotes;
  readonly #calls: TokenBucket;
  readonly #messages: TokenBucket;
  readonly #messageBytes: TokenBucket;
  readonly #networkRate: TokenBucket;
  readonly #serial: SerialCalls;
  readonly #ended = new AbortController();
  #networkCalls: NetworkCalls | undefined;
  #waitedMs = 0;

  constructor(grants: ModuleGrants, services: ModuleServices, limits: HostCallLimits, notes: HostCallNotes) {
    const nowMs = performance.now();
    this.#grants = grants;
    this.#services = services;
    this.#limits = limits;
    this.#notes = notes;
    this.#serial = new SerialCalls(grants.serial, services, (message) => notes.serviceFailed(message));
    this.#calls = new TokenBucket(limits.hostCallsPerSecond, limits.hostCallsPerSecond, nowMs);
    this.#networkRate = new TokenBucket(
      DEFAULT_NETWORK_CALLS_PER_SECOND,
      DEFAULT_NETWORK_CALLS_PER_SECOND,
      nowMs,
    );
    this.#messages = new TokenBucket(limits.messagesPerSecond, limits.messagesPerSecond, nowMs);
    // A single message of the largest size has to fit, whatever the rate.
    const burstBytes = Math.max(limits.messageBytesPerSecond, MAX_MESSAGE_BYTES * 2);
    this.#messageBytes = new TokenBucket(limits.messageBytesPerSecond, burstBytes, nowMs);
  }

  /** How long calls that came too fast have waited so far, in milliseconds, each counted when its wait begins. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Answers one call; never rejects, but does not answer any more after `close`. */
  async answer(request: HostCall, payload: Uint8Array): Promise<Reply> {
    const { waitMs, perSecond } = this.#reserve(request);
    if (waitMs > 0) {
      this.#notes.limited("limit/host-call-rate", `more than ${perSecond} calls per second: they wait`);
      this.#waitedMs += waitMs;
      const waited = await delay(waitMs, true, { signal: this.#ended.signal }).catch(() => false);
      if (!waited) {
        return refusal("unavailable");
      }
    }
    try {
      return await this.#carryOut(request, payload);
    } catch (error) {
      // A service that rejects is a defect of the agent, which must not end the module, let alone the agent.
      this.#notes.serviceFailed(`${request.call} failed: ${error instanceof Error ? error.message : error}`);
      if (request.call === "network") return networkReply({ tag: "error", code: "unknown" });
      return refusal(request.call === "publish" ? "unavailable" : "failed");
    }
  }

  /** Closes what the module left open. Never rejects. */
  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all([this.#serial.close(), this.#networkCalls?.close()]);
  }

  /** Takes the call out of its rate: how long it has to wait, and what the rate is. */
  #reserve({ call }: HostCall): { readonly waitMs: number; readonly perSecond: number } {
    const nowMs = performance.now();
    switch (call) {
      case "read-stdin":
        // Standard input belongs to whoever runs the module by hand: it is as fast as it comes.
        return { waitMs: 0, perSecond: 0 };
      case "network":
        return {
          waitMs: this.#networkRate.reserve(1, nowMs),
          perSecond: DEFAULT_NETWORK_CALLS_PER_SECOND,
        };
      default:
        return { waitMs: this.#calls.reserve(1, nowMs), perSecond: this.#limits.hostCallsPerSecond };
    }
  }

  async #carryOut(request: HostCall, payload: Uint8Array): Promise<Reply> {
    switch (request.call) {
      case "read-sensor":
        return this.#readSensor(request.name);
      case "open-serial":
        return this.#serial.open(request.name);
      case "close-serial":
        return this.#serial.closePort(request.name);
      case "read-serial":
        return this.#serial.read(request.name, request.maxBytes, request.timeoutMs);
      case "write-serial":
        return this.#serial.write(request.name, payload);
      case "publish":
        return this.#publish(request.topic, payload);
      case "read-stdin":
        return this.#readStdin(request.maxBytes, request.timeoutMs);
      case "network":
        return this.#network(request.request, payload);
    }
  }

  async #readSensor(name: string): Promise<Reply> {
    if (!this.#grants.sensors.includes(name)) {
      return refusal("not-granted");
    }
    const outcome = await this.#services.readSensor(name);
    if (outcome.tag === "err") {
      return refusal(outcome.code);
    }
    const { value, unit, timeNs } = outcome.value;
    if (!Number.isFinite(value) || unit.length > MAX_UNIT_LENGTH) {
      return refusal("failed");
    }
    return { head: { tag: "reading", value, unit, timeNs: String(timeNs) }, payload: NO_PAYLOAD };
  }

  /** The network is loaded when a module that has a grant asks for it. */
  async #network(call: NetworkCall, payload: Uint8Array): Promise<Reply> {
    const { network } = this.#grants;
    if (network === undefined || network.connect.length + network.listen.length === 0) {
      this.#notes.networkRefused("anything: it was granted nothing of it");
      return networkReply(networkDenied(call));
    }
    if (this.#networkCalls === undefined) {
      const { NetworkCalls } = await import("./network/network-calls.ts");
      this.#networkCalls = new NetworkCalls(network, (what) => this.#notes.networkRefused(what));
    }
    if (this.#ended.signal.aborted) return networkReply(networkDenied(call));
    const answer = await this.#networkCalls.answer(call, payload);
    return networkReply(answer.head, answer.payload);
  }

  /** `done` is the end of the input. */
  async #readStdin(maxBytes: number, timeoutMs: number): Promise<Reply> {
    const outcome = await this.#services.readStdin?.(maxBytes, timeoutMs);
    if (outcome === undefined) {
      return DONE;
    }
    if (outcome.tag === "err") {
      return refusal(outcome.code);
    }
    return outcome.value.byteLength === 0 ? DONE : { head: { tag: "bytes" }, payload: outcome.value };
  }

  async #publish(topic: string, payload: Uint8Array): Promise<Reply> {
    if (!isValidTopic(topic)) {
      return refusal("invalid-topic");
    }
    if (!this.#grants.publish.some((filter) => topicMatches(filter, topic))) {
      return refusal("not-granted");
    }
    // A filter such as "telemetry/#" grants its parent level, too, which nobody can send on.
    if (!topic.startsWith("telemetry/")) {
      return refusal("invalid-topic");
    }
    if (payload.byteLength > MAX_MESSAGE_BYTES) {
      return refusal("too-large");
    }
    const nowMs = performance.now();
    const sizeBytes = Buffer.byteLength(topic) + payload.byteLength;
    if (!this.#messages.take(1, nowMs) || !this.#messageBytes.take(sizeBytes, nowMs)) {
      this.#notes.limited("limit/publish-rate", "more messages than granted per second: they are not sent");
      return refusal("rate-limited");
    }
    return done(await this.#services.publish(topic, payload));
  }
}

/** What a module hears that was granted nothing. */
function networkDenied({ op }: NetworkCall): NetworkReply {
  return op === "request"
    ? { tag: "http-error", code: "HTTP-request-denied" }
    : { tag: "error", code: "access-denied" };
}

function networkReply(reply: NetworkReply, payload: Uint8Array = NO_PAYLOAD): Reply {
  return { head: { tag: "network", reply }, payload };
}
