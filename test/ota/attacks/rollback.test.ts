/** Rollback: what was newer is replaced by what was signed before, in the metadata or in the release that it chooses. */

import test from "ava";
import { snapshotJson } from "../../../ota/sign-metadata.ts";
import { NEXT_YEAR_MS } from "../../support/signed-repository.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

for (const repository of ["image", "director"] as const) {
  test(`the ${repository} repository's earlier metadata is refused, after a restart as well`, async (t) => {
    const fleet = await Fleet.create();
    const victim = await Victim.create(t, fleet);
    await victim.release(releaseOf("1.1.0", 2));
    const from = victim.events.length;
    victim.send(repository, fleet.kept(repository, 1));
    t.like(await victim.refused("trust/rollback-attack", "rollback", from), { repository });
    await victim.restart();
    const afterwards = victim.events.length;
    victim.send(repository, fleet.kept(repository, 1));
    await victim.refused("trust/rollback-attack", "rollback", afterwards);
    victim.expectRunning(t, "1.1.0");
  });
}

test("a stolen snapshot key can't list older targets", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  await victim.release(releaseOf("1.1.0", 2));
  const attacker = (await Attacker.of(fleet)).steal("director", ["timestamp", "snapshot"]);
  const old = fleet.kept("director", 1);
  const forged = await attacker.forge("director", [], {
    change: {
      snapshot: (signed) => ({ ...signed, meta: { "targets.json": { version: 1 } } }),
    },
  });
  const from = victim.events.length;
  victim.send("director", { ...forged, targets: old.targets });
  // The snapshot itself: the older targets below it would be refused, too, by what is trusted of them.
  t.like(await victim.refused("trust/rollback-attack", "rollback", from), { role: "snapshot" });
  victim.expectRunning(t, "1.1.0");
});

test("a stolen snapshot key can't list a delegated role's older file, or leave the role out", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const acme = (version: number) => new Map([["acme", { version, bytes: Uint8Array.of(version) }]]);
  const targets = fleet.releases.flatMap(imageTargets);
  await victim.takes("image", await fleet.sign("image", targets, { delegated: acme(5) }));
  const attacker = (await Attacker.of(fleet)).steal("image", ["timestamp", "snapshot"]);
  const { targets: genuine } = fleet.kept("image", 2);
  const named = { version: 2, bytes: genuine };
  for (const [delegated, problem] of [
    [acme(4), /names acme\.json 4, the trusted snapshot names 5/],
    [new Map(), /no longer names acme\.json/],
  ] as const) {
    const from = victim.events.length;
    const forged = await attacker.forge("image", [], {
      change: {
        snapshot: (signed) =>
          snapshotJson({ version: 3, expiresMs: NEXT_YEAR_MS, base: signed, targets: named, delegated }),
      },
    });
    victim.send("image", { ...forged, targets: genuine });
    const event = await victim.refused("trust/rollback-attack", "rollback", from);
    t.like(event, { repository: "image", role: "snapshot" });
    t.regex(event.message ?? "", problem);
  }
  victim.expectRunning(t, "1.0.0");
});

test("a stolen director key can't bring a committed module's older release back; the operator does it with a new version", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  await victim.release(releaseOf("1.1.0", 2));
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  const from = victim.events.length;
  victim.send("director", await attacker.forge("director", [assigned(first, 99)]));
  const event = await victim.refused("trust/rollback-attack", "rollback", from);
  t.like(event, { module: "acme/thermo", version: "1.0.0" });
  t.regex(event.message ?? "", /publish it again under a new version/);
  victim.expectRunning(t, "1.1.0");
  await victim.restart();
  victim.expectRunning(t, "1.1.0");

  // The operator, with the same code under another version; his director's version has to go beyond the attacker's.
  const again = releaseOf("1.2.0", 3, { component: "component of acme/thermo@1.0.0" });
  await fleet.assign(first);
  await victim.release(again);
  victim.expectRunning(t, "1.2.0");
  t.is(imageTargets(again)[0]?.sha256, imageTargets(first)[0]?.sha256);
});
