/** What a device publishes on its event topic, narrowed from the bytes of a message. */

export interface DeviceEvent {
  readonly time: string;
  readonly device: string;
  readonly module: string | null;
  readonly version: string | null;
  readonly event: string;
  readonly code?: string;
  readonly message?: string;
  /** Of `rolled-back`: the version that runs again. */
  readonly to?: string;
  /** Of refused metadata. */
  readonly repository?: string;
  readonly role?: string;
  /** Of `progress`: bytes. */
  readonly received?: number;
  readonly total?: number;
}

/** The event in a message, or undefined if it is none. */
export function parseDeviceEvent(payload: Uint8Array): DeviceEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch {
    // A demo and a test read their own device only; whoever else writes there is ignored.
    return undefined;
  }
  return isDeviceEvent(value) ? value : undefined;
}

function isDeviceEvent(value: unknown): value is DeviceEvent {
  return (
    typeof value === "object" &&
    value !== null &&
    "event" in value &&
    typeof value.event === "string" &&
    "time" in value &&
    typeof value.time === "string" &&
    "module" in value &&
    "version" in value
  );
}
