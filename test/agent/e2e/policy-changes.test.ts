/** An owner who takes a grant back: the next start of the agent holds it, and what else runs goes on. */
import { readFile, writeFile } from "node:fs/promises";
import test from "ava";
import { requireTool } from "../../support/tools.ts";
import { Device, startGuardedBroker } from "./harness.ts";
import { MODULE, steady, steadyThen } from "./releases.ts";

const OTHER = "acme/other";

test("stage/code-exceeds-grant: a lower grant of code keeps a larger module from its next start, by that name, and no other", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker();
  const device = await Device.create(broker);
  t.teardown(async () => {
    await device.close();
    await broker.mosquitto.dispose();
  });
  await device.start();
  await device.install(await steadyThen(1e6, "1.0.0", "(nop)".repeat(4096)));
  await device.install(await steady("1.0.0", { module: OTHER }));
  await device.stop();

  const { deviceToml } = device.rig;
  const text = await readFile(deviceToml, "utf8");
  await writeFile(deviceToml, text.replace('module = "acme/*"', 'module = "acme/*"\ncode = "4KiB"'));
  const from = device.events.count;
  await device.start();
  const refused = await device.events.until(
    "the refusal",
    ({ event, code }) => event === "stopped" && code === "stage/code-exceeds-grant",
    from,
  );
  t.is(refused.module, MODULE);
  t.regex(refused.message ?? "", /is granted 4KiB: raise code in its \[\[grant\]\]/);
  await device.expectServing(t, "1.0.0", OTHER);
  await device.ping();
  await device.stop();

  await writeFile(deviceToml, text);
  await device.start();
  await device.expectServing(t, "1.0.0");
});
