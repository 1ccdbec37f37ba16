/** Drop-request: the broker withholds metadata or chunks. Nothing can be forced out of it; it is told, and what runs goes on. */

import test from "ava";
import { Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

for (const role of ["timestamp", "snapshot", "targets"] as const) {
  test(`a ${role} that never comes is reported as missing after it was asked for once more`, async (t) => {
    const fleet = await Fleet.create();
    const victim = await Victim.create(t, fleet);
    await victim.restart();
    const next = releaseOf("1.1.0", 2);
    victim.offerBlobs(next);
    await victim.takes("image", await fleet.publish(next));
    const set = await fleet.assign(next);
    victim.send("director", { ...set, [role]: new Uint8Array(0) });
    const event = await victim.refused("trust/incomplete", "drop-request");
    t.like(event, { repository: "director", role });
    victim.expectRunning(t, "1.0.0");
    victim.send("director", set);
    await victim.rig.passTrial("1.1.0");
    victim.expectRunning(t, "1.1.0");
  });
}

test("chunks that never come are reported, and asked for again when the device connects anew", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const next = releaseOf("1.1.0", 2);
  await victim.takes("image", await fleet.publish(next));
  victim.send("director", await fleet.assign(next));
  await victim.starve();
  t.like(await victim.refused("delivery/timeout", "drop-request"), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  victim.offerBlobs(next);
  victim.rig.installer.retryNow();
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});
