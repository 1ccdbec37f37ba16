/** The example modules in C, Rust and JavaScript, as they are, in their workers. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { ModuleServices } from "../../sandbox/module-spec.ts";
import { temporaryFolder } from "../support/folders.ts";
import { startRecorded } from "../support/run-module.ts";

const NEVER_MS = 3_600_000;
const MIB = 1024 * 1024;

function example(name: string): string {
  return fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
}

function published(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" ? { ...value } : {};
}

test("the thermometer in C publishes what its sensor measures, at the period of its environment", async (t) => {
  const values = [20.25, -3.5, 21.125];
  let reads = 0;
  const { module, record } = startRecorded({
    componentPath: example("thermo-c/thermo-1.0.0.wasm"),
    env: { THERMO_PERIOD_MS: "10" },
    limits: { memoryBytes: 2 * MIB },
    services: {
      readSensor: async (name) => {
        t.is(name, "ambient");
        const value = values[reads++ % values.length] ?? 0;
        return { tag: "ok", value: { value, unit: "Cel", timeNs: 1_700_000_000_123_000_000n } };
      },
    },
  });
  await record.first("published", 4);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
  const messages = record.of("published").map(({ payload }) => published(payload));
  t.deepEqual(
    messages.slice(0, 4).map((message) => message["value"]),
    [...values, values[0]],
  );
  t.like(messages[0], { unit: "Cel", sample: 1, timeMs: 1_700_000_000_123 });
  t.regex(record.of("log")[0]?.text ?? "", /every 10 ms/);
});

test("the thermometer with a bug traps at its third sample", async (t) => {
  const { module, record } = startRecorded({
    componentPath: example("thermo-c/thermo-1.2.0.wasm"),
    env: { THERMO_PERIOD_MS: "10" },
  });
  t.like(await module.done, { kind: "trapped", code: "trap/wasm" });
  t.is(record.of("published").length, 2);
});

test("a module that wants a port without a grant does not start", async (t) => {
  const { module, record } = startRecorded({ componentPath: example("greedy-c/greedy-1.0.0.wasm") });
  const end = await module.done;
  t.like(end, { kind: "failed", code: "sandbox/import-not-granted" });
  t.regex(end.kind === "failed" ? end.message : "", /skerry:device\/serial@0\.1\.0/);
  t.deepEqual(record.of("running"), []);
});

/** CRC-16 of Modbus RTU (Modbus over serial line 1.02, 6.2.2). */
function modbusCrc(bytes: readonly number[]): readonly [number, number] {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
    }
  }
  return [crc & 0xff, crc >> 8];
}

/** A room meter on a line made of an array: answers each request with 21.5 °C and 40.2 %, as long as it is on. */
class Meter {
  on = true;
  open = 0;
  #line: number[] = [];

  services(): Partial<ModuleServices> {
    return {
      openSerial: async () => {
        this.open += 1;
        return { tag: "ok", value: undefined };
      },
      closeSerial: async () => {
        this.open -= 1;
      },
      readSerial: async (_name, maxBytes) => ({
        tag: "ok",
        value: Uint8Array.from(this.#line.splice(0, maxBytes)),
      }),
      writeSerial: async (_name, data) => {
        if (this.on) {
          const answer = [data[0] ?? 0, 3, 4, 0, 215, 1, 146];
          this.#line.push(...answer, ...modbusCrc(answer));
        }
        return { tag: "ok", value: data.byteLength };
      },
    };
  }
}

test("the Modbus poller in JavaScript polls, publishes, notices a dead meter and leaves its port closed", async (t) => {
  const meter = new Meter();
  const { module, record } = startRecorded({
    componentPath: example("modbus-js/modbus-1.0.0.wasm"),
    world: "reactor",
    intervalMs: 10,
    grants: { sensors: [], serial: ["modbus0"], publish: ["telemetry/#"] },
    limits: { memoryBytes: 8 * MIB, messagesPerSecond: 1000, hostCallsPerSecond: 10_000 },
    services: meter.services(),
  });
  await record.first("published", 2);
  t.deepEqual(published(record.of("published")[0]?.payload ?? ""), { temperature: 21.5, humidity: 40.2 });
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  meter.on = false;
  await record.first("call-failed", 3);
  t.like(await module.health(NEVER_MS), { healthy: false });
  meter.on = true;
  await record.first("published", record.of("published").length + 1);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  t.is(meter.open, 1);
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
  t.is(meter.open, 0);
});

/** The alarm in Rust over these readings, one each period, the last one for ever; its count lies in `folder`. */
function startAlarm(folder: string, values: readonly number[], env: Readonly<Record<string, string>> = {}) {
  let reads = 0;
  return startRecorded({
    componentPath: example("alarm-rust/alarm-1.0.0.wasm"),
    env: { ALARM_ABOVE: "22", ALARM_HYSTERESIS: "0.5", ALARM_PERIOD_MS: "10", ...env },
    folders: [{ hostPath: folder, guestPath: "/data", quota: { maxBytes: 65_536, maxEntries: 16 } }],
    limits: { memoryBytes: MIB },
    services: {
      readSensor: async () => {
        const value = values[Math.min(reads++, values.length - 1)] ?? 0;
        return { tag: "ok", value: { value, unit: "Cel", timeNs: 1_700_000_000_123_000_000n } };
      },
    },
  });
}

test("the alarm in Rust publishes when its limit is crossed, and counts on after a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const first = startAlarm(folder, [21, 21.9, 22, 21.6, 23, 21.4, 22.25]);
  await first.record.first("log", 5); // its start, and one line after each message
  t.deepEqual(await first.module.stop(NEVER_MS), { kind: "stopped" });
  const messages = first.record.of("published");
  t.deepEqual(
    messages.map(({ topic }) => topic),
    messages.map(() => "telemetry/alarm"),
  );
  t.deepEqual(
    messages.map(({ payload }) => published(payload)),
    [
      { raised: false, value: 21, above: 22, count: 0, timeMs: 1_700_000_000_123 },
      { raised: true, value: 22, above: 22, count: 1, timeMs: 1_700_000_000_123 },
      { raised: false, value: 21.4, above: 22, count: 1, timeMs: 1_700_000_000_123 },
      { raised: true, value: 22.25, above: 22, count: 2, timeMs: 1_700_000_000_123 },
    ],
  );

  const second = startAlarm(folder, [30]);
  await second.record.first("log", 2);
  t.like(published(second.record.of("published")[0]?.payload ?? ""), { raised: true, count: 3 });
  t.deepEqual(await second.module.stop(NEVER_MS), { kind: "stopped" });
  t.deepEqual(await readdir(folder), ["count"]);
  t.is(await readFile(join(folder, "count"), "utf8"), "3\n");
});

test("the alarm in Rust says what is wrong with its environment and exits", async (t) => {
  const { module, record } = startAlarm(await temporaryFolder(t), [21], { ALARM_ABOVE: "warm" });
  t.deepEqual(await module.done, { kind: "exited", exitCode: 1 });
  t.like(record.of("log"), [{ level: "error", text: 'ALARM_ABOVE is "warm", which is no number that fits' }]);
});

test("the heater in C is told temperature and setpoint, and publishes what it does about them", async (t) => {
  const { module, record } = startRecorded({
    componentPath: example("heater-c/heater-1.0.0.wasm"),
    world: "reactor",
    grants: { sensors: [], serial: [], publish: ["telemetry/heating"] },
    limits: { memoryBytes: 256 * 1024, messagesPerSecond: 1000 },
  });
  const temperature = (value: number) =>
    module.deliver("telemetry/acme.thermo/temperature", Buffer.from(`{"value":${value},"unit":"Cel"}`));
  t.deepEqual(await module.deliver("message/setpoint", Buffer.from("22")), { kind: "handled" });
  t.deepEqual(await temperature(21.6), { kind: "handled" });
  t.deepEqual(await temperature(21.4), { kind: "handled" });
  t.deepEqual(await temperature(22.4), { kind: "handled" });
  t.deepEqual(await temperature(22.6), { kind: "handled" });
  const refused = await module.deliver("message/setpoint", Buffer.from("hot"));
  t.regex(refused.kind === "failed" ? refused.message : "", /a number from 5 to 30/);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
  t.deepEqual(
    record.of("published").map(({ payload }) => published(payload)),
    [
      { on: false, setpoint: 20 },
      { on: false, setpoint: 22 },
      { on: true, setpoint: 22 },
      { on: false, setpoint: 22 },
    ],
  );
});
