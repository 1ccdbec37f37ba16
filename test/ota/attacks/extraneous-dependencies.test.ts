/**
 * Extraneous dependencies: software that was not asked for comes along with what was. A module has no dependencies: it brings all its code in one
 * component, and whatever else it needs is granted by the device's owner. What is left is an entry more in the metadata.
 */

import test from "ava";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("a second module that somebody adds to the director's targets without its key is refused with all of them", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const extra = releaseOf("1.0.0", 1, { module: "acme/extra" });
  victim.offerBlobs(extra);
  victim.send("image", await fleet.publish(extra));
  const attacker = await Attacker.of(fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  victim.send("director", await attacker.forge("director", [assigned(first, 5), assigned(extra, 6)]));
  await victim.refused("trust/signature-invalid", "arbitrary software");
  victim.expectRunning(t, "1.0.0");
  t.is(victim.rig.runner.runningVersion("acme/extra"), undefined);
});

test("a manifest that names dependencies is refused: there is nothing that would fetch them", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const manifest =
    'name = "acme/thermo"\nversion = "1.1.0"\nworld = "command"\ndependencies = ["acme/extra"]\n';
  const next = releaseOf("1.1.0", 2, { manifest });
  victim.offerBlobs(next);
  victim.send("image", await fleet.publish(next));
  victim.send("director", await fleet.assign(next));
  await victim.rig.until("refused", "1.1.0");
  t.like(victim.events.at(-1), { event: "refused", code: "manifest/unknown-key", version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
});
