/**
 * Sensors through the kernel's hwmon interface (Linux, Documentation/hwmon/sysfs-interface.rst): a folder
 * `hwmonN` per chip with its driver's `name` and one `<channel>_input` per channel, an integer in a fixed
 * fraction of the unit; `<channel>_fault` is 1 while a probe is broken.
 *
 * Subset: temp, in, curr, power, energy, humidity and fan inputs. N changes from start to start and when a chip
 * is plugged again, so a chip is found by its name (and its bus address, where it has twins).
 */

import { open, readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { DeviceError, errnoOf } from "./errors.ts";
import { MAX_ATTRIBUTE_BYTES, MAX_HWMON_CHIPS } from "./limits.ts";
import type { HwmonConfig } from "./policy.ts";
import type { Reading, Sensor } from "./sensor.ts";

/** Where the kernel shows its chips. */
export const HWMON_FOLDER = "/sys/class/hwmon";

type Scale = { readonly unit: string; readonly unitsPerStep: number };

const SCALES: Readonly<Record<string, Scale>> = {
  temp: { unit: "Cel", unitsPerStep: 1e-3 },
  in: { unit: "V", unitsPerStep: 1e-3 },
  curr: { unit: "A", unitsPerStep: 1e-3 },
  power: { unit: "W", unitsPerStep: 1e-6 },
  energy: { unit: "J", unitsPerStep: 1e-6 },
  humidity: { unit: "%", unitsPerStep: 1e-3 },
  fan: { unit: "1/min", unitsPerStep: 1 },
};

export class HwmonSensor implements Sensor {
  readonly #label: string;
  readonly #config: HwmonConfig;
  readonly #scale: Scale;
  readonly #nowNs: () => bigint;
  readonly #folder: string;
  /** The chip's folder while it is known. */
  #chipFolder: string | undefined;

  /** `name` is the sensor's name in the policy, for messages; `folder` stands for /sys/class/hwmon. */
  constructor(name: string, config: HwmonConfig, nowNs: () => bigint, folder: string = HWMON_FOLDER) {
    const kind = config.channel.replace(/[0-9]+$/, "");
    const scale = Object.hasOwn(SCALES, kind) ? SCALES[kind] : undefined;
    this.#label = `sensor ${name} (${config.chip} ${config.channel})`;
    if (scale === undefined) {
      throw new DeviceError("device/misconfigured", `${this.#label}: no channel of a known kind`);
    }
    this.#config = config;
    this.#scale = scale;
    this.#nowNs = nowNs;
    this.#folder = folder;
  }

  async read(): Promise<Reading> {
    try {
      this.#chipFolder ??= await this.#findChip();
      const path = join(this.#chipFolder, this.#config.channel);
      await this.#refuseFault(`${path}_fault`);
      const steps = await readInteger(`${path}_input`);
      return { value: scaled(steps, this.#scale), unit: this.#scale.unit, timeNs: this.#nowNs() };
    } catch (error) {
      this.#chipFolder = undefined; // it may come back under another number
      throw this.#asDeviceError(error);
    }
  }

  async #findChip(): Promise<string> {
    const { chip, device } = this.#config;
    const found: { readonly folder: string; readonly address: string }[] = [];
    const entries = await readdir(this.#folder);
    for (const entry of entries.filter((one) => /^hwmon[0-9]+$/.test(one)).slice(0, MAX_HWMON_CHIPS)) {
      const folder = join(this.#folder, entry);
      if ((await nameOf(folder)) === chip) found.push({ folder, address: await addressOf(folder) });
    }
    const fitting = device === undefined ? found : found.filter((one) => one.address === device);
    const [first] = fitting;
    if (first === undefined) {
      const where = device === undefined ? chip : `${chip} at ${device}`;
      throw new DeviceError(
        "device/unavailable",
        `${this.#label}: no chip ${where} below ${this.#folder}: is its driver loaded?`,
      );
    }
    if (fitting.length > 1) {
      const addresses = fitting.map((one) => `"${one.address}"`).join(", ");
      throw new DeviceError(
        "device/misconfigured",
        `${this.#label}: ${fitting.length} chips of that name: choose one with device = one of ${addresses}`,
      );
    }
    return first.folder;
  }

  async #refuseFault(path: string): Promise<void> {
    const fault = await readInteger(path).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return 0; // few drivers have it
      throw error;
    });
    if (fault !== 0)
      throw new DeviceError("device/failed", `${this.#label}: its driver reports a broken probe`);
  }

  #asDeviceError(error: unknown): DeviceError {
    if (error instanceof DeviceError) return error;
    const errno = errnoOf(error);
    const gone = errno === "ENOENT" || errno === "ENODEV" || errno === "ENXIO";
    const reason = error instanceof Error ? error.message : String(error);
    return new DeviceError(gone ? "device/unavailable" : "device/failed", `${this.#label}: ${reason}`, {
      cause: error,
    });
  }
}

/** Rounded where the binary fraction would show: 21437 steps of 0.001 are 21.437. */
function scaled(steps: number, { unitsPerStep }: Scale): number {
  const stepsPerUnit = Math.round(1 / unitsPerStep);
  return steps / stepsPerUnit;
}

/** The chip's name; undefined if it disappeared in the meantime. */
async function nameOf(folder: string): Promise<string | undefined> {
  try {
    return await readAttribute(join(folder, "name"));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENODEV") return undefined;
    throw error;
  }
}

/** Its address on its bus, such as 1-0048; the folder's own name for a chip without a device. */
async function addressOf(folder: string): Promise<string> {
  try {
    return basename(await realpath(join(folder, "device")));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return basename(folder);
    throw error;
  }
}

async function readInteger(path: string): Promise<number> {
  const text = await readAttribute(path);
  if (!/^-?[0-9]{1,15}$/.test(text)) {
    throw new DeviceError("device/failed", `${path} holds ${JSON.stringify(text)} instead of a number`);
  }
  return Number(text);
}

/** An attribute's text without its line end. sysfs answers a whole attribute to one read. */
async function readAttribute(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(MAX_ATTRIBUTE_BYTES),
      0,
      MAX_ATTRIBUTE_BYTES,
      0,
    );
    return buffer.toString("utf8", 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}
