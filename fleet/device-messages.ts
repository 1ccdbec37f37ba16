/**
 * What devices say of themselves: status, state and events (docs/ARCHITECTURE.md, "Topics"). A device may be
 * broken or taken over, so each message is narrowed, bounded, and stripped of characters that would act on a
 * terminal.
 */

import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../ota/json.ts";
import { MAX_PAYLOAD_BYTES } from "../ota/limits.ts";
import { isModuleName } from "../ota/names.ts";
import { FleetError } from "./errors.ts";
import { MAX_MODULES_PER_DEVICE, MAX_SHOWN_LENGTH } from "./limits.ts";

export interface DeviceStatus {
  readonly status: string;
  readonly time: string | null;
  readonly agent: string | null;
  readonly bootId: string | null;
  readonly groups: readonly string[];
}

/** A module on a device; versions, null where there is none. */
export interface ModuleState {
  readonly module: string;
  readonly phase: string | null;
  readonly running: string | null;
  readonly staged: string | null;
  readonly trial: string | null;
  readonly committed: string | null;
  readonly desired: string | null;
  readonly failed: {
    readonly version: string | null;
    readonly code: string | null;
    readonly message: string | null;
  } | null;
}

export interface DeviceState {
  readonly time: string | null;
  readonly modules: readonly ModuleState[];
}

/** A transition, as the device tells it; members that we do not know are kept in `json`. */
export interface DeviceEvent {
  readonly time: string | null;
  readonly module: string | null;
  readonly version: string | null;
  readonly event: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly json: JsonObject;
}

/** Undefined if the message is none. */
export function parseStatus(payload: Uint8Array): DeviceStatus | undefined {
  const json = parseObject(payload);
  const status = json === undefined ? null : text(json["status"]);
  if (json === undefined || status === null) return undefined;
  const groups = json["groups"];
  return {
    status,
    time: text(json["time"]),
    agent: text(json["agent"]),
    bootId: text(json["bootId"]),
    groups: Array.isArray(groups)
      ? groups.slice(0, MAX_MODULES_PER_DEVICE).map((group) => text(group) ?? "?")
      : [],
  };
}

/** Undefined if the message is none. */
export function parseState(payload: Uint8Array): DeviceState | undefined {
  const json = parseObject(payload);
  const modules = json?.["modules"];
  if (json === undefined || !isJsonObject(modules)) return undefined;
  const entries = Object.entries(modules).filter(([name]) => isModuleName(name));
  return {
    time: text(json["time"]),
    modules: entries.slice(0, MAX_MODULES_PER_DEVICE).map(([name, value]) => moduleState(name, value)),
  };
}

/** What a device answers to a request. */
export interface DeviceReply {
  readonly ok: boolean;
  readonly code: string | null;
  readonly message: string | null;
}

/** Undefined if the message is none. */
export function parseReply(payload: Uint8Array): DeviceReply | undefined {
  const json = parseObject(payload);
  const ok = json?.["ok"];
  if (json === undefined || typeof ok !== "boolean") return undefined;
  return { ok, code: text(json["code"]), message: text(json["message"]) };
}

/** Undefined if the message is none. */
export function parseEvent(payload: Uint8Array): DeviceEvent | undefined {
  const json = parseObject(payload);
  if (json === undefined) return undefined;
  return {
    time: text(json["time"]),
    module: text(json["module"]),
    version: text(json["version"]),
    event: text(json["event"]),
    code: text(json["code"]),
    message: text(json["message"]),
    json,
  };
}

function moduleState(module: string, value: JsonValue): ModuleState {
  const json = isJsonObject(value) ? value : {};
  const failed = json["failed"];
  return {
    module,
    phase: text(json["phase"]),
    running: text(json["running"]),
    staged: text(json["staged"]),
    trial: text(json["trial"]),
    committed: text(json["committed"]),
    desired: text(json["desired"]),
    failed: isJsonObject(failed)
      ? { version: text(failed["version"]), code: text(failed["code"]), message: text(failed["message"]) }
      : null,
  };
}

function parseObject(payload: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(payload, {
      maxBytes: MAX_PAYLOAD_BYTES,
      error: (message) => new FleetError("fleet/io", message),
    });
    return isJsonObject(value) ? value : undefined;
  } catch {
    // One broken device must not keep the others out of the table.
    return undefined;
  }
}

/** A string that can be shown: short, and without control characters (a terminal would obey them). */
function text(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value.slice(0, MAX_SHOWN_LENGTH).replace(/\p{C}/gu, "?") : null;
}
