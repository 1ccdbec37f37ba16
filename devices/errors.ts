/**
 * What goes wrong with a device, by code. One code per thing that somebody can do about it; the guest sees the same
 * conditions as the `error-code` enums of wit/deps/skerry-device.
 */

export type DeviceErrorCode =
  /** The policy does not grant the device of this name to the module. */
  | "device/not-granted"
  /** Another module or another program holds it. */
  | "device/busy"
  /** It is not there at the moment: unplugged, or no driver loaded. Later it may be. */
  | "device/unavailable"
  /** Bytes were lost because they came faster than they were read. */
  | "device/overrun"
  /** The line did not take the bytes in time. */
  | "device/timed-out"
  /** The caller asked for something outside the bounds. */
  | "device/invalid-argument"
  /** It is there and the operation failed, or it answered nonsense. */
  | "device/failed"
  /** The policy names hardware in a way that fits none, or more than one: the owner has to correct it. */
  | "device/misconfigured"
  /** A program that a driver needs is not installed. */
  | "device/tool-missing";

/** A failure of one device. The message says which device, what happened and what to do. */
export class DeviceError extends Error {
  override readonly name = "DeviceError";
  readonly code: DeviceErrorCode;

  constructor(code: DeviceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `error-code` of skerry:device/sensor. */
export type SensorErrorCode = "not-granted" | "unavailable" | "failed";

/** `error-code` of skerry:device/serial. */
export type SerialErrorCode =
  | "not-granted"
  | "busy"
  | "unavailable"
  | "overrun"
  | "timed-out"
  | "invalid-argument"
  | "failed";

/** What the guest is told about a failed sensor call. Anything unforeseen is "failed". */
export function sensorErrorCode(error: unknown): SensorErrorCode {
  const code = serialErrorCode(error);
  return code === "not-granted" || code === "unavailable" ? code : "failed";
}

/** What the guest is told about a failed serial call. Anything unforeseen is "failed". */
export function serialErrorCode(error: unknown): SerialErrorCode {
  if (!(error instanceof DeviceError)) return "failed";
  switch (error.code) {
    case "device/not-granted":
      return "not-granted";
    case "device/busy":
      return "busy";
    case "device/unavailable":
    case "device/tool-missing":
      return "unavailable";
    case "device/overrun":
      return "overrun";
    case "device/timed-out":
      return "timed-out";
    case "device/invalid-argument":
      return "invalid-argument";
    case "device/failed":
    case "device/misconfigured":
      return "failed";
  }
}

/** The errno name of a system error (`ENOENT` …), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
