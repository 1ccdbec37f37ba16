/** docs/OPERATIONS.md, "One root key is stolen": below the threshold it changes nothing; the others take it out of the root. */

import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { keyFile } from "../../../fleet/keys.ts";
import { startStory } from "./story.ts";

test("one root key of three signs no root that devices take; the other two put a new one in its place", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  const thief = await story.steal("image-root-1");

  let from = device.events.count;
  await thief.publishRoot("image", (signed) => signed);
  await story.refused("image", ["trust/signature-invalid"], from);
  await story.runs("1.0.0");

  // Whoever keeps the other two signs on a machine of their own.
  const elsewhere = join(story.folder, "elsewhere");
  await mkdir(elsewhere);
  for (const name of ["image-root-2", "image-root-3"]) {
    await rename(keyFile(join(story.fleet, "keys"), name), keyFile(elsewhere, name));
  }
  await story.operator("keys rotate image-root-1 --plain");
  const root = join(story.fleet, "pending", "image-2.root.json");
  await story.operator("keys sign", root, "--key", keyFile(elsewhere, "image-root-2"));
  t.regex(
    await story.operator("keys sign", root, "--key", keyFile(elsewhere, "image-root-3")),
    /Taken: image root 2/,
  );
  await story.operator("sync --username operator");
  await story.release("1.1.0");

  from = device.events.count;
  await thief.publishRoot("image", (signed) => signed);
  await story.refused("image", ["trust/signature-invalid"], from);
  t.regex(await story.operator("sync --username operator"), /1 forged root taken away/);
  await story.release("1.2.0");
});
