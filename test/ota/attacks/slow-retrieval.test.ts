/** Slow retrieval: a broker that delivers so slowly that an update never ends, and keeps all others from starting. See test/ota/slow-retrieval.test.ts too. */

import test from "ava";
import { SLOW_RETRIEVAL_WINDOW_MS } from "../../../ota/limits.ts";
import { BlobBroker } from "../../support/blob-broker.ts";
import { Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("a download that is starved is given up and told, what runs goes on, and the next update starts", async (t) => {
  const starved = releaseOf("1.1.0", 2);
  let isSlow = false;
  const { component, chunks } = starved.made.release;
  const kept = new Set([component.sha256, chunks.sha256]);
  const broker = new BlobBroker((digest, payload) =>
    payload === undefined || (isSlow && kept.has(digest)) ? [] : [payload],
  );
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet, { broker });
  isSlow = true;
  // A message has begun, and its bytes come one by one.
  Object.assign(broker, { isReceiving: () => isSlow });
  victim.offerBlobs(starved);
  await victim.takes("image", await fleet.publish(starved));
  victim.send("director", await fleet.assign(starved));
  await victim.starve();
  t.like(await victim.refused("delivery/slow-retrieval", "slow retrieval"), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  isSlow = false;
  await victim.release(releaseOf("1.2.0", 3));
  victim.expectRunning(t, "1.2.0");
  t.false(victim.rig.clock.pendingMs.includes(SLOW_RETRIEVAL_WINDOW_MS), "nothing waits for the starved one");
});
