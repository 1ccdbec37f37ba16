/** Indefinite freeze: the broker goes on sending what was right once, so that nobody notices that there is something newer. */

import test from "ava";
import { NOW_MS } from "../../support/signed-repository.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

const DAY_MS = 86_400_000;

test("what is held back is noticed when the old metadata expires, and an update goes through once it is let through", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const held = releaseOf("1.1.0", 2);
  victim.offerBlobs(held);
  const image = await fleet.publish(held);
  const director = await fleet.assign(held);
  victim.nowMs += 400 * DAY_MS;
  for (const repository of ["image", "director"] as const) victim.send(repository, fleet.kept(repository, 1));
  for (const repository of ["image", "director"] as const) {
    const isNoticed = () =>
      victim.events.some((each) => each.code === "trust/freeze-attack" && each.repository === repository);
    while (!isNoticed()) await victim.nextEvent();
    victim.expectRunning(t, "1.0.0");
  }
  // The clock was wrong: what was held back is as good as it was, and is taken.
  victim.nowMs -= 400 * DAY_MS;
  await victim.takes("image", image);
  victim.send("director", director);
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});

test("a device whose clock stands in 1970 is not frozen, and takes nothing that expired before the latest signed time", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  victim.nowMs = 0;
  const issued = (time: string) => ({
    change: { timestamp: (signed: object) => ({ ...signed, skerry: { issued: time } }) },
  });
  const next = releaseOf("1.1.0", 2);
  fleet.releases.push(next);
  victim.offerBlobs(next);
  const targets = fleet.releases.flatMap(imageTargets);
  await victim.takes("image", await fleet.sign("image", targets, issued("2030-05-01T00:00:00Z")));
  await victim.takes(
    "director",
    await fleet.sign("director", [assigned(next, 5)], issued("2030-05-01T00:00:00Z")),
  );
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
  const stale = await fleet.sign("director", [assigned(next, 6)], {
    expiresMs: { timestamp: Date.parse("2030-04-01T00:00:00Z") },
  });
  victim.send("director", stale);
  t.like(await victim.refused("trust/freeze-attack", "freeze"), {
    repository: "director",
    role: "timestamp",
  });
  await victim.restart();
  const from = victim.events.length;
  victim.send("director", stale);
  await victim.refused("trust/freeze-attack", "freeze", from);
  victim.expectRunning(t, "1.1.0");
});

test("a device whose clock stands in 2099 is not locked out: it goes by the latest signed time, and by its clock once that is right", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  victim.nowMs = Date.parse("2099-01-01T00:00:00Z");
  await victim.release(releaseOf("1.1.0", 2));
  victim.expectRunning(t, "1.1.0");
  await victim.restart();
  victim.nowMs = NOW_MS;
  await victim.release(releaseOf("1.2.0", 3));
  victim.expectRunning(t, "1.2.0");
});
