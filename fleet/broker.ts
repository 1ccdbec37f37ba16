/**
 * The operator's connection to the broker, on mqtt.js (imported when the first connection is made): MQTT 5,
 * or 3.1.1 where the broker refuses 5. It publishes retained messages at QoS 1 and routes what arrives to
 * subscriptions.
 *
 * A connection is used for one command: it is not made again when it breaks, every operation under way then
 * fails with "fleet/broker-lost", and running the command again goes on where it stopped.
 */

import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import type { IClientOptions, MqttClient } from "mqtt";
import { connectionError, isVersionRefusal, operationError } from "./broker-errors.ts";
import { FleetError } from "./errors.ts";
import {
  ACKNOWLEDGE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  KEEPALIVE_SECONDS,
  MAX_PACKET_BYTES,
  SUBSCRIBE_BATCH,
} from "./limits.ts";
import { matchesFilter } from "./topics.ts";

/** Where the broker is and who we are to it. Certificates and keys are PEM. */
export interface BrokerAddress {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/**
 * A message that arrived; the payload may not be changed. `retained`: it lay on the broker when we
 * subscribed. `correlationData`: MQTT 5's, of an answer.
 */
export type MessageHandler = (
  topic: string,
  payload: Uint8Array,
  retained: boolean,
  correlationData?: Uint8Array,
) => void;

/** What a request says about its answer (MQTT 5.0 §4.10). */
export interface Request {
  readonly responseTopic: string;
  readonly correlationData: Buffer;
}

/** PUBACK's reason code for a message that nobody is subscribed to; a broker need not tell (MQTT 5.0 §3.4.2.1). */
const NO_MATCHING_SUBSCRIBERS = 0x10;

interface Route {
  readonly filters: readonly string[];
  readonly handler: MessageHandler;
}

/**
 * Connects; throws FleetError ("fleet/broker-unreachable", "-refused", "-tls", "-timeout"). End it with
 * `end()`.
 */
export async function connectBroker(address: BrokerAddress): Promise<BrokerConnection> {
  try {
    return new BrokerConnection(await connectOnce(address, 5), address);
  } catch (error) {
    if (!isVersionRefusal(error)) throw connectionError(error, address);
  }
  try {
    return new BrokerConnection(await connectOnce(address, 4), address);
  } catch (error) {
    throw connectionError(error, address);
  }
}

export class BrokerConnection {
  readonly #client: MqttClient;
  readonly #address: BrokerAddress;
  readonly #routes = new Set<Route>();
  /** Rejects when the connection ends unasked; never resolves. */
  readonly #lost: Promise<never>;
  #ending = false;
  /** Counted, since the keep-alive pings as well. */
  #pingsSent = 0;
  #pingsAnswered = 0;

  constructor(client: MqttClient, address: BrokerAddress) {
    this.#client = client;
    this.#address = address;
    let reason = "";
    client.once("disconnect", ({ reasonCode }) => {
      reason = ` (reason code 0x${(reasonCode ?? 0).toString(16)})`;
    });
    // mqtt.js says what it stumbled over, and then closes.
    client.on("error", ({ message }) => {
      reason ||= ` (${message})`;
    });
    this.#lost = new Promise((_, reject) => {
      client.once("close", () => {
        if (this.#ending) return;
        const message = `The connection to ${address.url} ended${reason}. Run the command again: it goes on where it stopped`;
        reject(new FleetError("fleet/broker-lost", message));
      });
    });
    // Waited for only while an operation is under way.
    this.#lost.catch(() => {});
    client.on("packetsend", ({ cmd }) => {
      if (cmd === "pingreq") this.#pingsSent += 1;
    });
    client.on("packetreceive", ({ cmd }) => {
      if (cmd === "pingresp") this.#pingsAnswered += 1;
    });
    client.on("message", (topic, payload, packet) => {
      for (const route of this.#routes) {
        if (route.filters.some((filter) => matchesFilter(filter, topic)))
          route.handler(topic, payload, packet.retain, packet.properties?.correlationData);
      }
    });
  }

  /** 5, or 4 for MQTT 3.1.1. */
  get protocolVersion(): number {
    return this.#client.options.protocolVersion ?? 0;
  }

  /** Publishes one retained message at QoS 1; resolves when the broker has acknowledged it. */
  async publishRetained(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#client.serverProperties?.retainAvailable === false) {
      const message = `${this.#address.url} keeps no retained messages, which devices get their updates from: allow them in its configuration`;
      throw new FleetError("fleet/broker-not-retaining", message);
    }
    // A view, not a copy: mqtt.js only takes a Buffer.
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    await this.#attempt(`publish ${topic}`, topic, async () => {
      await this.#client.publishAsync(topic, bytes, { qos: 1, retain: true });
    });
  }

  /**
   * Publishes one message at QoS 1 that the broker does not keep, one at a time. `request` goes with it where the broker speaks MQTT 5.
   * Resolves when the broker has acknowledged it. `isUnheard`: it says that nobody is subscribed; not all do.
   */
  async send(topic: string, payload: Uint8Array, request: Request): Promise<{ isUnheard: boolean }> {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const properties = this.protocolVersion === 5 ? { properties: { ...request } } : {};
    // mqtt.js takes this reason code for a success like any other, and does not hand it on.
    let isUnheard = false;
    const listen = (packet: { readonly cmd: string; readonly reasonCode?: number }): void => {
      isUnheard ||= packet.cmd === "puback" && packet.reasonCode === NO_MATCHING_SUBSCRIBERS;
    };
    this.#client.on("packetreceive", listen);
    await this.#attempt(`publish ${topic}`, topic, async () => {
      await this.#client.publishAsync(topic, bytes, { qos: 1, ...properties });
    }).finally(() => this.#client.off("packetreceive", listen));
    return { isUnheard };
  }

  /** Subscribes at QoS 1; resolves when the broker has acknowledged it. Messages may arrive before that. */
  async subscribe(filters: readonly string[], handler: MessageHandler): Promise<() => Promise<void>> {
    const route: Route = { filters, handler };
    this.#routes.add(route);
    const [first = ""] = filters;
    try {
      await this.#attempt(`subscribe to ${first}`, first, async () => {
        await this.#client.subscribeAsync([...filters], { qos: 1 });
      });
    } catch (error) {
      this.#routes.delete(route);
      throw error;
    }
    return async () => {
      this.#routes.delete(route);
      await this.#attempt(`unsubscribe from ${first}`, first, async () => {
        for (let start = 0; start < filters.length; start += SUBSCRIBE_BATCH) {
          await this.#client.unsubscribeAsync(filters.slice(start, start + SUBSCRIBE_BATCH));
        }
      });
    };
  }

  /** Pings the broker (MQTT 5.0 §3.12); resolves when it has answered, and what it had sent before was handled. */
  async roundTrip(): Promise<void> {
    const answered = Promise.withResolvers<void>();
    const listen = (): void => {
      if (this.#pingsAnswered >= this.#pingsSent) answered.resolve();
    };
    await this.#attempt("answer a ping", "", async () => {
      this.#client.on("packetreceive", listen);
      this.#client.sendPing();
      await answered.promise;
    }).finally(() => this.#client.off("packetreceive", listen));
  }

  /** Rejects with "fleet/broker-lost" when the connection ends unasked; never resolves. */
  get lost(): Promise<never> {
    return this.#lost;
  }

  /** Waits for `work`, but not longer than the connection lives. */
  async whileConnected<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#lost]);
  }

  /** Ends the connection in order. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#client.endAsync(!this.#client.connected);
  }

  async #attempt(what: string, topic: string, work: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `${this.#address.url} did not acknowledge within ${ACKNOWLEDGE_TIMEOUT_MS / 1000} s: ${what}`;
        reject(new FleetError("fleet/broker-timeout", message));
      }, ACKNOWLEDGE_TIMEOUT_MS);
    });
    try {
      await Promise.race([work(), this.#lost, timeout]);
    } catch (error) {
      throw operationError(error, { what, topic, username: this.#address.username });
    } finally {
      clearTimeout(timer);
    }
  }
}

async function connectOnce(address: BrokerAddress, protocolVersion: 4 | 5): Promise<MqttClient> {
  const { default: mqtt } = await import("mqtt");
  const options: IClientOptions = {
    protocolVersion,
    clientId: `skerry-operator-${randomBytes(6).toString("hex")}`,
    clean: true,
    keepalive: KEEPALIVE_SECONDS,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    resubscribe: false,
    subscribeBatchSize: SUBSCRIBE_BATCH,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.ca === undefined ? {} : { ca: address.ca }),
    ...(address.cert === undefined ? {} : { cert: address.cert }),
    ...(address.key === undefined ? {} : { key: address.key }),
    ...(protocolVersion === 5 ? { properties: { maximumPacketSize: MAX_PACKET_BYTES } } : {}),
  };
  const client = mqtt.connect(address.url, options);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
      client.once("close", () => reject(new Error("the broker closed the connection")));
    });
    // Later errors show as the end of the connection or as an operation's own failure.
    client.on("error", () => {});
    // Nagle's algorithm would keep each request back until the broker's kernel acknowledges the one before, 40 ms later; mqtt.js leaves it on.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    return client;
  } catch (error) {
    client.on("error", () => {});
    client.end(true);
    throw error;
  }
}
