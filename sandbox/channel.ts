/**
 * The one channel between the agent's side and a module's worker: its messages and their encoding.
 *
 * A message is one frame of bytes: the length of the head (u32, little-endian), the head as JSON, then the bytes of
 * a payload, if the message has one. Frames depend on no transport: a child process could stand where the worker does.
 *
 * Worker → agent: calls, for which the worker blocks until the reply stands in the shared memory
 * (`control-block.ts`), and reports that nobody waits for. Agent → worker: start, on-timer, on-message, health, stop.
 *
 * The agent's side believes nothing: whatever arrives is `unknown` until `parse-worker-message.ts` has narrowed it, and
 * what a call names is held against the grants afterwards (`host-calls.ts`).
 */

import { type LimitCode, SandboxError } from "./errors.ts";
import { MAX_FRAME_BYTES, MAX_START_BYTES } from "./limits.ts";
import type { LogLevel, ModuleEnd, ModuleFolder, ModuleGrants, Stdio, World } from "./module-spec.ts";
import type { NetworkCall, NetworkReply } from "./network/protocol.ts";

/** What a module asks of the agent. `name` is a sensor's or a port's in the device's policy. */
export type HostCall =
  | { readonly call: "read-sensor"; readonly name: string }
  | { readonly call: "open-serial"; readonly name: string }
  | { readonly call: "close-serial"; readonly name: string }
  | {
      readonly call: "read-serial";
      readonly name: string;
      readonly maxBytes: number;
      readonly timeoutMs: number;
    }
  /** The frame's payload is what to send. */
  | { readonly call: "write-serial"; readonly name: string }
  /** The frame's payload is the message. */
  | { readonly call: "publish"; readonly topic: string }
  | { readonly call: "read-stdin"; readonly maxBytes: number; readonly timeoutMs: number }
  /** Sockets, lookups and HTTP requests; the frame's payload is as the request says. */
  | { readonly call: "network"; readonly request: NetworkCall };

/** The answer to a call; which one an `ok` is follows from the call. */
export type HostReply =
  | { readonly tag: "done" }
  /** `timeNs` in decimal: JSON has no 64-bit integers. */
  | { readonly tag: "reading"; readonly value: number; readonly unit: string; readonly timeNs: string }
  /** The frame's payload is what was read. */
  | { readonly tag: "bytes" }
  | { readonly tag: "count"; readonly count: number }
  /** Of a call of the network, its errors included; the frame's payload is as the reply says. */
  | { readonly tag: "network"; readonly reply: NetworkReply }
  /** An error code of the WIT interface. */
  | { readonly tag: "error"; readonly code: string };

/** The limits that a worker keeps by itself, beside the log's; the others are the agent's side's to find. */
export type WorkerLimitCode = Extract<
  LimitCode,
  "limit/memory" | "limit/handles" | "limit/storage" | "limit/write-rate"
>;

export type WorkerMessage =
  /** The worker waits for the reply with this number; there is one such call at a time. */
  | { readonly kind: "call"; readonly sequence: number; readonly request: HostCall }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  /** Log lines that the worker itself dropped. */
  | { readonly kind: "log-dropped"; readonly lines: number }
  /** A limit that the worker keeps, and that the module goes on with. */
  | { readonly kind: "limited"; readonly code: WorkerLimitCode; readonly message: string }
  /** A reactor is instantiated and `init` is about to be called. */
  | { readonly kind: "initializing" }
  /** Instantiated; for a reactor, `init` has succeeded as well. `hasTimer`: it is to be called by the timer. */
  | { readonly kind: "running"; readonly hasTimer: boolean }
  /** A reactor's `on-timer`, `on-message` or `health` returned; `error` is the module's own text, or `null`. */
  | { readonly kind: "called"; readonly error: string | null }
  /** The last message. */
  | { readonly kind: "ended"; readonly end: ModuleEnd };

/** What the worker needs of the specification, with every default filled in. */
export interface WorkerStart {
  readonly name: string;
  readonly componentPath: string;
  readonly isValidated?: boolean;
  readonly world: World;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly folders: readonly ModuleFolder[];
  readonly stdio: Stdio;
  readonly grants: ModuleGrants;
  readonly memoryBytes: number;
  /** What the component may have of code; left out for however much. */
  readonly codeBytes?: number;
  readonly logLinesPerSecond: number;
  readonly logBytesPerSecond: number;
  readonly writtenBytesPerSecond: number;
}

export type AgentMessage =
  | { readonly kind: "start"; readonly start: WorkerStart }
  | { readonly kind: "on-timer" }
  /** The frame's payload is the message. */
  | { readonly kind: "on-message"; readonly topic: string }
  | { readonly kind: "health" }
  /** For a worker that sleeps in its event loop; one that blocks is woken through the control block. */
  | { readonly kind: "stop" };

/** What a reactor is called for, again and again. */
export type ReactorCall = AgentMessage & { readonly kind: "on-timer" | "on-message" | "health" };

export interface Frame<Head> {
  readonly head: Head;
  readonly payload: Uint8Array;
}

const LENGTH_BYTES = 4;
const NO_PAYLOAD = new Uint8Array(0);

/** One message as bytes. `SandboxError` `sandbox/channel-violation` when they exceed `MAX_FRAME_BYTES`, at the start `MAX_START_BYTES`. */
export function encodeFrame(
  head: WorkerMessage | AgentMessage | HostReply,
  payload: Uint8Array = NO_PAYLOAD,
): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const sizeBytes = LENGTH_BYTES + text.byteLength + payload.byteLength;
  const maxBytes = "kind" in head && head.kind === "start" ? MAX_START_BYTES : MAX_FRAME_BYTES;
  if (sizeBytes > maxBytes) {
    throw violation(`a message of ${sizeBytes} bytes; ${maxBytes} are the most`);
  }
  const frame = new Uint8Array(sizeBytes);
  new DataView(frame.buffer).setUint32(0, text.byteLength, true);
  frame.set(text, LENGTH_BYTES);
  frame.set(payload, LENGTH_BYTES + text.byteLength);
  return frame;
}

/** Takes a frame apart; what the head says is for the caller to check. `SandboxError` `sandbox/channel-violation`. */
export function decodeFrame(frame: unknown, maxBytes = MAX_FRAME_BYTES): Frame<unknown> {
  if (!(frame instanceof Uint8Array) || frame.byteLength < LENGTH_BYTES || frame.byteLength > maxBytes) {
    throw violation("something that is no frame");
  }
  const headBytes = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true);
  if (headBytes > frame.byteLength - LENGTH_BYTES) {
    throw violation("a frame whose head is longer than the frame");
  }
  const payloadStart = LENGTH_BYTES + headBytes;
  const text = Buffer.from(frame.buffer, frame.byteOffset + LENGTH_BYTES, headBytes).toString();
  return { head: parseHead(text), payload: frame.subarray(payloadStart) };
}

function parseHead(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Whatever the parser says, the meaning is that the other side broke the rules.
    throw violation("a frame whose head is no JSON", { cause: error });
  }
}

function violation(what: string, options?: ErrorOptions): SandboxError {
  return new SandboxError("sandbox/channel-violation", `the module's channel carried ${what}`, options);
}
