/** The simulated twin of a sensor: a sine of the time, so that a run can be told in advance. */

import type { SimulatedSensorConfig } from "./policy.ts";
import type { Reading, Sensor } from "./sensor.ts";

export class SimulatedSensor implements Sensor {
  readonly #config: SimulatedSensorConfig;
  readonly #nowNs: () => bigint;
  readonly #startedNs: bigint;

  constructor(config: SimulatedSensorConfig, nowNs: () => bigint) {
    this.#config = config;
    this.#nowNs = nowNs;
    this.#startedNs = nowNs();
  }

  /** `start + amplitude × sin(2π × time since the sensor was opened / period)`, to three decimals. */
  async read(): Promise<Reading> {
    const { start, amplitude, periodMs, unit } = this.#config;
    const timeNs = this.#nowNs();
    const elapsedMs = Number(timeNs - this.#startedNs) / 1e6;
    const value = start + amplitude * Math.sin((2 * Math.PI * elapsedMs) / periodMs);
    return { value: Math.round(value * 1000) / 1000, unit, timeNs };
  }
}
