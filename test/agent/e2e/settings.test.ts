/** What a module keeps and what it is told, through a whole agent: keyvalue over updates and rollbacks, [config] under the owner's word. */
import { readFile, writeFile } from "node:fs/promises";
import test, { type ExecutionContext } from "ava";
import { settingsCommandText } from "../../support/settings-modules.ts";
import { requireTool } from "../../support/tools.ts";
import { componentFromText } from "../../support/wat.ts";
import { Device, startGuardedBroker } from "./harness.ts";
import { manifestOf, release } from "./releases.ts";

const OPTIONS = { module: "acme/keeper", storage: "64KiB" };
const SLEEP_FOR_EVER = "(call $sleep (i64.const 3600000000000)) (i32.const 0)";

/** A version that does this, and sleeps unless it traps. */
async function keeper(version: string, lines: string, config = "") {
  const component = await componentFromText(settingsCommandText(`${lines} ${SLEEP_FOR_EVER}`));
  return release(version, component, { ...OPTIONS, manifest: `${manifestOf(version, OPTIONS)}${config}` });
}

async function startedDevice(t: ExecutionContext): Promise<Device | undefined> {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return undefined;
  const broker = await startGuardedBroker();
  const device = await Device.create(broker);
  t.teardown(async () => {
    await device.close();
    await broker.mosquitto.dispose();
  });
  await device.start();
  return device;
}

/** The next thing that the module publishes. */
async function published(device: Device, from: number): Promise<string> {
  const ofKeeper = ({ topic }: { topic: string }) => topic === "telemetry/acme.keeper/x";
  return (await device.telemetry.until("what the module publishes", ofKeeper, from)).payload;
}

test("wasi:keyvalue: a rollback brings back what the module had before the trial, a commit keeps what it has since", async (t) => {
  const device = await startedDevice(t);
  if (device === undefined) return;
  const count = (by: number) => `(call $publish-digit (call $increment (i64.const ${by})))`;
  await device.install(await keeper("1.0.0", count(1)));
  t.is(await published(device, 0), "1");

  let from = device.telemetry.count;
  await device.offer(await keeper("1.1.0", `${count(5)} unreachable`));
  t.is(await published(device, from), "6", "the trial has the data");
  await device.event("rolled-back", "1.1.0", OPTIONS);
  t.is(await published(device, from + 1), "2", "as if there had been no trial");

  from = device.telemetry.count;
  await device.install(await keeper("1.2.0", count(1)));
  t.is(await published(device, from), "3");
  await device.stop();
  await device.start();
  t.is(await published(device, from + 1), "4");
});

test("wasi:config: a module is told what its manifest says, unless the device's owner says otherwise", async (t) => {
  const device = await startedDevice(t);
  if (device === undefined) return;
  const { deviceToml } = device.rig;
  const ownersWord = await readFile(deviceToml, "utf8");
  await device.install(await keeper("1.0.0", "(call $publish-setpoint)", '[config]\nsetpoint = "20"\n'));
  t.is(await published(device, 0), "20");

  await device.stop();
  await writeFile(
    deviceToml,
    `${ownersWord}\n[[grant]]\nmodule = "acme/keeper"\nconfig = { setpoint = "21.5" }\n`,
  );
  let from = device.telemetry.count;
  await device.start();
  t.is(await published(device, from), "21.5");

  from = device.telemetry.count;
  await device.install(await keeper("1.1.0", "(call $publish-setpoint)", '[config]\nsetpoint = "22"\n'));
  t.is(await published(device, from), "21.5");
  await device.stop();
  await writeFile(deviceToml, ownersWord);
  from = device.telemetry.count;
  await device.start();
  t.is(await published(device, from), "22");
});
