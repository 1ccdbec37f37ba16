/**
 * The one channel between the agent's side and a module's worker: its messages and their encoding.
 *
 * A message is one frame of bytes: the length of the head (u32, little-endian), the head as JSON, then the bytes of
 * a payload, if the message has one. Frames depend on no transport: a child process could stand where the worker does.
 *
 * Worker → agent: calls, for which the worker blocks until the reply stands in the shared memory
 * (`control-block.ts`), and reports that nobody waits for. Agent → worker: start, on-timer, health, stop.
 *
 * The agent's side believes nothing: whatever arrives is `unknown` until `parseWorkerMessage` has narrowed it, and what
 * a call names is held against the grants afterwards (`host-calls.ts`).
 */

import type { TrapCode } from "./component/errors.ts";
import type { SandboxErrorCode } from "./errors.ts";
import type { LogLevel, ModuleEnd, ModuleGrants, World } from "./module-spec.ts";

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
  | { readonly call: "write-serial"; readonly name: string; readonly payload: Uint8Array }
  | { readonly call: "publish"; readonly topic: string; readonly payload: Uint8Array };

/** The answer to a call; which members an `ok` has follows from the call. */
export type HostReply =
  | { readonly tag: "ok" }
  | { readonly tag: "reading"; readonly value: number; readonly unit: string; readonly timeNs: bigint }
  | { readonly tag: "bytes"; readonly payload: Uint8Array }
  | { readonly tag: "count"; readonly count: number }
  | { readonly tag: "err"; readonly code: string };

export type WorkerMessage =
  /** The worker waits for the reply with this number; there is one such call at a time. */
  | { readonly kind: "call"; readonly sequence: number; readonly request: HostCall }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  /** Log lines that the worker itself dropped. */
  | { readonly kind: "log-dropped"; readonly lines: number }
  /** Instantiated; for a reactor, `init` has succeeded as well. */
  | { readonly kind: "running" }
  /** A reactor's `on-timer` or `health` returned; `error` is the module's own text. */
  | { readonly kind: "called"; readonly error: string | undefined }
  /** The last message. */
  | { readonly kind: "ended"; readonly end: ModuleEnd };

/** What the worker needs of the specification, with every default filled in. */
export interface WorkerStart {
  readonly name: string;
  readonly componentPath: string;
  readonly world: World;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly grants: ModuleGrants;
  readonly memoryBytes: number;
  readonly logLinesPerSecond: number;
}

export type AgentMessage =
  | { readonly kind: "start"; readonly start: WorkerStart }
  | { readonly kind: "on-timer" }
  | { readonly kind: "health" }
  /** For a worker that sleeps in its event loop; one that blocks is woken through the control block. */
  | { readonly kind: "stop" };

/** Codes that a worker may report with `ended`. */
export type ReportedCode = TrapCode | SandboxErrorCode;
