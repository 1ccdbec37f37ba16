/** Power cuts in the middle of updates on the emulated 64 MB machine. `npm run qemu -- powercut --cuts N --seed N` does the same, as often as wanted. */
import { randomInt } from "node:crypto";
import test from "ava";
import { cutPowerRepeatedly } from "../../qemu/tiny/power-cuts.ts";

const CUTS = 30;

test("thirty power cuts at random moments of updates: the old or the new version runs, and each update is finished", async (t) => {
  t.timeout(3_600_000, "thirty boots of an emulated machine");
  const seed = Number(process.env["SKERRY_POWERCUT_SEED"] ?? randomInt(2 ** 31));
  await t.notThrowsAsync(cutPowerRepeatedly({ cuts: CUTS, seed, note: (line) => t.log(line) }));
});
