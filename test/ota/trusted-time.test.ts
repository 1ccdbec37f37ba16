/** The time of a device whose clock may be wrong. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { isClockSynchronised } from "../../agent/clock.ts";
import { type ClockReading, highWaterMarkMs, TrustedTime } from "../../ota/trusted-time.ts";
import { temporaryFolder } from "../support/folders.ts";

const DAY_MS = 86_400_000;
const MARK_MS = Date.parse("2030-06-01T00:00:00Z");

/** A clock that the test sets. */
function keeper(reading: Partial<ClockReading>) {
  const clock = { wallMs: 0, monotonicMs: 5_000, isSynchronised: undefined, ...reading };
  return { clock, time: new TrustedTime(() => clock) };
}

test("a clock in 1970 is never believed: it is the latest signed time, and goes on from there", (t) => {
  for (const isSynchronised of [true, false, undefined]) {
    const { clock, time } = keeper({ wallMs: 0, isSynchronised });
    t.is(time.nowMs(MARK_MS), MARK_MS);
    clock.monotonicMs += DAY_MS;
    t.is(time.nowMs(MARK_MS), MARK_MS + DAY_MS);
  }
});

test("a clock that is later than the mark is believed, unless the system says that it is not synchronised", (t) => {
  const wallMs = MARK_MS + 30 * DAY_MS;
  t.is(keeper({ wallMs, isSynchronised: true }).time.nowMs(MARK_MS), wallMs);
  t.is(keeper({ wallMs }).time.nowMs(MARK_MS), wallMs);
  t.is(keeper({ wallMs, isSynchronised: false }).time.nowMs(MARK_MS), MARK_MS);
});

test("a clock in 2099 is not believed, and leaves nothing behind when it is set right", (t) => {
  const { clock, time } = keeper({ wallMs: Date.parse("2099-01-01T00:00:00Z") });
  t.is(time.nowMs(MARK_MS), MARK_MS);
  clock.wallMs = MARK_MS + DAY_MS;
  t.is(time.nowMs(MARK_MS), MARK_MS + DAY_MS);
});

test("where no time was ever signed, the clock is all there is", (t) => {
  t.is(keeper({ wallMs: MARK_MS }).time.nowMs(0), MARK_MS);
  t.is(keeper({ wallMs: MARK_MS, isSynchronised: false }).time.nowMs(0), 0);
});

test("a clock that is set back does not take the time back", (t) => {
  const { clock, time } = keeper({ wallMs: MARK_MS - DAY_MS });
  t.is(time.nowMs(MARK_MS), MARK_MS);
  clock.wallMs = 0;
  t.is(time.nowMs(MARK_MS), MARK_MS);
});

test("a newer mark raises the time, one that is older than what has passed since does not lower it", (t) => {
  const { clock, time } = keeper({});
  time.nowMs(MARK_MS);
  clock.monotonicMs += 10 * DAY_MS;
  t.is(time.nowMs(MARK_MS + DAY_MS), MARK_MS + 10 * DAY_MS);
  t.is(time.nowMs(MARK_MS + 20 * DAY_MS), MARK_MS + 20 * DAY_MS);
});

test("fast-forward: a mark that falls with its revoked key takes the time back with it", (t) => {
  const { time } = keeper({});
  t.is(time.nowMs(MARK_MS + 1_000 * DAY_MS), MARK_MS + 1_000 * DAY_MS);
  t.is(time.nowMs(MARK_MS), MARK_MS);
});

test("the mark is the latest of what is signed, and of the build", (t) => {
  t.is(highWaterMarkMs(5, [undefined, undefined]), 5);
  t.is(highWaterMarkMs(5, [7, undefined]), 7);
  t.is(highWaterMarkMs(9, [7, 8]), 9);
});

test("whether the clock is synchronised is known where systemd-timesyncd runs", async (t) => {
  const run = await temporaryFolder(t);
  t.is(isClockSynchronised(run), undefined);
  await mkdir(join(run, "systemd", "timesync"), { recursive: true });
  t.is(isClockSynchronised(run), false);
  await writeFile(join(run, "systemd", "timesync", "synchronized"), "");
  t.is(isClockSynchronised(run), true);
});
