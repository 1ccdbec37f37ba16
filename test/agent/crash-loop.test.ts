/** An agent that keeps dying: its modules start later, so that another version can be assigned. */
import { join } from "node:path";
import test from "ava";
import { beginRun, delayAfter } from "../../agent/crash-loop.ts";
import { CRASH_LOOP_DELAY_MAX_MS, CRASH_LOOP_DELAY_MIN_MS, CRASH_LOOP_RUNS } from "../../agent/limits.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { openStore, type Store } from "../../ota/store.ts";
import { temporaryFolder } from "../support/folders.ts";

test("modules start at once after a few bad ends, then later, doubling up to a bound", (t) => {
  t.is(delayAfter(0), 0);
  t.is(delayAfter(CRASH_LOOP_RUNS - 1), 0);
  t.is(delayAfter(CRASH_LOOP_RUNS), CRASH_LOOP_DELAY_MIN_MS);
  t.is(delayAfter(CRASH_LOOP_RUNS + 1), 2 * CRASH_LOOP_DELAY_MIN_MS);
  t.is(delayAfter(1_000), CRASH_LOOP_DELAY_MAX_MS);
});

test("runs that are not ended add up, over restarts, and are told; one that ends as it should makes good for all", async (t) => {
  const stateDir = join(await temporaryFolder(t), "state");
  const open = (): Promise<Store> => openStore(createNodeDisk(), stateDir);
  for (let runs = 0; runs < CRASH_LOOP_RUNS; runs++) {
    const run = await beginRun(await open(), "this boot");
    t.is(run.startDelayMs, 0);
    t.is(run.problem, undefined);
  }
  const delayed = await beginRun(await open(), "this boot");
  t.is(delayed.startDelayMs, CRASH_LOOP_DELAY_MIN_MS);
  t.is(delayed.problem?.code, "agent/crash-loop");
  t.regex(
    delayed.problem?.message ?? "",
    /^the agent ended at least 4 times in a row .* modules start in 1m, /,
  );
  await delayed.end();
  t.is((await beginRun(await open(), "this boot")).startDelayMs, 0);
});

test("power that goes again and again costs a minute at most; an agent that dies by itself waits the longer for it", async (t) => {
  const stateDir = join(await temporaryFolder(t), "state");
  const delayIn = async (bootId: string): Promise<number> =>
    (await beginRun(await openStore(createNodeDisk(), stateDir), bootId)).startDelayMs;
  for (let boot = 0; boot < 40; boot++) {
    t.is(await delayIn(`boot ${boot}`), boot < CRASH_LOOP_RUNS ? 0 : CRASH_LOOP_DELAY_MIN_MS);
  }
  t.is(await delayIn("boot 39"), 2 * CRASH_LOOP_DELAY_MIN_MS);
  t.is(await delayIn("boot 39"), 4 * CRASH_LOOP_DELAY_MIN_MS);
  t.is(await delayIn("boot 40"), CRASH_LOOP_DELAY_MIN_MS);
});

test("a run that can't be counted goes on", async (t) => {
  const disk = createNodeDisk();
  const store = await openStore(
    { ...disk, open: (path) => disk.open(join(path, "nowhere"), "read") },
    await temporaryFolder(t),
  );
  const run = await beginRun(store, "this boot");
  t.is(run.startDelayMs, 0);
  await t.notThrowsAsync(run.end());
});
