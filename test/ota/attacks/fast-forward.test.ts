/** Fast-forward: whoever stole the online keys signs the highest versions there are, so that nothing genuine is newer ever again. */

import test from "ava";
import { rootFile, testSigner } from "../../support/signed-repository.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

const AHEAD = 1_000_000;

for (const restarts of [false, true]) {
  test(`a root with other keys brings the device back to low versions${restarts ? ", over a restart, though one key was kept" : ""}`, async (t) => {
    const fleet = await Fleet.create();
    const victim = await Victim.create(t, fleet);
    const [first] = fleet.releases;
    if (first === undefined) return t.fail();
    const attacker = (await Attacker.of(fleet)).stealAll("director");
    await victim.takes("director", await attacker.forge("director", [assigned(first, 9)], { ahead: AHEAD }));
    const next = releaseOf("1.1.0", 2);
    victim.offerBlobs(next);
    victim.send("image", await fleet.publish(next));
    victim.send("director", await fleet.assign(next));
    await victim.refused("trust/rollback-attack", "rollback");
    victim.expectRunning(t, "1.0.0");

    // The operator: new keys for timestamp and snapshot beside the old ones, which sign no more.
    const { timestamp, snapshot, targets, ...root } = fleet.roles.director;
    const beside = async (name: string, { signers }: typeof timestamp) => ({
      signers: [await testSigner(name), ...signers],
      threshold: 1,
    });
    const renewed = {
      ...root,
      timestamp: await beside("new timestamp", timestamp),
      snapshot: await beside("new snapshot", snapshot),
      targets: { signers: [await testSigner("new targets")], threshold: 1 },
    };
    fleet.roles.director = renewed;
    await victim.takes("director", { "2.root": await rootFile(renewed, { version: 2 }) });
    if (restarts) await victim.restart();
    victim.send("director", await fleet.assign(next));
    await victim.rig.passTrial("1.1.0");
    victim.expectRunning(t, "1.1.0");
    await victim.restart();
    t.is(targets.threshold, 1);
    await victim.release(releaseOf("1.2.0", 3));
    victim.expectRunning(t, "1.2.0");
  });
}

test("a signed time far ahead makes everything look expired, and falls with the key that signed it", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  const centuryMs = Date.parse("2129-01-01T00:00:00Z");
  const forged = await attacker.forge("director", [assigned(first, 9)], {
    expiresMs: { timestamp: centuryMs, snapshot: centuryMs, targets: centuryMs },
    change: { timestamp: (signed) => ({ ...signed, skerry: { issued: "2128-01-01T00:00:00Z" } }) },
  });
  await victim.takes("director", forged);
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  victim.send("image", await fleet.publish(next));
  await victim.refused("trust/freeze-attack", "freeze");
  victim.expectRunning(t, "1.0.0");
  const one = async (name: string) => ({ signers: [await testSigner(name)], threshold: 1 });
  const renewed = {
    root: fleet.roles.director.root,
    timestamp: await one("new timestamp"),
    snapshot: await one("new snapshot"),
    targets: await one("new targets"),
  };
  fleet.roles.director = renewed;
  victim.send("director", { "2.root": await rootFile(renewed, { version: 2 }) });
  victim.send("director", await fleet.assign(next));
  victim.send("image", fleet.kept("image", fleet.version("image")));
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});
