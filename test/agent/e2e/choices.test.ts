/** What a director may choose for a device, over a broker and by the operator's own commands: for its hardware only, and never backwards. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { run } from "../../fleet/run-command.ts";
import { requireTool } from "../../support/tools.ts";
import { Device, startGuardedBroker } from "./harness.ts";
import { MODULE, manifestOf, steady } from "./releases.ts";

test("a release for other hardware, and an older one than is committed, are refused by name; the next one is taken", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker();
  const device = await Device.create(broker);
  t.teardown(async () => {
    await device.close();
    await broker.mosquitto.dispose();
  });
  const { rig } = device;
  await writeFile(rig.deviceToml, `hardware = "rpi-3"\n${await readFile(rig.deviceToml, "utf8")}`);
  await device.start();

  const env = { SKERRY_REPO: rig.repository.folder, SKERRY_MQTT_PASSWORD: broker.operator?.password ?? "" };
  const operator = async (...argv: string[]): Promise<string> => {
    const { exitCode, out, err } = await run([...argv, "--username", "operator"], { env });
    t.is(exitCode, 0, err);
    return out;
  };
  const publish = async (version: string, ...hardware: string[]): Promise<void> => {
    const [component, manifest] = [join(rig.folder, "c.wasm"), join(rig.folder, "m.toml")];
    await writeFile(component, (await steady(version)).component);
    await writeFile(manifest, `hardware = ${JSON.stringify(hardware)}\n${manifestOf(version)}`);
    await operator("publish", component, "--manifest", manifest);
  };
  await publish("1.0.0");
  await publish("1.1.0");
  await publish("1.2.0", "rpi-5");
  await publish("1.3.0", "rpi-3", "rpi-4");

  await operator("assign", `${MODULE}@1.1.0`);
  await device.event("committed", "1.1.0");
  t.regex(await operator("assign", `${MODULE}@1.0.0`), /refuse 1\.0\.0/);
  t.like(await device.event("refused", "1.0.0"), { code: "trust/rollback-attack", attack: "rollback" });
  await operator("assign", `${MODULE}@1.2.0`);
  t.like(await device.event("refused", "1.2.0"), { code: "trust/wrong-hardware" });
  await device.expectServing(t, "1.1.0");
  await operator("assign", `${MODULE}@1.3.0`);
  await device.event("committed", "1.3.0");
  await device.expectServing(t, "1.3.0");
});
