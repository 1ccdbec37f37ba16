/** What the link (agent/link.ts) takes and offers. */
import type { BlobSource } from "../ota/blob-source.ts";
import type { RepositoryName } from "../ota/metadata.ts";
import type { ProtocolVersion } from "./connection-types.ts";
import type { BrokerAccess } from "./credentials.ts";
import type { AgentError } from "./errors.ts";
import type { DroppedCounts, OutgoingKind } from "./outbox.ts";
import type { DeviceTopics } from "./topics.ts";

/** What `device/<id>/status` says beside online or offline. */
interface DeviceStatus {
  /** The agent's version. */
  readonly agent: string;
  readonly bootId: string;
  readonly groups: readonly string[];
}

export type LinkState =
  | {
      readonly kind: "connected";
      readonly protocolVersion: ProtocolVersion;
      readonly sessionPresent: boolean;
    }
  | { readonly kind: "disconnected"; readonly reason: AgentError; readonly retryInMs: number };

/** A request to this device. */
interface CommandRequest {
  readonly payload: Buffer;
  /** MQTT 5 (§4.10): where the answer should go, and what to send along. The caller checks the topic. */
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

/** A message to one of this device's modules. */
interface ModuleMessage {
  readonly module: string;
  /** What stands behind the module in the topic: not checked yet. */
  readonly path: string;
  /** Only until the handler returns. */
  readonly payload: Uint8Array;
  readonly responseTopic: string | undefined;
  readonly correlationData: Buffer | undefined;
}

export type MessageHandler = (message: ModuleMessage) => void;
export type MetadataHandler = (
  repository: RepositoryName,
  file: string,
  payload: Buffer,
) => Promise<void> | void;
export type CommandHandler = (request: CommandRequest) => Promise<void> | void;

export interface LinkOptions {
  readonly fleet: string;
  readonly deviceId: string;
  readonly broker: BrokerAccess;
  readonly status: DeviceStatus;
  readonly onState: (state: LinkState) => void;
  /** What went wrong without ending the connection. */
  readonly onProblem: (error: AgentError) => void;
  /** In [0, 1); spreads the reconnects. */
  readonly random?: () => number;
}

export interface Link {
  readonly topics: DeviceTopics;
  /** Blobs as subscriptions; the receiver gets those that are requested, a digest perhaps more than once. */
  readonly blobs: BlobSource;
  /** Messages given up because they waited too long in too full a queue. */
  readonly dropped: DroppedCounts;
  /** Starts connecting; does not wait for it. */
  start(): void;
  /** Sends what waits (bounded in time), says `offline`, disconnects. Idempotent. */
  stop(): Promise<void>;
  /**
   * Queues a message; see agent/outbox.ts for what each kind means. `latest` is retained, telemetry has QoS 0, the others QoS 1.
   *
   * @throws AgentError `link/topic-invalid` outside the device's own topics, `link/payload-too-large`
   */
  publish(
    kind: OutgoingKind,
    topic: string,
    payload: Uint8Array | string,
    correlationData?: Uint8Array,
  ): void;
  /** At most one handler of each kind; messages on resumed sessions may come as soon as the link starts. */
  subscribeMetadata(handler: MetadataHandler): void;
  /** Makes the broker send the retained metadata once more. */
  requestMetadata(): void;
  subscribeCommands(handler: CommandHandler): void;
  /** Where messages to modules go; none comes on a new session before `wantMessages`. */
  onMessage(handler: MessageHandler): void;
  /** Subscribes to the messages to this device's modules, from now on. */
  wantMessages(): void;
}
