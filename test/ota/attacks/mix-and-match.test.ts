/** Mix-and-match: genuine files that never belonged together. */

import test from "ava";
import { assigned, Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("new targets below an old snapshot, and the reverse, are waited for and then refused; the whole is taken", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  await victim.takes("image", await fleet.publish(next));
  const old = fleet.kept("director", 1);
  const set = await fleet.assign(next);
  for (const mixture of [
    { timestamp: old.timestamp, snapshot: old.snapshot, targets: set.targets },
    { timestamp: set.timestamp, snapshot: old.snapshot, targets: set.targets },
    { timestamp: set.timestamp, snapshot: set.snapshot, targets: old.targets },
  ]) {
    const from = victim.events.length;
    victim.send("director", mixture);
    t.like(await victim.refused("trust/mix-and-match-attack", "mix-and-match", from), {
      repository: "director",
    });
    victim.expectRunning(t, "1.0.0");
  }
  victim.send("director", set);
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});

test("a file of the right version and another content than the one that is named is refused", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const first = releaseOf("1.0.0", 1);
  const next = releaseOf("1.1.0", 2);
  await victim.takes("image", await fleet.publish(next));
  const set = await fleet.assign(next);
  // Signed with the same keys under the same number, in another copy of the operator's folder.
  const signElsewhere = async (...orders: number[]) => {
    const copy = await Fleet.create();
    await copy.sign("director", []);
    return copy.sign("director", [
      assigned(next, orders[0]),
      ...orders.slice(1).map((order) => assigned(first, order)),
    ]);
  };
  for (const [orders, code] of [
    [[7, 8], "trust/length-mismatch"],
    [[7], "trust/hash-mismatch"],
  ] as const) {
    const from = victim.events.length;
    victim.send("director", { ...set, targets: (await signElsewhere(...orders)).targets });
    await victim.refused(code, "mix-and-match", from);
  }
  victim.expectRunning(t, "1.0.0");
});
