import test from "ava";
import { SimulatedSensor } from "../../devices/simulated-sensor.ts";

test("a simulated sensor follows a sine from the moment it is opened", async (t) => {
  let nowMs = 1_000_000;
  const config = { driver: "simulated", start: 20, amplitude: 4, periodMs: 60_000, unit: "Cel" } as const;
  const sensor = new SimulatedSensor(config, () => BigInt(nowMs) * 1_000_000n);
  t.deepEqual(await sensor.read(), { value: 20, unit: "Cel", timeNs: 1_000_000_000_000n });
  const values: number[] = [];
  for (const elapsedMs of [5_000, 15_000, 30_000, 45_000, 60_000]) {
    nowMs = 1_000_000 + elapsedMs;
    values.push((await sensor.read()).value);
  }
  t.deepEqual(values, [22, 24, 20, 16, 20]);
});
