/** What one MQTT connection (agent/mqtt-connection.ts) takes and offers. */
import type { AgentError } from "./errors.ts";
import type { OutgoingMessage } from "./outbox.ts";
import type { OversizedPacket } from "./packet-guard.ts";

/** MQTT's protocol version as its CONNECT packet writes it: 5, or 4 for 3.1.1. */
export type ProtocolVersion = 4 | 5;

/** Contents of PEM files. */
export interface TlsMaterial {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** A message from the broker. */
export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  /** The broker had kept it: it comes because of a subscription, and was sent at some time before (MQTT 5 §3.3.1.3). */
  readonly isRetained: boolean;
  /** MQTT 5's request and response (§4.10). */
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined for plain TCP. */
  readonly tls: TlsMaterial | undefined;
  readonly protocolVersion: ProtocolVersion;
  readonly clientId: string;
  /** Throws away what the broker kept for this client id. */
  readonly cleanStart: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly keepaliveSeconds: number;
  /** Published by the broker, retained, if the connection ends without `end()`. */
  readonly will: { readonly topic: string; readonly payload: Buffer };
  /** The next message is read, and this one acknowledged, when the promise settles. It should not reject. */
  readonly onMessage: (message: IncomingMessage) => Promise<void>;
  /** A packet over MAX_PACKET_BYTES is on its way; the connection is being closed. */
  readonly onOversized: (packet: OversizedPacket) => void;
}

/** An open connection. */
export interface Connection {
  readonly protocolVersion: ProtocolVersion;
  /** The broker kept our session and resumed it. */
  readonly sessionPresent: boolean;
  /** Messages with QoS 1 that may be under way at once. */
  readonly sendWindow: number;
  /** Largest packet that the broker takes, in bytes. */
  readonly maxSendBytes: number;
  /** Resolves to why it ended; never rejects. */
  readonly closed: Promise<AgentError>;
  /** Whether a packet from the broker is on its way whose end has not come. */
  readonly isReceiving: boolean;
  /** Resolves when the broker acknowledged it (telemetry: when it is written). Rejects with AgentError. */
  publish(message: OutgoingMessage): Promise<void>;
  /** Resolves to the filters that the broker refused. Rejects if the connection ends first. */
  subscribe(filters: readonly string[]): Promise<readonly string[]>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Sends DISCONNECT, so that the last will is not published, and closes. */
  end(): Promise<void>;
  /** Closes at once; the broker publishes the last will. */
  destroy(): void;
}
