/** Mixed bundles: the director's choice of one day with the image repository of another. */

import test from "ava";
import { Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("a choice that the image repository at hand does not vouch for is not acted upon, and is once it does", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  const image = await fleet.publish(next);
  await victim.takes("director", await fleet.assign(next));
  t.like(await victim.refused("trust/not-vouched", "arbitrary software"), {
    module: "acme/thermo",
    version: "1.1.0",
  });
  victim.expectRunning(t, "1.0.0");
  t.false(victim.rig.broker.requested.includes(next.made.release.component.sha256));
  victim.send("image", image);
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});

test("the director's choice of a day on which the image repository listed other bytes under that name is not acted upon", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const [first] = fleet.releases;
  if (first === undefined) return t.fail();
  const former = releaseOf("1.1.0", 2, { component: "what 1.1.0 was on the day before" });
  const now = releaseOf("1.1.0", 2);
  victim.offerBlobs(former, now);
  await victim.takes("image", await fleet.sign("image", [first, now].flatMap(imageTargets)));
  await victim.takes("director", await fleet.assign(former));
  const event = await victim.refused("trust/not-vouched", "arbitrary software");
  t.like(event, { module: "acme/thermo", version: "1.1.0" });
  t.regex(event.message ?? "", /with another (length|hash) than the director/);
  victim.expectRunning(t, "1.0.0");
  for (const { made } of [former, now])
    t.false(victim.rig.broker.requested.includes(made.release.component.sha256));
});

test("two modules of two days: each is what both repositories stand for, or stays what it is", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const lamp = releaseOf("1.0.0", 1, { module: "acme/lamp" });
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(lamp, next);
  await victim.takes("image", await fleet.publish(next));
  await fleet.publish(lamp);
  victim.send("director", await fleet.assign(next, lamp));
  await victim.rig.passTrial("1.1.0");
  t.like(await victim.refused("trust/not-vouched", "arbitrary software"), { module: "acme/lamp" });
  t.is(victim.rig.runner.runningVersion("acme/lamp"), undefined);
  t.is(victim.rig.runner.runningVersion(), "1.1.0");
});
