/** Partial bundle installation: of what was signed together only a part is let through. */

import test from "ava";
import { BlobBroker } from "../../support/blob-broker.ts";
import { WINDOW_MS } from "../../support/install-rig.ts";
import { Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("a part of the metadata is not acted upon: a set is trusted whole or not at all", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  await victim.takes("image", await fleet.publish(next));
  const { timestamp, targets } = await fleet.assign(next);
  victim.send("director", { timestamp, targets });
  t.like(await victim.refused("trust/mix-and-match-attack", "mix-and-match"), { role: "snapshot" });
  victim.expectRunning(t, "1.0.0");
  t.false(victim.rig.broker.requested.includes(next.made.release.component.sha256));
});

test("one of two modules withheld: it is reported by name, its old version runs on, and the other is installed", async (t) => {
  const withheld = releaseOf("1.1.0", 2);
  const kept = new Set(withheld.made.blobs.keys());
  const broker = new BlobBroker((digest, payload) =>
    payload === undefined || kept.has(digest) ? [] : [payload],
  );
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet, { broker });
  const lamp = releaseOf("1.0.0", 1, { module: "acme/lamp" });
  victim.offerBlobs(withheld, lamp);
  await victim.takes("image", await fleet.publish(withheld));
  await victim.takes("image", await fleet.publish(lamp));
  victim.send("director", await fleet.assign(withheld, lamp));
  const lampPhase = () => victim.rig.installer.snapshot()["acme/lamp"]?.phase;
  await victim.rig.untilState(
    () => lampPhase() === "trial" && victim.rig.clock.pendingMs.includes(WINDOW_MS),
  );
  // Its window passes while the other one's download starves.
  await victim.starve();
  const event = await victim.refused("delivery/timeout", "drop-request");
  t.like(event, { module: "acme/thermo", version: "1.1.0" });
  await victim.rig.untilState(() => lampPhase() === "committed");
  t.is(victim.rig.runner.runningVersion("acme/lamp"), "1.0.0");
  t.is(victim.rig.runner.runningVersion(), "1.0.0");
});
