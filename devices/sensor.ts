/** What a sensor driver gives: one measurement at a time. The interface of every driver of this folder. */

export type Reading = {
  /** The quantity, in `unit`. Finite. */
  readonly value: number;
  /** Unit as a UCUM code: `Cel`, `%`, `V` … */
  readonly unit: string;
  /** When it was measured: nanoseconds since 1970. */
  readonly timeNs: bigint;
};

export interface Sensor {
  /** Measures now. Throws DeviceError "device/unavailable", "device/failed" or "device/misconfigured". */
  read(): Promise<Reading>;
}

/** The device's clock: nanoseconds since 1970, in steps of a millisecond. */
export function unixTimeNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
