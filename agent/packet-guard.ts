/**
 * Watches the bytes from the broker for a packet over the bound, before the parser buffers it. Pure.
 *
 * MQTT 5 lets us announce a maximum packet size, 3.1.1 does not, and a broker that lies sends what it likes: up to 256 MiB,
 * which the parser of mqtt.js would collect in memory before anybody sees it. The guard reads only the fixed headers
 * (MQTT 5 §2.1: type and flags, then the remaining length in one to four bytes) and skips over the rest.
 */
import { MAX_TOPIC_BYTES } from "./limits.ts";

/** A packet over the bound. */
export interface OversizedPacket {
  readonly sizeBytes: number;
  /** The topic, if it is a PUBLISH with a plausible one: its subscription can then be left out for a while. */
  readonly topic: string | undefined;
}

const PUBLISH = 3;
/** Bytes of the remaining length: four, or it is malformed and the parser says so. */
const MAX_LENGTH_BYTES = 4;
const TOPIC_LENGTH_BYTES = 2;

type State =
  | { readonly kind: "header" }
  | { kind: "length"; readonly type: number; value: number; bytes: number }
  | { kind: "body"; remaining: number }
  /** Collecting the topic of a packet that is too large. */
  | { kind: "topic"; readonly sizeBytes: number; head: Uint8Array }
  /** Nothing more to say: the connection is being closed. */
  | { readonly kind: "done" };

export class PacketGuard {
  readonly #maxPacketBytes: number;
  #state: State = { kind: "header" };

  /** @param maxPacketBytes the largest whole packet that passes */
  constructor(maxPacketBytes: number) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /** Whether a packet has begun and not ended. */
  get isWithinPacket(): boolean {
    return this.#state.kind !== "header" && this.#state.kind !== "done";
  }

  /** Looks at the next bytes. The packet over the bound is reported once; what follows is not looked at any more. */
  inspect(chunk: Uint8Array): OversizedPacket | undefined {
    let offset = 0;
    while (offset < chunk.length) {
      const state = this.#state;
      switch (state.kind) {
        case "header":
          this.#state = { kind: "length", type: (chunk[offset] ?? 0) >> 4, value: 0, bytes: 0 };
          offset += 1;
          break;
        case "length": {
          const oversized = this.#takeLengthByte(state, chunk[offset] ?? 0);
          if (oversized !== undefined) return oversized;
          offset += 1;
          break;
        }
        case "body": {
          const taken = Math.min(state.remaining, chunk.length - offset);
          state.remaining -= taken;
          offset += taken;
          if (state.remaining === 0) this.#state = { kind: "header" };
          break;
        }
        case "topic":
          return this.#takeTopic(state, chunk.subarray(offset));
        case "done":
          return undefined;
      }
    }
    return undefined;
  }

  #takeLengthByte(state: State & { kind: "length" }, byte: number): OversizedPacket | undefined {
    state.value += (byte & 0x7f) * 128 ** state.bytes;
    state.bytes += 1;
    if ((byte & 0x80) !== 0) {
      if (state.bytes === MAX_LENGTH_BYTES) this.#state = { kind: "done" };
      return undefined;
    }
    const sizeBytes = 1 + state.bytes + state.value;
    if (sizeBytes <= this.#maxPacketBytes) {
      this.#state = state.value === 0 ? { kind: "header" } : { kind: "body", remaining: state.value };
      return undefined;
    }
    if (state.type === PUBLISH) {
      this.#state = { kind: "topic", sizeBytes, head: new Uint8Array(0) };
      return undefined;
    }
    this.#state = { kind: "done" };
    return { sizeBytes, topic: undefined };
  }

  /** PUBLISH starts with its topic: two bytes of length, then UTF-8 (MQTT 5 §3.3.2.1). */
  #takeTopic(state: State & { kind: "topic" }, bytes: Uint8Array): OversizedPacket | undefined {
    const wanted = TOPIC_LENGTH_BYTES + MAX_TOPIC_BYTES - state.head.length;
    const head = Buffer.concat([state.head, bytes.subarray(0, wanted)]);
    state.head = head;
    if (head.length < TOPIC_LENGTH_BYTES) return undefined;
    const topicBytes = head.readUInt16BE(0);
    const end = TOPIC_LENGTH_BYTES + topicBytes;
    if (topicBytes <= MAX_TOPIC_BYTES && head.length < end) return undefined;
    this.#state = { kind: "done" };
    const topic = topicBytes > MAX_TOPIC_BYTES ? undefined : head.toString("utf8", TOPIC_LENGTH_BYTES, end);
    return { sizeBytes: state.sizeBytes, topic };
  }
}
