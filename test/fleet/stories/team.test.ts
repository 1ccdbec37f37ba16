/** docs/OPERATIONS.md, "A team of publishers" and "Many releases": a device takes what a team's role and the hash bins list. */

import test from "ava";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { MODULE } from "../../agent/e2e/releases.ts";
import { startStory } from "./story.ts";

test("a device takes a team's releases, not what a thief of its key signs after the rotation, and goes on when bins come", async (t) => {
  const story = await startStory(t);
  if (story === undefined) return;
  const { device } = story;
  await story.operator("keys add --role acme --paths acme/* --plain");
  await story.operator("sync --username operator");
  await story.release("1.1.0");

  const thief = await story.steal("acme");
  await story.operator("keys rotate acme --plain");
  await story.operator("sync --username operator");
  await story.release("1.2.0");
  const from = device.events.count;
  const own = targetInfo(`${MODULE}/6.6.6/component.wasm`, { length: 8, sha256: "66".repeat(32) });
  await thief.publishRole("acme", [own]);
  await device.events.until("a refusal", ({ event }) => event === "refused", from);
  await story.runs("1.2.0");

  await story.operator("keys bins 16");
  await story.operator("sync --username operator");
  await story.release("1.3.0");
});
