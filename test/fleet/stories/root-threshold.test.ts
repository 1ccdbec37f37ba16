/**
 * docs/OPERATIONS.md, "A threshold of root keys is stolen": the thief owns the fleet's updates, and no message takes that back. Devices
 * need new roots by hand; nothing that comes over the air changes what their trust starts with.
 */

import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { MODULE, steady } from "../../agent/e2e/releases.ts";
import { startStory, type Thief } from "./story.ts";

test("a threshold of both roots' keys: the thief's release runs, within the policy, until devices get new roots by hand", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  const thieves = {
    image: await story.steal("image-root-1", "image-root-2"),
    director: await story.steal("director-root-1", "director-root-2"),
  };
  const takeOver = (thief: Thief, name: "image" | "director"): Promise<void> =>
    thief.publishRoot(name, (signed) => ({ ...signed, roles: thief.ownRoles() }));

  // The thief's roots are rightful ones, so devices follow them, and run what the thief lists and assigns.
  let from = device.events.count;
  const { release, blobs } = await steady("6.6.6");
  await device.putBlobs(blobs);
  const path = (file: string): string => `${MODULE}/6.6.6/${file}`;
  await takeOver(thieves.image, "image");
  await takeOver(thieves.director, "director");
  await thieves.image.publishAll("image", {
    targets: [
      targetInfo(path("component.wasm"), release.component, { skerry: { release: 1_000_000 } }),
      targetInfo(path("component.chunks"), release.chunks),
      targetInfo(path("module.toml"), release.manifest),
    ],
  });
  await thieves.director.publishAll("director", {
    targets: [await thieves.director.assignment("6.6.6", release.component)],
  });
  await device.event("committed", "6.6.6", { from });
  await story.runs("6.6.6");

  // What the old keys sign is nothing to the devices any more, and the operator is told.
  t.regex(await story.fails("sync --username operator"), /fleet\/broker-newer/);

  // New keys, the same releases. Devices refuse the new roots when they come over the air.
  const successor = join(story.folder, "fleet-2");
  await story.operator("keys init --no-passphrase --root-keys 3", successor, "--from", story.fleet);
  const formerFleet = story.fleet;
  story.fleet = successor;
  from = device.events.count;
  await story.operator("sync --username operator");
  await story.refused("director", ["trust/signature-invalid"], from);
  await story.runs("6.6.6");

  // By hand, on the device. It says what happened, and still takes the thief's high release counter for its own.
  await device.stop();
  for (const name of ["image", "director"]) {
    await copyFile(join(successor, name, "1.root.json"), join(formerFleet, name, "1.root.json"));
  }
  from = device.events.count;
  await device.start();
  await device.events.until("the new roots", ({ code }) => code === "trust/root-replaced", from);
  await story.publish("1.1.0");
  from = device.events.count;
  await story.operator(`assign ${MODULE}@1.1.0 --username operator`);
  await device.events.until(
    "the refusal of a lower release counter",
    ({ event, version, code }) =>
      event === "refused" && version === "1.1.0" && code === "trust/rollback-attack",
    from,
  );
  await device.stop();
  await rm(device.rig.stateDir, { recursive: true });
  from = device.events.count;
  await device.start();
  await device.event("committed", "1.1.0", { from });
  await story.runs("1.1.0");
  from = device.events.count;
  await thieves.image.publishAll("image", { ahead: 1_000_000 });
  await story.refused("image", ["trust/signature-invalid"], from);
  await story.runs("1.1.0");
});
