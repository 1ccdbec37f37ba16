/**
 * Modules that try to break a limit, on a device with another module. While each is at it and after it, the agent answers its
 * control interface, the other module's telemetry goes on, and an event names the limit.
 */
import test from "ava";
import { type Device, SharedDevice, startGuardedBroker } from "./harness.ts";
import { HOSTILE_MODULES, hostileRelease } from "./hostile-modules.ts";

/** A second is enough for modules that behave; the defaults of ten and sixty would only make the tests wait. */
const DEADLINES = { callDeadlineMs: 2_000, startDeadlineMs: 10_000 };

const shared = new SharedDevice(() => startGuardedBroker(), DEADLINES);
test.after.always(() => shared.close());

async function expectUnharmed(device: Device, rounds = 1): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all([
      device.ping(),
      device.telemetry.until(
        "telemetry of the other module",
        ({ topic }) => topic === "telemetry/acme.thermo/x",
        device.telemetry.count,
      ),
    ]);
  }
}

for (const hostile of HOSTILE_MODULES) {
  const { does, name, code, outcome } = hostile;
  test(`${code}: a module that ${does}`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const module = `acme/${name}`;
    await device.offer(await hostileRelease(hostile));
    await device.event("trial", "1.0.0", { module });
    await expectUnharmed(device, 3);
    const event = await device.event(outcome === "ends" ? "failed" : "limited", "1.0.0", { module });
    t.true(event.code === code || event.message?.includes(code) === true, JSON.stringify(event));
    await expectUnharmed(device);
    if (outcome === "goes-on")
      t.is((await device.untilState("it running", () => true, module)).phase, "trial");
  });
}
