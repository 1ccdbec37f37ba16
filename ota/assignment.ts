/**
 * Assignments: which devices a director target is for (docs/ARCHITECTURE.md, "Director targets").
 *
 * A rollout is a share of a group. A device's place in it is fixed by the rollout's salt and the device's id, so raising the percent only adds devices.
 */

import { createHash } from "node:crypto";

import { OtaError } from "./errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { MAX_ASSIGNMENTS } from "./limits.ts";
import type { TargetInfo } from "./metadata.ts";
import { isDeviceId, isGroupName } from "./names.ts";

/** One rule of a director target. Of two that include a device the one with the higher order holds; pins go before groups. */
export type Assignment =
  | { readonly kind: "pin"; readonly order: number; readonly device: string }
  | {
      readonly kind: "group";
      readonly order: number;
      readonly group: string;
      /** Share of the group's devices, 0 to 100, an integer. */
      readonly percent: number;
      /** 16 random bytes in hexadecimal, chosen once per rollout. */
      readonly salt: string;
    };

/** Who this device is. */
export interface DeviceIdentity {
  readonly id: string;
  readonly groups: readonly string[];
  /** The kind of hardware that it is, as releases name it; undefined where its configuration does not say. */
  readonly hardware?: string | undefined;
}

const SALT = /^[0-9a-f]{32}$/;

/** The assignments of a director target; throws `OtaError` "trust/bad-assignment". */
export function parseAssignments(target: TargetInfo): readonly Assignment[] {
  const skerry = target.custom?.["skerry"];
  const list = isJsonObject(skerry) ? skerry["assignments"] : undefined;
  if (!Array.isArray(list) || list.length > MAX_ASSIGNMENTS) {
    throw badAssignment(target.path, `a list of at most ${MAX_ASSIGNMENTS} assignments is expected`);
  }
  return list.map((entry: JsonValue, index) => parseAssignment(entry, `${target.path}, assignment ${index}`));
}

/** The assignment as it stands in the director's metadata. */
export function assignmentJson(assignment: Assignment): JsonObject {
  const { order } = assignment;
  return assignment.kind === "pin"
    ? { order, device: assignment.device }
    : { order, group: assignment.group, percent: assignment.percent, salt: assignment.salt };
}

function parseAssignment(entry: JsonValue, place: string): Assignment {
  if (!isJsonObject(entry)) throw badAssignment(place, "an object is expected");
  const { order, device, group, percent, salt } = entry as JsonObject & Record<string, unknown>;
  if (typeof order !== "number" || order < 0) throw badAssignment(place, "order is no integer of at least 0");
  if ((device === undefined) === (group === undefined)) {
    throw badAssignment(place, "exactly one of device and group is expected");
  }
  if (device !== undefined) {
    if (typeof device !== "string" || !isDeviceId(device))
      throw badAssignment(place, "device is no device id");
    return { kind: "pin", order, device };
  }
  if (typeof group !== "string" || !isGroupName(group))
    throw badAssignment(place, "group is no group's name");
  if (typeof percent !== "number" || percent < 0 || percent > 100) {
    throw badAssignment(place, "percent is no integer from 0 to 100");
  }
  if (typeof salt !== "string" || !SALT.test(salt))
    throw badAssignment(place, "salt is not 32 hexadecimal digits");
  return { kind: "group", order, group, percent, salt };
}

function badAssignment(place: string, problem: string): OtaError {
  return new OtaError(
    "trust/bad-assignment",
    `director targets: ${place}: ${problem}; assign the release again`,
  );
}

/** Whether an assignment is for this device. */
export function includesDevice(assignment: Assignment, device: DeviceIdentity): boolean {
  if (assignment.kind === "pin") return assignment.device === device.id;
  return (
    device.groups.includes(assignment.group) &&
    rolloutPosition(assignment.salt, device.id) < assignment.percent / 100
  );
}

const POSITION_BYTES = 6;

/**
 * A device's place in a rollout, from 0 up to but excluding 1: the first 6 bytes of SHA-256(salt ‖ device id), over 2^48. The salt is given in
 * hexadecimal. 48 bits are a double exactly, so every machine gets the same number.
 */
export function rolloutPosition(salt: string, deviceId: string): number {
  const digest = createHash("sha256").update(Buffer.from(salt, "hex")).update(deviceId, "utf8").digest();
  return digest.readUIntBE(0, POSITION_BYTES) / 2 ** (8 * POSITION_BYTES);
}
