/** The whole main job on an emulated i.MX6UL with 64 MB: its sensor on I2C, its memory. */
import test from "ava";
import { forgeRelease } from "../../demo/attacker.ts";
import { readMemory, type TinyMemory } from "../../qemu/tiny/device.ts";
import { setTemperature } from "../../qemu/tiny/machine.ts";
import { heater, TinyDevice, thermo } from "../../qemu/tiny/tested-device.ts";

const THERMO = "acme/thermo";
const TEMPERATURE = "telemetry/acme.thermo/temperature";
/** In KiB, of the machine's 64 MiB and of the agent. */
const MIN_AVAILABLE_KIB = 16 * 1024;
const MAX_PSS_KIB = 45 * 1024;
const MAX_GROWTH_KIB = 2 * 1024;
/** Of the whole machine, in a second. After an update it reads for a while again what it had to drop, the longer the slower the host is. */
const MAX_MAJOR_FAULTS = 1;
const REST_WINDOW_SECONDS = 20;
const REST_WINDOWS = 9;

let device: TinyDevice;

test.before(async (t) => {
  t.timeout(3_600_000, "a kernel is built the first time");
  device = await TinyDevice.create((line) => t.log(line));
});

test.after.always(async () => {
  await device[Symbol.asyncDispose]();
});

const measured = (payload: string): number => JSON.parse(payload).value;

test.serial(
  "a signed module is installed, and its telemetry follows the sensor on the I2C bus",
  async (t) => {
    await setTemperature(device.machine, 23.5);
    await device.install(thermo("1.0.0"), THERMO);
    t.is(measured(await device.flows(TEMPERATURE)), 23.5);
    await setTemperature(device.machine, -4.25);
    t.is(measured(await device.flows(TEMPERATURE, (payload) => measured(payload) !== 23.5)), -4.25);
  },
);

test.serial("with one small module there is memory left", async (t) => {
  const memory = await readMemory(device.machine);
  t.log(inMebibytes(memory));
  t.true(memory.available >= MIN_AVAILABLE_KIB);
  t.true(memory.pss <= MAX_PSS_KIB);
});

test.serial("an update takes over live", async (t) => {
  await device.install(thermo("1.1.0", "1.1.0"), THERMO);
  t.regex(await device.flows(TEMPERATURE), /"avg"/);
});

test.serial("a release that traps is rolled back", async (t) => {
  const from = device.events.count;
  await device.offer(thermo("1.2.0", "1.2.0"));
  const end = await device.outcome(THERMO, "1.2.0", from);
  t.is(end.event, "rolled-back");
  t.is(end.code, "trial/trap");
  t.regex(await device.flows(TEMPERATURE), /"avg"/);
});

test.serial("a forged release is refused, and what ran keeps running", async (t) => {
  const from = device.events.count;
  await forgeRelease(device.rig, THERMO, "6.6.6", Buffer.from("not signed"));
  const end = await device.outcome(THERMO, "6.6.6", from);
  t.is(end.event, "refused");
  t.is(end.code, "trust/signature-invalid");
  await device.rig.sync();
  t.regex(await device.flows(TEMPERATURE), /"avg"/);
});

test.serial("ten updates later, two modules running, the agent has not grown", async (t) => {
  await device.install(heater("1.0.0"), "acme/heater");
  const after: TinyMemory[] = [];
  for (let update = 1; update <= 10; update += 1) {
    await device.install(thermo(`2.0.${update}`), THERMO);
    // At rest: the agent collects its heap some seconds after the last event.
    await device.machine.shell.check("sleep 8");
    after.push(await readMemory(device.machine));
  }
  const [fifth, tenth] = [after[4], after[9]];
  t.log(`after five: ${fifth && inMebibytes(fifth)}`);
  t.log(`after ten: ${tenth && inMebibytes(tenth)}`);
  t.true((tenth?.anonymous ?? Infinity) - (fifth?.anonymous ?? 0) <= MAX_GROWTH_KIB);
  t.true((tenth?.pss ?? Infinity) <= MAX_PSS_KIB);
  t.is(await device.machine.shell.check("dmesg | grep -c 'Out of memory' || true"), "0");
  const perSecond: number[] = [];
  while ((perSecond.at(-1) ?? MAX_MAJOR_FAULTS) >= MAX_MAJOR_FAULTS && perSecond.length < REST_WINDOWS) {
    perSecond.push(await majorFaultsPerSecond());
  }
  t.log(`major page faults per second at rest: ${perSecond.map((rate) => rate.toFixed(2)).join(", then ")}`);
  t.true((perSecond.at(-1) ?? Infinity) < MAX_MAJOR_FAULTS);
});

async function majorFaultsPerSecond(): Promise<number> {
  const count = "grep '^pgmajfault ' /proc/vmstat";
  const text = await device.machine.shell.check(`${count}; sleep ${REST_WINDOW_SECONDS}; ${count}`);
  const [before = Number.NaN, later = Number.NaN] = Array.from(text.matchAll(/\d+/g), Number);
  return (later - before) / REST_WINDOW_SECONDS;
}

function inMebibytes(memory: TinyMemory): string {
  const parts = Object.entries(memory).map(([name, kibibytes]) => `${name} ${(kibibytes / 1024).toFixed(1)}`);
  return `${parts.join(", ")} MiB`;
}
