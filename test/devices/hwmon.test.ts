import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { HwmonSensor } from "../../devices/hwmon.ts";

const NOW_NS = 1_700_000_000_000_000_000n;

/** A folder that looks like /sys/class/hwmon; goes with the test. */
async function hwmonFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-hwmon-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** Adds a chip with its attributes, as the kernel writes them: each with a line end. */
async function addChip(
  folder: string,
  entry: string,
  attributes: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(join(folder, entry));
  for (const [name, text] of Object.entries(attributes))
    await writeFile(join(folder, entry, name), `${text}\n`);
}

function sensorAt(folder: string, chip: string, channel: string, device?: string): HwmonSensor {
  return new HwmonSensor("ambient", { driver: "hwmon", chip, channel, device }, () => NOW_NS, folder);
}

const channels: readonly (readonly [channel: string, text: string, value: number, unit: string])[] = [
  ["temp1", "21437", 21.437, "Cel"],
  ["temp2", "-5500", -5.5, "Cel"],
  ["in0", "3312", 3.312, "V"],
  ["curr1", "250", 0.25, "A"],
  ["power1", "1500000", 1.5, "W"],
  ["energy1", "2000000", 2, "J"],
  ["humidity1", "45125", 45.125, "%"],
  ["fan1", "1200", 1200, "1/min"],
];
for (const [channel, text, value, unit] of channels) {
  test(`scales ${channel}_input to ${unit}`, async (t) => {
    const folder = await hwmonFolder(t);
    await addChip(folder, "hwmon0", { name: "other", [`${channel}_input`]: "1" });
    await addChip(folder, "hwmon1", { name: "lm75", [`${channel}_input`]: text });
    t.deepEqual(await sensorAt(folder, "lm75", channel).read(), { value, unit, timeNs: NOW_NS });
  });
}

test("a chip that comes back under another number is found again", async (t) => {
  const folder = await hwmonFolder(t);
  await addChip(folder, "hwmon3", { name: "lm75", temp1_input: "20000" });
  const sensor = sensorAt(folder, "lm75", "temp1");
  t.is((await sensor.read()).value, 20);
  await rename(join(folder, "hwmon3"), join(folder, "gone"));
  await t.throwsAsync(sensor.read(), {
    code: "device/unavailable",
    message: /sensor ambient \(lm75 temp1\)/,
  });
  await rename(join(folder, "gone"), join(folder, "hwmon7"));
  await t.throwsAsync(async () => sensorAt(folder, "lm76", "temp1").read(), { code: "device/unavailable" });
  t.is((await sensor.read()).value, 20);
});

test("of two chips of one name the address decides, and without one neither is taken", async (t) => {
  const folder = await hwmonFolder(t);
  for (const [entry, address, text] of [
    ["hwmon0", "1-0048", "10000"],
    ["hwmon1", "1-0049", "30000"],
  ] as const) {
    await addChip(folder, entry, { name: "lm75", temp1_input: text });
    await mkdir(join(folder, address));
    await symlink(join("..", address), join(folder, entry, "device"));
  }
  t.is((await sensorAt(folder, "lm75", "temp1", "1-0049").read()).value, 30);
  await t.throwsAsync(sensorAt(folder, "lm75", "temp1").read(), {
    code: "device/misconfigured",
    message: /"1-0048", "1-0049"/,
  });
  await t.throwsAsync(sensorAt(folder, "lm75", "temp1", "1-0050").read(), { code: "device/unavailable" });
});

test("a broken probe is a failure, not a measurement", async (t) => {
  const folder = await hwmonFolder(t);
  await addChip(folder, "hwmon0", { name: "max31865", temp1_input: "988792", temp1_fault: "1" });
  const sensor = sensorAt(folder, "max31865", "temp1");
  await t.throwsAsync(sensor.read(), { code: "device/failed", message: /broken probe/ });
  await writeFile(join(folder, "hwmon0", "temp1_fault"), "0\n");
  await writeFile(join(folder, "hwmon0", "temp1_input"), "22000\n");
  t.is((await sensor.read()).value, 22);
});

for (const text of ["", "warm", "21.5", "1e3", "99999999999999999999", "0x10", "1\n2"]) {
  test(`an attribute that holds ${JSON.stringify(text)} is a failure`, async (t) => {
    const folder = await hwmonFolder(t);
    await addChip(folder, "hwmon0", { name: "lm75", temp1_input: text });
    await t.throwsAsync(sensorAt(folder, "lm75", "temp1").read(), { code: "device/failed" });
  });
}

test("a channel that the chip does not have is unavailable", async (t) => {
  const folder = await hwmonFolder(t);
  await addChip(folder, "hwmon0", { name: "lm75", temp1_input: "1" });
  await t.throwsAsync(sensorAt(folder, "lm75", "temp2").read(), { code: "device/unavailable" });
});

test("a machine without hwmon answers unavailable", async (t) => {
  const folder = await hwmonFolder(t);
  await t.throwsAsync(sensorAt(join(folder, "none"), "lm75", "temp1").read(), { code: "device/unavailable" });
});
