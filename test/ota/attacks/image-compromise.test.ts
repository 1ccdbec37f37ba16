/** Image repository compromise alone: all of its keys are stolen, the director's are not. */

import test from "ava";
import { Attacker } from "./attacker.ts";
import { Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("what is published and not assigned is not installed", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = (await Attacker.of(fleet)).stealAll("image");
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  const targets = [...fleet.releases.flatMap(imageTargets), ...imageTargets(evil)];
  await victim.takes("image", await attacker.forge("image", targets));
  victim.expectRunning(t, "1.0.0");
  t.deepEqual(victim.rig.told("6.6.6"), []);
  t.false(victim.rig.broker.requested.includes(evil.made.release.component.sha256));
});

test("other software under the name of what is assigned is refused: the director names the same bytes", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = (await Attacker.of(fleet)).stealAll("image");
  const swapped = releaseOf("1.0.0", 99, { component: "malware" });
  victim.offerBlobs(swapped);
  await victim.takes("image", await attacker.forge("image", imageTargets(swapped)));
  t.like(await victim.refused("trust/not-vouched", "arbitrary software"), { version: "1.0.0" });
  victim.expectRunning(t, "1.0.0");
  await victim.restart();
  victim.expectRunning(t, "1.0.0");
});

test("a raised release counter does not lock out what the operator publishes: only what is committed counts", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  const attacker = (await Attacker.of(fleet)).stealAll("image");
  await victim.takes("image", await attacker.forge("image", imageTargets({ ...first, release: 1_000_000 })));
  await fleet.sign("image", fleet.releases.flatMap(imageTargets));
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
});
