/** Arbitrary installation (TUF), arbitrary software (Uptane): somebody with the broker, and no key, offers software of his own. */

import test from "ava";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("a formally perfect release by foreign keys is refused, in either repository and in both", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = await Attacker.of(fleet);
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  for (const repository of ["image", "director"] as const) {
    const from = victim.events.length;
    const targets = repository === "image" ? imageTargets(evil) : [assigned(evil, 9)];
    victim.send(repository, await attacker.forge(repository, targets));
    const event = await victim.refused("trust/signature-invalid", "arbitrary software", from);
    t.like(event, { event: "refused", repository, module: "acme/thermo", version: "6.6.6" });
  }
  victim.expectRunning(t, "1.0.0");
  t.false(victim.rig.broker.requested.includes(evil.made.release.component.sha256));
});

test("signatures under the genuine keys' ids, which those keys did not make, count for nothing", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = await Attacker.of(fleet);
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  for (const repository of ["image", "director"] as const) {
    const from = victim.events.length;
    const targets = repository === "image" ? imageTargets(evil) : [assigned(evil, 9)];
    victim.send(repository, attacker.passOff(repository, await attacker.forge(repository, targets)));
    const event = await victim.refused("trust/signature-invalid", "arbitrary software", from);
    t.like(event, { event: "refused", repository, module: "acme/thermo", version: "6.6.6" });
  }
  victim.expectRunning(t, "1.0.0");
  t.false(victim.rig.broker.requested.includes(evil.made.release.component.sha256));
});

test("forged targets below a genuine timestamp are refused, and what is genuine is taken when it is back", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = await Attacker.of(fleet);
  const { targets } = await attacker.forge("director", [assigned(releaseOf("6.6.6", 99), 9)]);
  victim.send("director", { targets });
  await victim.refused("trust/signature-invalid", "arbitrary software");
  victim.expectRunning(t, "1.0.0");
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
});
