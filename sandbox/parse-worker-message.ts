/**
 * What a worker sent, narrowed from `unknown`: the edge at which the agent's side stops believing.
 *
 * Only shapes and sizes are checked here; whether a call is granted, `host-calls.ts` decides.
 */

import {
  decodeFrame,
  type Frame,
  type HostCall,
  type WorkerLimitCode,
  type WorkerMessage,
} from "./channel.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import {
  MAX_DEVICE_NAME_LENGTH,
  MAX_LOG_LINE_LENGTH,
  MAX_REPORT_LENGTH,
  MAX_SERIAL_BYTES,
  MAX_STDIN_BYTES,
  MAX_STDIN_WAIT_MS,
} from "./limits.ts";
import type { LogLevel, ModuleEnd } from "./module-spec.ts";
import { MalformedCall, parseNetworkCall } from "./network/parse-network-call.ts";
import type { NetworkCall } from "./network/protocol.ts";

type Fields = Readonly<Record<string, unknown>>;

const LOG_LEVELS: readonly LogLevel[] = ["info", "warning", "error"];

const TRAP_CODES: readonly (ModuleEnd & { kind: "trapped" })["code"][] = [
  "trap/wasm",
  "trap/canonical-abi",
  "trap/cannot-enter",
  "trap/stack-overflow",
  "trap/limit",
];

const WORKER_LIMIT_CODES: readonly WorkerLimitCode[] = [
  "limit/memory",
  "limit/handles",
  "limit/storage",
  "limit/write-rate",
];

/** What a worker may say of itself; deadlines, rates and heap are the agent's own findings. */
const REPORTABLE_CODES: readonly SandboxErrorCode[] = [
  "limit/memory",
  "limit/handles",
  "sandbox/component-unreadable",
  "sandbox/component-refused",
  "sandbox/code-exceeds-grant",
  "sandbox/import-not-granted",
  "sandbox/import-unknown",
  "sandbox/import-type-mismatch",
  "sandbox/export-type-mismatch",
  "sandbox/export-missing",
  "sandbox/init-failed",
  "sandbox/folder-unusable",
  "sandbox/worker-failed",
];

/** Narrows one message of a worker. `SandboxError` `sandbox/channel-violation`. */
export function parseWorkerMessage(bytes: unknown): Frame<WorkerMessage> {
  const { head, payload } = decodeFrame(bytes);
  return { head: parseMessage(fields(head)), payload };
}

function parseMessage(message: Fields): WorkerMessage {
  const kind = message["kind"];
  switch (kind) {
    case "call":
      return { kind, sequence: integer(message, "sequence"), request: parseCall(fields(message["request"])) };
    case "log":
      return {
        kind,
        level: oneOf(message, "level", LOG_LEVELS),
        text: text(message, "text", MAX_LOG_LINE_LENGTH),
      };
    case "log-dropped":
      return { kind, lines: integer(message, "lines") };
    case "limited":
      return {
        kind,
        code: oneOf(message, "code", WORKER_LIMIT_CODES),
        message: text(message, "message", MAX_REPORT_LENGTH),
      };
    case "initializing":
      return { kind };
    case "running":
      return { kind, hasTimer: message["hasTimer"] === true };
    case "called":
      return { kind, error: message["error"] === null ? null : text(message, "error", MAX_REPORT_LENGTH) };
    case "ended":
      return { kind, end: parseEnd(fields(message["end"])) };
    default:
      throw violation("kind");
  }
}

function parseCall(request: Fields): HostCall {
  const call = request["call"];
  switch (call) {
    case "read-sensor":
    case "open-serial":
    case "close-serial":
    case "write-serial":
      return { call, name: text(request, "name", MAX_DEVICE_NAME_LENGTH) };
    case "read-serial":
      return {
        call,
        name: text(request, "name", MAX_DEVICE_NAME_LENGTH),
        maxBytes: Math.min(integer(request, "maxBytes"), MAX_SERIAL_BYTES),
        timeoutMs: integer(request, "timeoutMs"),
      };
    case "read-stdin":
      return {
        call,
        maxBytes: Math.min(integer(request, "maxBytes"), MAX_STDIN_BYTES),
        timeoutMs: Math.min(integer(request, "timeoutMs"), MAX_STDIN_WAIT_MS),
      };
    case "network":
      return { call, request: parseNetwork(request["request"]) };
    case "publish":
      // Longer topics than the interface allows are answered with its own error, not by ending the module.
      return { call, topic: text(request, "topic", Number.POSITIVE_INFINITY) };
    default:
      throw violation("call");
  }
}

function parseNetwork(request: unknown): NetworkCall {
  try {
    return parseNetworkCall(request);
  } catch (error) {
    if (error instanceof MalformedCall) throw violation(error.message);
    throw error;
  }
}

function parseEnd(end: Fields): ModuleEnd {
  const kind = end["kind"];
  switch (kind) {
    case "stopped":
      return { kind };
    case "exited":
      return { kind, exitCode: integer(end, "exitCode") };
    case "trapped":
      return {
        kind,
        code: oneOf(end, "code", TRAP_CODES),
        message: text(end, "message", MAX_REPORT_LENGTH),
        stack: text(end, "stack", MAX_REPORT_LENGTH),
      };
    case "failed":
      return {
        kind,
        code: oneOf(end, "code", REPORTABLE_CODES),
        message: text(end, "message", MAX_REPORT_LENGTH),
        ...(end["stack"] === undefined ? {} : { stack: text(end, "stack", MAX_REPORT_LENGTH) }),
      };
    default:
      throw violation("end");
  }
}

function fields(value: unknown): Fields {
  if (typeof value !== "object" || value === null) {
    throw violation("shape");
  }
  return { ...value };
}

function text(from: Fields, key: string, maxLength: number): string {
  const value = from[key];
  if (typeof value !== "string" || value.length > maxLength) {
    throw violation(key);
  }
  return value;
}

function integer(from: Fields, key: string): number {
  const value = from[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw violation(key);
  }
  return value;
}

function oneOf<Value extends string>(from: Fields, key: string, allowed: readonly Value[]): Value {
  const found = allowed.find((one) => one === from[key]);
  if (found === undefined) {
    throw violation(key);
  }
  return found;
}

function violation(what: string): SandboxError {
  return new SandboxError(
    "sandbox/channel-violation",
    `the module's worker sent a message with a wrong ${what}`,
  );
}
