/**
 * `skerry:device/sensor`, `skerry:device/serial` and `skerry:module/messaging` (wit/), on the module's side of the channel.
 *
 * Whether a name is granted, the agent decides with each call; nothing here is a check.
 */

import type { Frame, HostReply } from "./channel.ts";
import { SandboxError } from "./errors.ts";
import type { DeviceInterface } from "./imports.ts";
import {
  MAX_DEVICE_NAME_LENGTH,
  MAX_MESSAGE_BYTES,
  MAX_OPEN_HANDLES,
  MAX_SERIAL_BYTES,
  MAX_TOPIC_BYTES,
} from "./limits.ts";
import type { ModuleSession } from "./module-session.ts";
import type { ModuleGrants, PublishErrorCode, SensorErrorCode, SerialErrorCode } from "./module-spec.ts";

/** The `error` case of a WIT `result`, thrown as jco's convention has it. */
class ErrorResult extends Error {
  override readonly name = "ErrorResult";
  readonly payload: string;

  constructor(payload: SensorErrorCode | SerialErrorCode | PublishErrorCode) {
    super(payload);
    this.payload = payload;
  }
}

export function createDeviceImports(
  session: ModuleSession,
  grants: ModuleGrants,
): Readonly<Record<DeviceInterface, object>> {
  const handles = new HandleCount();
  return {
    "skerry:device/sensor": createSensors(session, grants, handles),
    "skerry:device/serial": createSerial(session, handles),
    "skerry:module/messaging": createMessaging(session),
  };
}

/** Sensors and ports that are open; each costs memory on both sides. */
class HandleCount {
  #open = 0;

  opened(): void {
    if (this.#open >= MAX_OPEN_HANDLES) {
      throw new SandboxError(
        "limit/handles",
        `the module holds ${MAX_OPEN_HANDLES} sensors and ports open, which is the most; drop what is not used`,
      );
    }
    this.#open += 1;
  }

  closed(): void {
    this.#open -= 1;
  }
}

function createSensors(session: ModuleSession, grants: ModuleGrants, handles: HandleCount) {
  class Sensor {
    readonly #name: string;

    /** A component may reach this by itself, as `[constructor]sensor`: so it is here that handles are counted. */
    constructor(name: string) {
      handles.opened();
      this.#name = name;
    }

    read(): { value: number; unit: string; timeNs: bigint } {
      const { head } = succeeded(session.call({ call: "read-sensor", name: this.#name }));
      if (head.tag !== "reading") {
        throw new ErrorResult("failed");
      }
      return { value: head.value, unit: head.unit, timeNs: BigInt(head.timeNs) };
    }

    [Symbol.dispose](): void {
      handles.closed();
    }
  }

  return {
    Sensor,
    open(name: string): Sensor {
      session.enterHost();
      if (!grants.sensors.includes(name)) {
        throw new ErrorResult("not-granted");
      }
      return new Sensor(name);
    },
  };
}

function createSerial(session: ModuleSession, handles: HandleCount) {
  class Port {
    readonly #name: string;

    constructor(name: string) {
      handles.opened();
      this.#name = name;
    }

    read(maxBytes: number, timeoutMs: number): Uint8Array {
      const boundedBytes = Math.min(maxBytes, MAX_SERIAL_BYTES);
      const request = { call: "read-serial", name: this.#name, maxBytes: boundedBytes, timeoutMs } as const;
      return succeeded(session.call(request)).payload;
    }

    write(data: Uint8Array): number {
      if (data.byteLength > MAX_SERIAL_BYTES) {
        throw new ErrorResult("invalid-argument");
      }
      const { head } = succeeded(session.call({ call: "write-serial", name: this.#name }, data));
      return head.tag === "count" ? head.count : 0;
    }

    [Symbol.dispose](): void {
      handles.closed();
      session.call({ call: "close-serial", name: this.#name });
    }
  }

  return {
    Port,
    open(name: string): Port {
      if (name.length > MAX_DEVICE_NAME_LENGTH) {
        throw new ErrorResult("not-granted");
      }
      succeeded(session.call({ call: "open-serial", name }));
      return new Port(name);
    },
  };
}

function createMessaging(session: ModuleSession) {
  return {
    publish(topic: string, payload: Uint8Array): void {
      session.enterHost();
      if (payload.byteLength > MAX_MESSAGE_BYTES) {
        throw new ErrorResult("too-large");
      }
      // A topic that is too long anyway need not fill the channel; cut, it is still too long for the agent's check.
      succeeded(session.call({ call: "publish", topic: topic.slice(0, MAX_TOPIC_BYTES + 1) }, payload));
    },
  };
}

/** The reply, unless it is the `error` case. */
function succeeded(reply: Frame<HostReply>): Frame<Exclude<HostReply, { tag: "error" }>> {
  const { head, payload } = reply;
  if (head.tag === "error") {
    throw new ErrorResult(head.code as SensorErrorCode);
  }
  return { head, payload };
}
