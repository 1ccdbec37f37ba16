/** Director compromise alone: all of its keys are stolen, the image repository's are not. */

import test from "ava";
import { targetPath } from "../../../ota/names.ts";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("software that the image repository does not list is refused, and so is other software under a listed name", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  await victim.takes("director", await attacker.forge("director", [assigned(evil, 9)]));
  t.like(await victim.refused("trust/not-vouched", "arbitrary software"), { version: "6.6.6" });

  const listed = releaseOf("1.1.0", 2);
  await victim.takes("image", await fleet.publish(listed));
  const path = targetPath("acme/thermo", "1.1.0", "component.wasm");
  const assignments = [{ order: 10, device: "pi-01" }];
  const swapped = targetInfo(path, evil.made.release.component, { skerry: { assignments } });
  const from = victim.events.length;
  await victim.takes("director", await attacker.forge("director", [swapped], { ahead: 2 }));
  t.like(await victim.refused("trust/not-vouched", "arbitrary software", from), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  t.false(victim.rig.broker.requested.includes(evil.made.release.component.sha256));
});

test("what it can do is choose among what is published, forwards; backwards is refused", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  await victim.takes("image", await fleet.publish(next));
  victim.send("director", await attacker.forge("director", [assigned(next, 9)]));
  await victim.rig.passTrial("1.1.0");
  victim.send("director", await attacker.forge("director", [assigned(first, 10)], { ahead: 2 }));
  await victim.refused("trust/rollback-attack", "rollback");
  victim.expectRunning(t, "1.1.0");
});

test("a director that delegates, to bring roles of its own, is refused", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  const role = { name: "acme", keyids: [], threshold: 1, paths: ["*/*/*/*"], terminating: true };
  const forged = await attacker.forge("director", [], {
    change: { targets: (signed) => ({ ...signed, delegations: { keys: {}, roles: [role] } }) },
  });
  const outcome = await Promise.race([
    victim.refused("trust/unsupported", undefined).then(() => "refused"),
    victim.takes("director", forged).then(() => "taken"),
  ]);
  t.is(outcome, "refused");
  victim.expectRunning(t, "1.0.0");
});
