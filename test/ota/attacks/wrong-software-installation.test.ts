/** Wrong software installation: genuine software, on a device or under a name that it was not made for. */

import test from "ava";
import { targetPath } from "../../../ota/names.ts";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { Attacker } from "./attacker.ts";
import { assigned, Fleet, imageTargets, releaseOf } from "./fleet.ts";
import { Victim } from "./victim.ts";

test("what is assigned to another device is not this one's", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const next = releaseOf("1.1.0", 2);
  victim.offerBlobs(next);
  await victim.takes("image", await fleet.publish(next));
  await victim.takes("director", await fleet.sign("director", [assigned(next, 9, "pi-02")]));
  victim.expectRunning(t, "1.0.0");
  t.deepEqual(victim.rig.told("1.1.0"), []);
});

test("a release for other hardware is refused, even if the director's keys were stolen", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet, { hardware: "rpi-3" });
  const other = releaseOf("1.1.0", 2, { custom: { hardware: ["rpi-5"] } });
  const own = releaseOf("1.2.0", 3, { custom: { hardware: ["rpi-3", "rpi-4"] } });
  victim.offerBlobs(other);
  await victim.takes("image", await fleet.publish(other));
  const attacker = (await Attacker.of(fleet)).stealAll("director");
  await victim.takes("director", await attacker.forge("director", [assigned(other, 9)]));
  t.like(await victim.refused("trust/wrong-hardware", "wrong software installation"), { version: "1.1.0" });
  victim.expectRunning(t, "1.0.0");
  await fleet.assign(other);
  await victim.release(own);
  victim.expectRunning(t, "1.2.0");
});

test("another module's files under this one's name are refused by their manifest", async (t) => {
  const fleet = await Fleet.create();
  const victim = await Victim.create(t, fleet);
  const lamp = releaseOf("2.0.0", 2, { module: "acme/lamp" }).made.release;
  const path = (file: Parameters<typeof targetPath>[2]) => targetPath("acme/thermo", "2.0.0", file);
  const disguised = [
    targetInfo(path("component.wasm"), lamp.component, { skerry: { release: 2 } }),
    targetInfo(path("component.chunks"), lamp.chunks),
    targetInfo(path("module.toml"), lamp.manifest),
  ];
  victim.offerBlobs(releaseOf("2.0.0", 2, { module: "acme/lamp" }));
  await victim.takes(
    "image",
    await fleet.sign("image", [...fleet.releases.flatMap(imageTargets), ...disguised]),
  );
  const target = targetInfo(path("component.wasm"), lamp.component, {
    skerry: { assignments: [{ order: 9, device: "pi-01" }] },
  });
  victim.send("director", await fleet.sign("director", [target]));
  t.like(await victim.refused("manifest/mismatch", "wrong software installation"), { version: "2.0.0" });
  victim.expectRunning(t, "1.0.0");
});
