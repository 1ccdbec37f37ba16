/** docs/OPERATIONS.md, "An online key is stolen": what its thief can do, and what is left of it after the rotation. */

import test from "ava";
import { startStory } from "./story.ts";

test("the director's online key: among published releases it chooses, nothing else; after its rotation it is worth nothing", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  await story.publish("1.1.0");
  const thief = await story.steal("director-online");

  // It can't bring code that the image repository does not list.
  let from = device.events.count;
  const forged = await thief.assignment("6.6.6", { length: 8, sha256: "66".repeat(32) });
  await thief.publishAll("director", { targets: [forged] });
  await device.events.until("trust/not-vouched", ({ code }) => code === "trust/not-vouched", from);
  await story.runs("1.0.0");

  // It can say which of the published releases runs, and make its word the last one: a fast-forward.
  from = device.events.count;
  await thief.publishAll("director", { targets: [await thief.assignment("1.1.0")], ahead: 1_000_000 });
  await device.event("committed", "1.1.0", { from });
  await story.runs("1.1.0");

  // It can make the devices believe that it is 2099, when all that you signed has expired: until the rotation.
  from = device.events.count;
  const forward = [await thief.assignment("1.1.0")];
  const { version } = (await thief.stored("director")).timestamp.metadata;
  await thief.publishAll("director", { targets: forward, ahead: 2_000_000, issuedMs: Date.UTC(2099) });
  await story.untilTrusted("director", version + 2_000_000);
  await story.publish("1.2.0");
  await story.refused("image", ["trust/freeze-attack"], from);
  await story.runs("1.1.0");

  await story.operator("keys rotate director-online --plain");
  t.regex(await story.operator("keys sign"), /Taken: director root 2/);
  await story.operator("sync --username operator");
  // The operator decides again, whatever versions the thief had made up.
  await story.release("1.2.0");

  from = device.events.count;
  await thief.publishAll("director", { targets: [await thief.assignment("1.1.0")], ahead: 3_000_000 });
  await story.refused("director", ["trust/signature-invalid"], from);
  await story.runs("1.2.0");
  await story.operator("sync --username operator");
  await story.release("1.3.0");
});

test("the image repository's online key signs no release; after its rotation it withholds none either", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  const thief = await story.steal("image-online");

  // A release of the thief's own in the targets: those are signed with another key.
  let from = device.events.count;
  const { targets } = (await thief.stored("image")).targets.metadata;
  const own = await thief.assignment("6.6.6", { length: 8, sha256: "66".repeat(32) });
  await thief.publishAll("image", { targets: [...targets.values(), own] });
  await story.refused("image", ["trust/signature-invalid"], from);
  await story.runs("1.0.0");

  await story.operator("keys rotate image-online --plain");
  t.regex(await story.operator("keys sign"), /Taken: image root 2/);
  await story.operator("sync --username operator");
  await story.release("1.1.0");
  from = device.events.count;
  await thief.publishAll("image", { ahead: 1_000_000 });
  await story.refused("image", ["trust/signature-invalid"], from);
  await story.operator("sync --username operator");
  await story.release("1.2.0");
});
