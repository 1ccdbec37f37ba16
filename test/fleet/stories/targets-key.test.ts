/** docs/OPERATIONS.md, "The targets key is stolen": alone it makes no device run anything; after the rotation its signature is nobody's. */

import test from "ava";
import { startStory } from "./story.ts";

test("the image repository's targets key: what it signs alone no device runs; after its rotation it is refused as forged", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  const thief = await story.steal("image-targets");
  const { targets } = (await thief.stored("image")).targets.metadata;
  const own = await thief.assignment("6.6.6", { length: 8, sha256: "66".repeat(32) });

  // The signature is good, and no snapshot names the file.
  let from = device.events.count;
  await thief.publishTargets("image", [...targets.values(), own]);
  await story.refused("image", ["trust/mix-and-match-attack"], from);
  await story.runs("1.0.0");

  await story.operator("keys rotate image-targets --plain");
  t.regex(await story.operator("keys sign"), /Taken: image root 2/);
  await story.operator("sync --username operator");
  await story.release("1.1.0");

  from = device.events.count;
  await thief.publishTargets("image", [...targets.values(), own]);
  await story.refused("image", ["trust/signature-invalid"], from);
  await story.runs("1.1.0");
  await story.operator("sync --username operator");
  await story.release("1.2.0");
});
