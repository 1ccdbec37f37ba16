/** Key compromise, below a threshold and at it, and the way back by a new root. */

import test from "ava";
import { repositorySigners, rootFile, testSigner } from "../../support/signed-repository.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

/** A fleet whose image targets want two of three keys. */
async function guarded(): Promise<Fleet> {
  const roles = await repositorySigners("image");
  const signers = await Promise.all(["one", "two", "three"].map(testSigner));
  return Fleet.create({ image: { ...roles, targets: { signers, threshold: 2 } } });
}

test("below the threshold: one of two targets keys, with all online keys, signs nothing that is taken", async (t) => {
  const fleet = await guarded();
  const victim = await Victim.create(t, fleet);
  const attacker = await Attacker.of(fleet);
  attacker.steal("image", ["timestamp", "snapshot"]).steal("image", ["targets"], 1).stealAll("director");
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  victim.send("image", await attacker.forge("image", imageTargets(evil)));
  victim.send("director", await attacker.forge("director", [assigned(evil, 9)]));
  t.like(await victim.refused("trust/signature-invalid", "arbitrary software"), { repository: "image" });
  victim.expectRunning(t, "1.0.0");
});

test("below the root's threshold: a root that one of two keys signed is refused", async (t) => {
  const roles = await repositorySigners("image");
  const signers = await Promise.all(["root one", "root two"].map(testSigner));
  const fleet = await Fleet.create({ image: { ...roles, root: { signers, threshold: 2 } } });
  const victim = await Victim.create(t, fleet);
  const thief = await testSigner("thief");
  const taken = {
    root: { signers: [thief], threshold: 1 },
    timestamp: { signers: [thief], threshold: 1 },
    snapshot: { signers: [thief], threshold: 1 },
    targets: { signers: [thief], threshold: 1 },
  };
  const [stolen] = signers;
  if (stolen === undefined) return t.fail();
  victim.send("image", { "2.root": await rootFile(taken, { version: 2, signedBy: [stolen, thief] }) });
  t.like(await victim.refused("trust/signature-invalid", "arbitrary software"), {
    repository: "image",
    role: "root",
  });
  victim.expectRunning(t, "1.0.0");
  await victim.restart();
  await victim.refused("trust/signature-invalid", "arbitrary software", victim.events.length);
  // The operator takes it away from the topic, and goes on.
  victim.send("image", { "2.root": new Uint8Array(0) });
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
});

test("at the threshold: what stolen keys signed ends with the root that revokes them", async (t) => {
  const fleet = await guarded();
  const victim = await Victim.create(t, fleet);
  const attacker = (await Attacker.of(fleet)).stealAll("image");
  const evil = releaseOf("6.6.6", 99);
  victim.offerBlobs(evil);
  // Taken: it is signed as it should be. Nobody assigns it.
  await victim.takes("image", await attacker.forge("image", imageTargets(evil)));
  victim.expectRunning(t, "1.0.0");
  const { root } = fleet.roles.image;
  const one = async (name: string) => ({ signers: [await testSigner(name)], threshold: 1 });
  const renewed = {
    root,
    timestamp: await one("new timestamp"),
    snapshot: await one("new snapshot"),
    targets: await one("new targets"),
  };
  fleet.roles.image = renewed;
  victim.send("image", { "2.root": await rootFile(renewed, { version: 2 }) });
  await victim.refused("trust/signature-invalid", "arbitrary software");
  victim.send("director", await fleet.assign(evil));
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
  t.false(victim.rig.broker.requested.includes(evil.made.release.component.sha256));
});
