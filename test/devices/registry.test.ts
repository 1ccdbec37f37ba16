import test, { type ExecutionContext } from "ava";
import { DeviceError } from "../../devices/errors.ts";
import type { DevicePolicy } from "../../devices/policy.ts";
import { type OpenDevicesOptions, openDevices } from "../../devices/registry.ts";
import { startRoomMeter } from "../../examples/modbus-js/meter.ts";
import { readRequest, registersOf } from "../../examples/modbus-js/rtu.js";
import { requireTool } from "../support/tools.ts";

const POLICY: DevicePolicy = {
  sensors: new Map([
    ["ambient", { driver: "simulated", start: 20, amplitude: 0, periodMs: 1_000, unit: "Cel" }],
    ["missing", { driver: "hwmon", chip: "lm75", channel: "temp1", device: undefined }],
  ]),
  serialPorts: new Map(),
  grants: [],
};
const WITH_PORT: DevicePolicy = {
  ...POLICY,
  serialPorts: new Map([["modbus0", { driver: "virtual", link: undefined }]]),
};
const GRANTS = { sensors: ["ambient", "missing", "undefined"], serial: ["modbus0"] };

async function devicesOf(t: ExecutionContext, policy: DevicePolicy, options: OpenDevicesOptions = {}) {
  const devices = await openDevices(policy, { hwmonFolder: "/skerry-none", ...options });
  t.teardown(() => devices.close());
  return devices;
}

test("reads a granted sensor", async (t) => {
  const devices = await devicesOf(t, POLICY, { nowNs: () => 5n });
  const module = devices.forModule("acme/thermo", GRANTS);
  t.deepEqual(await module.readSensor("ambient"), {
    tag: "ok",
    value: { value: 20, unit: "Cel", timeNs: 5n },
  });
});

test("what is not granted, or not in the policy, is refused with its name", async (t) => {
  const failures: string[] = [];
  const onFailure = (module: string, _call: string, error: unknown) =>
    failures.push(`${module}: ${String(error)}`);
  const devices = await devicesOf(t, POLICY, { onFailure });
  const module = devices.forModule("acme/thermo", { sensors: ["undefined"], serial: ["undefined"] });
  const refused = { tag: "err", code: "not-granted" } as const;
  t.deepEqual(await module.readSensor("ambient"), refused);
  t.deepEqual(await module.readSensor("undefined"), refused);
  t.deepEqual(await module.openSerial("modbus0"), refused);
  t.deepEqual(await module.openSerial("undefined"), refused);
  t.is(failures.length, 4);
  t.regex(failures[0] ?? "", /^acme\/thermo: DeviceError: sensor ambient is not granted/);
  t.regex(failures[3] ?? "", /the policy has no serial port undefined/);
});

test("a sensor whose chip is missing is unavailable; the reason goes to the log", async (t) => {
  const failures: unknown[] = [];
  const devices = await devicesOf(t, POLICY, { onFailure: (_module, _call, error) => failures.push(error) });
  const module = devices.forModule("acme/thermo", GRANTS);
  t.deepEqual(await module.readSensor("missing"), { tag: "err", code: "unavailable" });
  t.true(failures[0] instanceof DeviceError);
});

test("each call is told with its name, whether it failed or not", async (t) => {
  const calls: string[] = [];
  const devices = await devicesOf(t, POLICY, {
    onFailure: (module, call) => calls.push(`${module} failed ${call}`),
    onSuccess: (module, call) => calls.push(`${module} succeeded ${call}`),
  });
  const module = devices.forModule("acme/thermo", GRANTS);
  await module.readSensor("ambient");
  await module.readSensor("missing");
  await module.openSerial("modbus0");
  await module.readSerial("modbus0", 1, 0);
  await module.writeSerial("modbus0", Uint8Array.of(1));
  t.deepEqual(calls, [
    "acme/thermo succeeded reading sensor ambient",
    "acme/thermo failed reading sensor missing",
    "acme/thermo failed opening serial port modbus0",
    "acme/thermo failed reading serial port modbus0",
    "acme/thermo failed writing to serial port modbus0",
  ]);
});

test("a module talks to the program at the far end of a virtual port", async (t) => {
  if (!requireTool(t, "socat")) return;
  const devices = await devicesOf(t, WITH_PORT);
  const meter = await startRoomMeter(devices.farEnds.get("modbus0") ?? "", () => [-55, 402]);
  t.teardown(() => meter.close());
  const module = devices.forModule("acme/modbus", GRANTS);
  t.deepEqual(await module.openSerial("modbus0"), { tag: "ok", value: undefined });
  t.deepEqual(await module.writeSerial("modbus0", readRequest(1, 0, 2)), { tag: "ok", value: 8 });
  let response = Buffer.alloc(0);
  while (response.length < 9) {
    const part = await module.readSerial("modbus0", 9 - response.length, 10_000);
    if (part.tag === "err") return t.fail(part.code);
    response = Buffer.concat([response, part.value]);
  }
  t.deepEqual(registersOf(response, 1, 2), [65_481, 402]);
});

test("a port is held by one module until that module closes it", async (t) => {
  if (!requireTool(t, "socat")) return;
  const devices = await devicesOf(t, WITH_PORT);
  const first = devices.forModule("acme/first", GRANTS);
  const second = devices.forModule("acme/second", GRANTS);
  const ok = { tag: "ok", value: undefined };
  t.deepEqual(await first.openSerial("modbus0"), ok);
  t.deepEqual(await second.openSerial("modbus0"), { tag: "err", code: "busy" });
  await second.closeSerial("modbus0");
  t.deepEqual(await second.writeSerial("modbus0", Uint8Array.of(1)), { tag: "err", code: "not-granted" });
  t.deepEqual(await second.readSerial("modbus0", 1, 0), { tag: "err", code: "not-granted" });
  t.deepEqual(await first.writeSerial("modbus0", Uint8Array.of(1)), { tag: "ok", value: 1 });
  await first.closeSerial("modbus0");
  t.deepEqual(await first.readSerial("modbus0", 1, 0), { tag: "err", code: "not-granted" });
  t.deepEqual(await second.openSerial("modbus0"), ok);
});

test("a port that can't be opened is not held", async (t) => {
  const settings = { baud: 9600, dataBits: 8, parity: "none", stopBits: 1, flowControl: "none" } as const;
  const serialPorts = new Map([
    ["modbus0", { driver: "port", path: "/dev/skerry-none", ...settings } as const],
  ]);
  const devices = await devicesOf(t, { ...POLICY, serialPorts });
  for (const name of ["acme/first", "acme/second"]) {
    const module = devices.forModule(name, GRANTS);
    t.deepEqual(await module.openSerial("modbus0"), { tag: "err", code: "unavailable" });
  }
});

test("closing the devices ends a read that waits", async (t) => {
  if (!requireTool(t, "socat")) return;
  const devices = await devicesOf(t, WITH_PORT);
  const module = devices.forModule("acme/modbus", GRANTS);
  await module.openSerial("modbus0");
  const read = module.readSerial("modbus0", 1, 10_000);
  await devices.close();
  t.deepEqual(await read, { tag: "err", code: "unavailable" });
});
