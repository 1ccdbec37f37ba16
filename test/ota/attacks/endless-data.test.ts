/** Endless data: metadata and chunks that never end, to fill memory and disk. */

import test from "ava";
import { MAX_METADATA_BYTES } from "../../../ota/limits.ts";
import { NOTHING_RECEIVED, receiveMetadata } from "../../../ota/trust-state.ts";
import { BlobBroker } from "../../support/blob-broker.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

for (const role of ["timestamp", "snapshot", "targets"] as const) {
  test(`a ${role} of ten megabytes is refused unread, and no more of it is kept than shows that`, async (t) => {
    const fleet = await Fleet.create();
    const victim = await Victim.create(t, fleet);
    victim.send("director", { [role]: new Uint8Array(10_000_000).fill(0x20) });
    t.like(await victim.refused("trust/endless-data-attack", "endless data"), {
      repository: "director",
      role,
    });
    victim.expectRunning(t, "1.0.0");
    const interest = { root: { version: 1, consistentSnapshot: false }, delegatedRoles: undefined };
    const kept = receiveMetadata(NOTHING_RECEIVED, { role }, new Uint8Array(10_000_000), interest);
    t.is(kept[role]?.byteLength, MAX_METADATA_BYTES + 1);
  });
}

test("files of delegated roles without end are kept up to a bound, and none that no module leads to", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  for (let number = 0; number < 500; number += 1) {
    victim.send("image", { [`role-${number}`]: new Uint8Array(65_536) });
  }
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
});

test("signed metadata that lists more than a device takes is refused before anything is fetched", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  // Whoever has all keys but no way into the device: a component of a terabyte.
  const attacker = (await Attacker.of(fleet)).stealAll("image").stealAll("director");
  const huge = releaseOf("6.6.6", 99);
  const [component, ...others] = imageTargets(huge);
  if (component === undefined) return t.fail();
  const long = <Target extends typeof component>(target: Target) => ({
    ...target,
    length: 2 ** 40,
    json: { ...target.json, length: 2 ** 40 },
  });
  victim.send("image", await attacker.forge("image", [long(component), ...others]));
  victim.send("director", await attacker.forge("director", [long(assigned(huge, 9))]));
  await victim.refused("trust/endless-data-attack", "endless data");
  victim.expectRunning(t, "1.0.0");
});

test("a chunk that is longer than its list says is not written, and another broker's good ones are taken", async (t) => {
  let isHostile = false;
  const broker = new BlobBroker((_, payload) =>
    payload === undefined ? [] : [isHostile ? new Uint8Array(1_000_000) : payload],
  );
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet, { broker });
  isHostile = true;
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  victim.send("image", await fleet.publish(next));
  victim.send("director", await fleet.assign(next));
  await victim.refused("delivery/chunk-corrupt", "arbitrary software");
  victim.expectRunning(t, "1.0.0");
  isHostile = false;
  victim.rig.installer.retryNow();
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});
