/** Slow retrieval: a broker that delivers so slowly that an update never ends, and keeps all others from starting. */

import test from "ava";
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
  victim.offerBlobs(starved);
  await victim.takes("image", await fleet.publish(starved));
  victim.send("director", await fleet.assign(starved));
  await victim.starve();
  t.like(await victim.refused("delivery/timeout", "drop-request"), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  await victim.release(releaseOf("1.2.0", 3));
  victim.expectRunning(t, "1.2.0");
});
