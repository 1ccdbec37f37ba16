/**
 * The device's hardware, by the policy's names, for the modules that were granted parts of it. A driver starts when
 * its device is first used; only virtual serial ports are there from the start, for the program at their far end.
 */

import { setTimeout as delay } from "node:timers/promises";
import {
  DeviceError,
  type SensorErrorCode,
  type SerialErrorCode,
  sensorErrorCode,
  serialErrorCode,
} from "./errors.ts";
import { HWMON_FOLDER, HwmonSensor } from "./hwmon.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import type { DevicePolicy, SerialConfig } from "./policy.ts";
import type { PtyPair } from "./script-pty.ts";
import { type Reading, type Sensor, unixTimeNs } from "./sensor.ts";
import type { SerialLine } from "./serial.ts";
import { SerialportLine } from "./serialport-binding.ts";
import { SimulatedSensor } from "./simulated-sensor.ts";
import { startVirtualPair } from "./virtual-serial.ts";

/** What a call came to, with the WIT interface's own error codes. */
export type DeviceOutcome<Value, Code> =
  | { readonly tag: "ok"; readonly value: Value }
  | { readonly tag: "err"; readonly code: Code };

export type OpenDevicesOptions = {
  /** Told of every failed call with its reason, for the log: the module itself learns a code only. */
  readonly onFailure?: (moduleName: string, call: string, error: unknown) => void;
  /** Told of every other call. `call` names it as for onFailure: "opening serial port modbus0". */
  readonly onSuccess?: (moduleName: string, call: string) => void;
  /** Nanoseconds since 1970. */
  readonly nowNs?: () => bigint;
  /** Stands for /sys/class/hwmon. */
  readonly hwmonFolder?: string;
};

/**
 * Gets a policy's devices ready. Throws DeviceError "device/tool-missing" or "device/failed" if a virtual serial port
 * can't be made; real hardware is not touched and may be missing.
 */
export async function openDevices(policy: DevicePolicy, options: OpenDevicesOptions = {}): Promise<Devices> {
  const pairs = new Map<string, PtyPair>();
  try {
    for (const [name, config] of policy.serialPorts) {
      if (config.driver === "virtual") pairs.set(name, await startVirtualPair(name, config.link));
    }
  } catch (error) {
    await closeAll(pairs.values());
    throw error;
  }
  return new Devices(policy, pairs, options);
}

/** The devices of one policy, shared by all modules. Made by `openDevices`. */
export class Devices {
  readonly #policy: DevicePolicy;
  readonly #pairs: ReadonlyMap<string, PtyPair>;
  readonly #options: OpenDevicesOptions;
  readonly #sensors = new Map<string, Sensor>();
  readonly #lines = new Map<string, SerialLine>();
  /** Which module holds which port. */
  readonly #owners = new Map<string, ModuleDevices>();

  constructor(policy: DevicePolicy, pairs: ReadonlyMap<string, PtyPair>, options: OpenDevicesOptions) {
    this.#policy = policy;
    this.#pairs = pairs;
    this.#options = options;
  }

  /** Where a program reaches the far end of each virtual serial port, by the port's name. */
  get farEnds(): ReadonlyMap<string, string> {
    return new Map([...this.#pairs].map(([name, pair]) => [name, pair.farPath]));
  }

  /** The devices as one module sees them: what was granted, by name. */
  forModule(
    moduleName: string,
    grants: { readonly sensors: readonly string[]; readonly serial: readonly string[] },
  ): ModuleDevices {
    return new ModuleDevices(this, grants, {
      failed: (call, error) => this.#options.onFailure?.(moduleName, call, error),
      succeeded: (call) => this.#options.onSuccess?.(moduleName, call),
    });
  }

  /** The sensor of this name, its driver started. Throws "device/not-granted" for one that the policy does not have. */
  sensor(name: string): Sensor {
    let sensor = this.#sensors.get(name);
    if (sensor === undefined) {
      sensor = this.#startSensor(name);
      this.#sensors.set(name, sensor);
    }
    return sensor;
  }

  /** Gives the port to a module, not opened yet. Throws "device/busy" while another one has it. */
  claimSerial(name: string, owner: ModuleDevices): SerialLine {
    const config = this.#policy.serialPorts.get(name);
    if (config === undefined) throw unknownDevice("serial port", name);
    if (this.#owners.has(name) && this.#owners.get(name) !== owner) {
      throw new DeviceError("device/busy", `serial port ${name} is held by another module`);
    }
    this.#owners.set(name, owner);
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = this.#newLine(name, config);
      this.#lines.set(name, line);
    }
    return line;
  }

  /** The port that this module holds. Throws "device/not-granted" if it does not hold it. */
  heldSerial(name: string, owner: ModuleDevices): SerialLine {
    const line = this.#lines.get(name);
    if (line === undefined || this.#owners.get(name) !== owner) {
      throw new DeviceError("device/not-granted", `serial port ${name} was not opened by this module`);
    }
    return line;
  }

  /**
   * Closes the port if this module holds it, and then lets others have it; a port that does not close in its time is left to
   * itself, and a new one made in its place. Never rejects.
   */
  async releaseSerial(name: string, owner: ModuleDevices): Promise<void> {
    if (this.#owners.get(name) !== owner) return;
    const line = this.#lines.get(name);
    if (line !== undefined && !(await closesInTime(line))) this.#lines.delete(name);
    this.#owners.delete(name);
  }

  /** Closes every port and ends the virtual ones. Never rejects. */
  async close(): Promise<void> {
    await closeAll(this.#lines.values());
    this.#owners.clear();
    await closeAll(this.#pairs.values());
  }

  #startSensor(name: string): Sensor {
    const config = this.#policy.sensors.get(name);
    if (config === undefined) throw unknownDevice("sensor", name);
    const nowNs = this.#options.nowNs ?? unixTimeNs;
    return config.driver === "hwmon"
      ? new HwmonSensor(name, config, nowNs, this.#options.hwmonFolder ?? HWMON_FOLDER)
      : new SimulatedSensor(config, nowNs);
  }

  #newLine(name: string, config: SerialConfig): SerialLine {
    if (config.driver === "port") return new SerialportLine(name, config);
    const path = this.#pairs.get(name)?.nearPath;
    if (path === undefined) throw unknownDevice("virtual serial port", name);
    // Line settings have no meaning on a pseudo-terminal, but the binding wants some.
    const settings = {
      baud: 115_200,
      dataBits: 8,
      parity: "none",
      stopBits: 1,
      flowControl: "none",
    } as const;
    return new SerialportLine(name, { driver: "port", path, ...settings });
  }
}

/** Told of each call's end. */
interface CallObserver {
  failed(call: string, error: unknown): void;
  succeeded(call: string): void;
}

/** One module's devices: the calls of its WIT imports. None of them rejects. */
export class ModuleDevices {
  readonly #devices: Devices;
  readonly #grants: { readonly sensors: readonly string[]; readonly serial: readonly string[] };
  readonly #observer: CallObserver;

  constructor(
    devices: Devices,
    grants: { readonly sensors: readonly string[]; readonly serial: readonly string[] },
    observer: CallObserver,
  ) {
    this.#devices = devices;
    this.#grants = grants;
    this.#observer = observer;
  }

  /** One measurement of a granted sensor. */
  async readSensor(name: string): Promise<DeviceOutcome<Reading, SensorErrorCode>> {
    return this.#outcome(`reading sensor ${name}`, sensorErrorCode, async () => {
      requireGrant("sensor", this.#grants.sensors, name);
      return this.#devices.sensor(name).read();
    });
  }

  /** Takes hold of a granted port and opens it; one that can't be opened is not held. */
  async openSerial(name: string): Promise<DeviceOutcome<void, SerialErrorCode>> {
    return this.#outcome(`opening serial port ${name}`, serialErrorCode, async () => {
      requireGrant("serial port", this.#grants.serial, name);
      try {
        await this.#devices.claimSerial(name, this).open();
      } catch (error) {
        await this.closeSerial(name);
        throw error;
      }
    });
  }

  /** As SerialLine.read, on a port that this module opened. */
  async readSerial(
    name: string,
    maxBytes: number,
    timeoutMs: number,
  ): Promise<DeviceOutcome<Uint8Array, SerialErrorCode>> {
    return this.#outcome(`reading serial port ${name}`, serialErrorCode, () =>
      this.#devices.heldSerial(name, this).read(maxBytes, timeoutMs),
    );
  }

  /** As SerialLine.write, on a port that this module opened. */
  async writeSerial(name: string, data: Uint8Array): Promise<DeviceOutcome<number, SerialErrorCode>> {
    return this.#outcome(`writing to serial port ${name}`, serialErrorCode, () =>
      this.#devices.heldSerial(name, this).write(data),
    );
  }

  /** Closes a port and lets others have it; nothing happens if this module does not hold it. */
  async closeSerial(name: string): Promise<void> {
    await this.#devices.releaseSerial(name, this);
  }

  async #outcome<Value, Code>(
    name: string,
    codeOf: (error: unknown) => Code,
    call: () => Promise<Value>,
  ): Promise<DeviceOutcome<Value, Code>> {
    try {
      const value = await call();
      this.#observer.succeeded(name);
      return { tag: "ok", value };
    } catch (error) {
      this.#observer.failed(name, error);
      return { tag: "err", code: codeOf(error) };
    }
  }
}

function requireGrant(kind: string, granted: readonly string[], name: string): void {
  if (!granted.includes(name)) {
    throw new DeviceError("device/not-granted", `${kind} ${name} is not granted to this module`);
  }
}

function unknownDevice(kind: string, name: string): DeviceError {
  return new DeviceError("device/not-granted", `the policy has no ${kind} ${name}`);
}

async function closeAll(closables: Iterable<{ close(): Promise<void> }>): Promise<void> {
  await Promise.all([...closables].map((one) => closesInTime(one)));
}

/** A driver may never come back from closing, and whoever waits for it is a module's end, or the agent's. */
async function closesInTime(closable: { close(): Promise<void> }): Promise<boolean> {
  const timer = new AbortController();
  const { signal } = timer;
  const timedOut = delay(CLOSE_TIMEOUT_MS, false, { signal }).catch(() => false);
  const closed = closable.close().then(() => true);
  try {
    return await Promise.race([closed, timedOut]);
  } finally {
    timer.abort();
  }
}
