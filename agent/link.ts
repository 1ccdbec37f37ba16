/**
 * The device's link to its broker: keeps one MQTT connection up, for as long as the agent runs.
 *
 * - MQTT 5 first; a broker that refuses it is spoken to in 3.1.1 (agent/protocol-choice.ts).
 * - Reconnects with full jitter (agent/backoff.ts), resumes its session, subscribes again (agent/subscriptions.ts).
 * - Everything sent passes through a bounded outbox (agent/outbox.ts) and is sent again until it is acknowledged.
 * - The broker publishes the last will, `offline`, if the connection breaks; on each connection the link says `online`.
 * - A packet over the bound ends the connection unread; its subscription is left out for a while.
 * - The next message is read when the handler of the last one is done, so the broker's pace never fills memory.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { BlobReceiver, BlobSource } from "../ota/blob-source.ts";
import { MAX_PAYLOAD_BYTES } from "../ota/limits.ts";
import { failuresAfter, reconnectDelayMs } from "./backoff.ts";
import type { Connection, IncomingMessage } from "./connection-types.ts";
import { readCredentials } from "./credentials.ts";
import { AgentError, type LinkErrorCode, messageOf } from "./errors.ts";
import { STOP_FLUSH_TIMEOUT_MS } from "./limits.ts";
import type { CommandHandler, Link, LinkOptions, MessageHandler, MetadataHandler } from "./link-types.ts";
import { openConnection } from "./mqtt-connection.ts";
import type { DroppedCounts, OutgoingKind, OutgoingMessage } from "./outbox.ts";
import { ProtocolChoice } from "./protocol-choice.ts";
import { Sender } from "./sender.ts";
import { Subscriber } from "./subscriber.ts";
import { DeviceTopics } from "./topics.ts";

/** Makes the link of one device; nothing happens before `start()`. */
export function createLink(options: LinkOptions): Link {
  return new MqttLink(options);
}

class MqttLink implements Link {
  readonly topics: DeviceTopics;
  readonly blobs: BlobSource;
  readonly #options: LinkOptions;
  readonly #sender: Sender;
  readonly #subscriber: Subscriber;
  readonly #protocol = new ProtocolChoice();
  readonly #abort = new AbortController();
  readonly #handlers: {
    metadata?: MetadataHandler;
    command?: CommandHandler;
    message?: MessageHandler;
    blob?: BlobReceiver;
  } = {};
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #failures = 0;
  /** The broker's queue for this device holds a packet that must not be read: the session has to go. */
  #discardSession = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.topics = new DeviceTopics(options.fleet, options.deviceId);
    this.#sender = new Sender(options.onProblem);
    this.#subscriber = new Subscriber(options.onProblem);
    const filtersOf = (digests: readonly string[]): string[] =>
      digests.map((digest) => this.topics.blob(digest));
    this.blobs = {
      request: (digests) => this.#subscriber.want(filtersOf(digests)),
      release: (digests) => this.#subscriber.unwant(filtersOf(digests)),
      isReceiving: () => this.#connection?.isReceiving === true,
      onBlob: (receiver) => {
        this.#handlers.blob = receiver;
      },
    };
  }

  get dropped(): DroppedCounts {
    return this.#sender.dropped;
  }

  start(): void {
    this.#running ??= this.#run(this.#abort.signal);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  publish(
    kind: OutgoingKind,
    topic: string,
    payload: Uint8Array | string,
    correlationData?: Uint8Array,
  ): void {
    if (this.#stopping !== undefined) return;
    if (!this.topics.mayPublish(topic)) {
      const message = `"${topic}" is no topic below ${this.topics.own}`;
      throw new AgentError("link/topic-invalid", message);
    }
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    if (bytes.length > MAX_PAYLOAD_BYTES) {
      const message = `a message of ${bytes.length} bytes on ${topic} is more than ${MAX_PAYLOAD_BYTES}`;
      throw new AgentError("link/payload-too-large", message);
    }
    this.#sender.add({ kind, topic, payload: bytes, correlationData });
  }

  subscribeMetadata(handler: MetadataHandler): void {
    this.#handlers.metadata = handler;
    this.requestMetadata();
  }

  requestMetadata(): void {
    this.#subscriber.want([this.topics.metadataFilter("image"), this.topics.metadataFilter("director")]);
  }

  subscribeCommands(handler: CommandHandler): void {
    this.#handlers.command = handler;
    this.#subscriber.want([this.topics.command]);
  }

  onMessage(handler: MessageHandler): void {
    this.#handlers.message = handler;
  }

  wantMessages(): void {
    const { messages } = this.topics;
    if (!this.#subscriber.isWanted(messages)) this.#subscriber.want([messages]);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { reason, retryInMs } = await this.#connectOnce(signal);
      if (signal.aborted) return;
      if (retryInMs > 0) this.#options.onState({ kind: "disconnected", reason, retryInMs });
      // Rejects when the link is stopped meanwhile; the loop's condition says the same.
      await delay(retryInMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One connection, from opening it to its end; says why it ended and when to try again. */
  async #connectOnce(signal: AbortSignal): Promise<{ reason: AgentError; retryInMs: number }> {
    let connection: Connection;
    try {
      connection = await this.#open(signal);
    } catch (error) {
      const reason =
        error instanceof AgentError
          ? error
          : new AgentError("agent/internal", messageOf(error), { cause: error });
      const tryOtherVersion = this.#protocol.failed(reason.code as LinkErrorCode);
      if (tryOtherVersion) return { reason, retryInMs: 0 };
      this.#failures += 1;
      return { reason, retryInMs: this.#retryDelayMs() };
    }
    if (signal.aborted) connection.destroy();
    const startedMs = performance.now();
    this.#attach(connection);
    const reason = await connection.closed;
    this.#detach();
    this.#failures = failuresAfter(this.#failures, performance.now() - startedMs);
    return { reason, retryInMs: this.#retryDelayMs() };
  }

  #retryDelayMs(): number {
    // Never nought: that is for trying the other version of the protocol, unreported.
    return Math.max(1, reconnectDelayMs(this.#failures, (this.#options.random ?? Math.random)()));
  }

  async #open(signal: AbortSignal): Promise<Connection> {
    const { broker, fleet, deviceId } = this.#options;
    const credentials = await readCredentials(broker);
    const protocolVersion = this.#protocol.next;
    const options = {
      host: broker.host,
      port: broker.port,
      tls: credentials.tls,
      protocolVersion,
      // Neither name can hold a dot, so two fleets on one broker cannot collide.
      clientId: `${fleet}.${deviceId}`,
      username: broker.username,
      password: credentials.password,
      keepaliveSeconds: broker.keepaliveSeconds,
      will: { topic: this.topics.status, payload: this.#statusPayload("offline") },
      onMessage: (message: IncomingMessage) => this.#receive(message),
      onOversized: ({ topic }: { topic: string | undefined }) => this.#quarantine(topic),
    };
    const discard = this.#discardSession;
    if (discard && protocolVersion === 4) {
      // 3.1.1 §3.1.2.4: a clean connection discards the session and keeps none of its own, so it is only a step.
      const clean = await openConnection({ ...options, cleanStart: true }, signal);
      await clean.end();
    }
    // Before the connection is open: such a packet may come right behind the broker's acceptance.
    this.#discardSession = false;
    try {
      return await openConnection({ ...options, cleanStart: discard && protocolVersion === 5 }, signal);
    } catch (error) {
      this.#discardSession ||= discard;
      throw error;
    }
  }

  #attach(connection: Connection): void {
    const { protocolVersion, sessionPresent } = connection;
    this.#connection = connection;
    this.#subscriber.attach(connection);
    this.#sender.add(this.#statusMessage("online"));
    this.#sender.attach(connection);
    this.#options.onState({ kind: "connected", protocolVersion, sessionPresent });
  }

  #detach(): void {
    this.#connection = undefined;
    this.#subscriber.detach();
    this.#sender.detach();
    this.#protocol.ended();
  }

  async #stop(): Promise<void> {
    const connection = this.#connection;
    if (connection !== undefined) {
      const timeout = new AbortController();
      const flushed = this.#sender
        .idle()
        .then(() => connection.publish(this.#statusMessage("offline")))
        .then(() => connection.end());
      const timedOut = delay(STOP_FLUSH_TIMEOUT_MS, undefined, { signal: timeout.signal });
      // Rejects when the connection ends meanwhile: then there is nothing left to say over it.
      await Promise.race([flushed, timedOut, connection.closed]).catch(() => undefined);
      timeout.abort();
    }
    this.#abort.abort();
    connection?.destroy();
    await this.#running;
  }

  /** Never rejects: a message that a handler fails on is acknowledged all the same, or it would come for ever. */
  async #receive(message: IncomingMessage): Promise<void> {
    // What was parsed already may still come after the connection's end; a stopped agent handles nothing.
    if (this.#abort.signal.aborted) return;
    try {
      await this.#dispatch(message);
    } catch (error) {
      const text = `handling a message on ${message.topic} failed: ${messageOf(error)}`;
      this.#options.onProblem(new AgentError("link/handler-failed", text, { cause: error }));
    }
  }

  async #dispatch(message: IncomingMessage): Promise<void> {
    const { topic, payload, responseTopic, correlationData } = message;
    const meaning = this.topics.parse(topic);
    // Once is enough: with each connection the link subscribes again, and whatever a broker keeps comes again.
    if (message.isRetained && (meaning?.kind === "command" || meaning?.kind === "message")) return;
    switch (meaning?.kind) {
      case "metadata":
        // A copy: it is kept, and the payload is a window on a larger buffer of the socket's.
        await this.#handlers.metadata?.(meaning.repository, meaning.file, Buffer.from(payload));
        break;
      case "command":
        await this.#handlers.command?.({ payload, responseTopic, correlationData });
        break;
      case "message":
        this.#handlers.message?.({ ...meaning, payload, responseTopic, correlationData });
        break;
      case "blob":
        if (this.#subscriber.isWanted(topic)) await this.#handlers.blob?.(meaning.digest, payload);
        else this.#subscriber.unwanted(topic);
        break;
      case undefined:
        break;
    }
  }

  #quarantine(topic: string | undefined): void {
    this.#discardSession = true;
    if (topic !== undefined) this.#subscriber.quarantine(topic);
  }

  #statusMessage(status: "online" | "offline"): OutgoingMessage {
    const payload = this.#statusPayload(status);
    return { kind: "latest", topic: this.topics.status, payload, correlationData: undefined };
  }

  /** In the last will `time` is when the connection began: nobody knows yet when it will break. */
  #statusPayload(status: "online" | "offline"): Buffer {
    const time = new Date().toISOString();
    return Buffer.from(JSON.stringify({ status, time, ...this.#options.status }));
  }
}
