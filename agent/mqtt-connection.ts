/**
 * One MQTT connection, from opening the socket to its end, on mqtt.js's client class. MQTT 5 or 3.1.1, TCP or TLS; QoS 0 and 1.
 *
 * Only `mqtt/lib/client` is imported, lazily: the package's entry would bring WebSockets and SOCKS along. Nothing of mqtt.js's own
 * reconnecting, resubscribing and storing is used: a connection here is made, lives and ends, and agent/link.ts makes the next.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import type { IClientOptions, IPublishPacket, MqttClient } from "mqtt";
import type { Connection, ConnectionOptions, IncomingMessage, ProtocolVersion } from "./connection-types.ts";
import { AgentError, messageOf } from "./errors.ts";
import {
  ACKNOWLEDGE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  DISCONNECT_TIMEOUT_MS,
  MAX_CORRELATION_BYTES,
  MAX_PACKET_BYTES,
  RECEIVE_MAXIMUM,
  SEND_WINDOW,
  SESSION_EXPIRY_SECONDS,
} from "./limits.ts";
import { connectionError, reasonCodeError } from "./mqtt-errors.ts";
import type { OutgoingMessage } from "./outbox.ts";
import { PacketGuard } from "./packet-guard.ts";

/**
 * Opens a connection and waits until the broker has accepted it.
 *
 * @throws AgentError `link/…` that says why not
 */
export async function openConnection(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
  const [{ default: module }, makeSocket] = await Promise.all([
    import("mqtt/lib/client"),
    socketFactory(options),
  ]);
  signal.throwIfAborted();
  const attempt = new ConnectionAttempt(module.default, makeSocket, options);
  const abort = (): void => attempt.destroy(new AgentError("link/stopped", "the agent is stopping"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await attempt.accepted;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** TLS is loaded where it is used only. */
async function socketFactory(options: ConnectionOptions): Promise<() => Socket> {
  const { host, port, tls } = options;
  if (tls === undefined) return () => connectTcp({ host, port, noDelay: true });
  const { connect } = await import("node:tls");
  const material = { ca: tls.ca, cert: tls.cert, key: tls.key };
  // A server name is a host name, never an address (RFC 6066 §3).
  const serverName = isIP(host) === 0 ? { servername: host } : {};
  return () => connect({ host, port, ...material, ...serverName, minVersion: "TLSv1.2" }).setNoDelay(true);
}

class ConnectionAttempt implements Connection {
  readonly accepted: Promise<Connection>;
  readonly closed: Promise<AgentError>;
  readonly protocolVersion: ProtocolVersion;
  sessionPresent = false;
  sendWindow = SEND_WINDOW;
  maxSendBytes = Number.POSITIVE_INFINITY;

  readonly #client: MqttClient;
  readonly #socket: Socket;
  readonly #guard = new PacketGuard(MAX_PACKET_BYTES);
  /** Rejections of what waits for the broker; mqtt.js forgets its callbacks when the connection ends. */
  readonly #waiting = new Set<(reason: AgentError) => void>();
  #reason: AgentError | undefined;
  #ended: AgentError | undefined;

  constructor(
    Client: typeof MqttClient,
    makeSocket: () => Socket,
    { onMessage, onOversized, ...options }: ConnectionOptions,
  ) {
    this.protocolVersion = options.protocolVersion;
    this.#socket = makeSocket();
    this.#watchPackets(onOversized);
    this.#client = new Client(() => this.#socket, clientOptions(options));
    this.#client.handleMessage = (packet, done) => {
      onMessage(incoming(packet)).then(
        () => done(),
        () => done(),
      );
    };
    this.#client.on("error", (error) => this.destroy(connectionError(error, options)));
    this.#client.on("disconnect", ({ reasonCode }) =>
      this.destroy(reasonCodeError(reasonCode ?? 0, options)),
    );
    this.closed = new Promise((resolve) => {
      this.#client.once("close", () => resolve(this.#close()));
    });
    this.accepted = new Promise((resolve, reject) => {
      this.closed.then(reject);
      this.#client.once("connect", ({ sessionPresent, properties }) => {
        this.sessionPresent = sessionPresent;
        this.sendWindow = Math.min(SEND_WINDOW, properties?.receiveMaximum ?? SEND_WINDOW);
        this.maxSendBytes = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
        resolve(this);
      });
    });
  }

  publish(message: OutgoingMessage): Promise<void> {
    const telemetry = message.kind === "telemetry";
    const { correlationData } = message;
    return this.#wait((done) =>
      this.#client.publish(
        message.topic,
        asBuffer(message.payload),
        {
          qos: telemetry ? 0 : 1,
          retain: message.kind === "latest",
          ...(correlationData === undefined
            ? {}
            : { properties: { correlationData: asBuffer(correlationData) } }),
        },
        (error) => done(error === undefined || error === null ? undefined : publishError(message, error)),
      ),
    );
  }

  get isReceiving(): boolean {
    return this.#guard.isWithinPacket;
  }

  async subscribe(filters: readonly string[]): Promise<readonly string[]> {
    let granted: readonly unknown[] = [];
    await this.#wait((done) =>
      this.#client.subscribe([...filters], { qos: 1 }, (error, _granted, packet) => {
        granted = packet?.granted ?? [];
        // Refused filters are an answer too; an error without one is not.
        done(error !== null && packet === undefined ? new AgentError("link/lost", error.message) : undefined);
      }),
    );
    return filters.filter((_, index) => Number(granted[index] ?? 0) >= 0x80);
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    return this.#wait((done) =>
      this.#client.unsubscribe([...filters], (error) =>
        done(
          error === undefined || error === null ? undefined : new AgentError("link/lost", messageOf(error)),
        ),
      ),
    );
  }

  async end(): Promise<void> {
    this.#reason ??= new AgentError("link/stopped", "the agent closed the link");
    this.#client.end();
    const timer = setTimeout(() => this.#socket.destroy(), DISCONNECT_TIMEOUT_MS);
    await this.closed;
    clearTimeout(timer);
  }

  destroy(reason: AgentError = new AgentError("link/stopped", "the agent closed the link")): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  /** The listener stands before mqtt.js's own, so an oversized packet's header is seen before its body is buffered. */
  #watchPackets(onOversized: ConnectionOptions["onOversized"]): void {
    this.#socket.on("data", (chunk: Buffer) => {
      const oversized = this.#guard.inspect(chunk);
      if (oversized === undefined) return;
      const what = oversized.topic === undefined ? "a packet" : `a message on ${oversized.topic}`;
      const message = `the broker sent ${what} of ${oversized.sizeBytes} bytes; at most ${MAX_PACKET_BYTES} are read`;
      this.destroy(new AgentError("link/oversized-packet", message));
      onOversized(oversized);
    });
  }

  #close(): AgentError {
    const reason = this.#reason ?? new AgentError("link/lost", "the broker closed the connection");
    this.#ended = reason;
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
    return reason;
  }

  /**
   * Settles when `send` calls back, or with the reason when the connection ends. A broker that answers pings and acknowledges
   * nothing would keep the link useless for ever: it is given up.
   */
  #wait(send: (done: (error: AgentError | undefined) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const timer = setTimeout(() => this.destroy(notAcknowledged()), ACKNOWLEDGE_TIMEOUT_MS);
      const giveUp = (reason: AgentError): void => {
        clearTimeout(timer);
        reject(reason);
      };
      this.#waiting.add(giveUp);
      send((error) => {
        clearTimeout(timer);
        this.#waiting.delete(giveUp);
        if (error === undefined) resolve();
        else reject(this.#ended ?? error);
      });
    });
  }
}

function notAcknowledged(): AgentError {
  const message = `the broker acknowledged nothing for ${ACKNOWLEDGE_TIMEOUT_MS} ms`;
  return new AgentError("link/timeout", message);
}

type ClientPart = Omit<ConnectionOptions, "onMessage" | "onOversized">;

function clientOptions(options: ClientPart): IClientOptions {
  const { protocolVersion, clientId, cleanStart, username, password, will } = options;
  return {
    protocolVersion,
    clientId,
    clean: cleanStart,
    keepalive: options.keepaliveSeconds,
    will: { ...will, qos: 1, retain: true },
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // The cache of all two-byte numbers costs more memory than it saves time (measured: 2 MiB and more).
    writeCache: false,
    timerVariant: "native",
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(protocolVersion === 5
      ? {
          properties: {
            sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
            receiveMaximum: RECEIVE_MAXIMUM,
            maximumPacketSize: MAX_PACKET_BYTES,
          },
        }
      : {}),
  };
}

function incoming(packet: IPublishPacket): IncomingMessage {
  const { responseTopic, correlationData } = packet.properties ?? {};
  const fits = correlationData !== undefined && correlationData.length <= MAX_CORRELATION_BYTES;
  return {
    topic: packet.topic,
    payload: typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload,
    isRetained: packet.retain,
    responseTopic,
    correlationData: fits ? correlationData : undefined,
  };
}

function publishError(message: OutgoingMessage, error: Error): AgentError {
  const refused = "code" in error && typeof error.code === "number";
  return refused
    ? new AgentError(
        "link/publish-refused",
        `the broker refused a message on ${message.topic}: ${error.message}; check the broker's access control`,
        { cause: error },
      )
    : new AgentError("link/lost", error.message, { cause: error });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
