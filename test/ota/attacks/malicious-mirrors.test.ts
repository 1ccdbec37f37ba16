/** Malicious mirrors: a broker that serves whatever it likes keeps a device from its updates, and no longer than it is asked. */

import test from "ava";
import { BlobBroker } from "../../support/blob-broker.ts";
import { Fleet, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("chunks of another making are refused one by one; another broker's are taken, and nothing of the first stays", async (t) => {
  let isMalicious = false;
  const broker = new BlobBroker((_, payload) => {
    if (payload === undefined) return [];
    return [isMalicious ? Uint8Array.from(payload, (byte) => byte ^ 1) : payload];
  });
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet, { broker });
  isMalicious = true;
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  await victim.takes("image", await fleet.publish(next));
  await victim.takes("director", await fleet.assign(next));
  t.like(await victim.refused("delivery/chunk-corrupt", "arbitrary software"), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  isMalicious = false;
  victim.rig.installer.retryNow();
  await victim.rig.passTrial("1.1.0");
  victim.expectRunning(t, "1.1.0");
});

test("a broker that holds another fleet's repositories is refused as such, and changes nothing", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const { testSigner } = await import("../../support/signed-repository.ts");
  const foreign = async (name: string) => ({ signers: [await testSigner(`other ${name}`)], threshold: 1 });
  const roles = {
    root: await foreign("root"),
    timestamp: await foreign("timestamp"),
    snapshot: await foreign("snapshot"),
    targets: await foreign("targets"),
  };
  const others = await Fleet.create({ image: roles, director: roles });
  const evil = releaseOf("9.0.0", 90);
  victim.offerBlobs(evil);
  victim.send("image", { ...(await others.publish(evil)), "2.root": await others.root("image") });
  await victim.refused("trust/signature-invalid", "arbitrary software");
  victim.send("director", await others.assign(evil));
  await victim.refused("trust/signature-invalid", "arbitrary software", victim.events.length);
  victim.expectRunning(t, "1.0.0");
});

test("one repository's genuine metadata on the other's topics is called by its name", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  victim.send("director", await fleet.publish(releaseOf("1.1.0", 2)));
  t.like(await victim.refused("trust/wrong-repository", "mix-and-match"), { repository: "director" });
  victim.expectRunning(t, "1.0.0");
});
