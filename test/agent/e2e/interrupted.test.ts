/** Downloads and trials that are cut: by the agent's death, by the broker's. The agent is a process of its own here. */
import test from "ava";
import { CRASH_LOOP_RUNS } from "../../../agent/limits.ts";
import { MAX_CHUNK_BYTES } from "../../../ota/limits.ts";
import type { TestRelease } from "../../support/releases.ts";
import { requireTool } from "../../support/tools.ts";
import { DEVICE, Device, type GuardedBroker, startGuardedBroker } from "./harness.ts";
import { chunkDigests, steady, steadyOfChunks } from "./releases.ts";

const CHUNKS = 24;
/** So many of them are on the broker when the download is cut. */
const FIRST_CHUNKS = 9;

test.serial(
  "a download goes on where the agent was killed: only the missing chunks come again",
  async (t) => {
    if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
    const broker = await startGuardedBroker();
    t.teardown(broker.mosquitto.dispose);
    const device = await withAgentProcess(broker);
    t.teardown(() => device.close());

    const made = await steadyOfChunks(CHUNKS, "1.1.0");
    const missing = await stallDownload(device, made);
    await device.rig.killAgent();
    await device.putBlobs(missing);
    const before = deliveredBlobs(broker, device);
    await device.rig.startAgent();
    await device.event("committed", "1.1.0");

    const after = deliveredBlobs(broker, device).slice(before.length);
    t.deepEqual([...new Set(after)].toSorted(), [...missing.keys()].toSorted());
    await device.expectServing(t, "1.1.0");
  },
);

test.serial("a download goes on when the broker comes back; meanwhile the module runs on", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker({ persistent: true });
  t.teardown(broker.mosquitto.dispose);
  const device = await withAgentProcess(broker);
  t.teardown(() => device.close());

  const made = await steadyOfChunks(CHUNKS, "1.1.0");
  const missing = await stallDownload(device, made);
  await broker.mosquitto.stop();
  await broker.mosquitto.start();
  await device.rig.reconnect();
  await device.expectServing(t, "1.0.0");
  await device.putBlobs(missing);
  await device.event("committed", "1.1.0");
  t.false(device.events.all.some(({ event }) => event === "refused" || event === "stopped"));
  await device.expectServing(t, "1.1.0");
});

test.serial(
  "trial/crashed-agent: a version in whose trial the agent dies three times is rolled back",
  async (t) => {
    if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
    const broker = await startGuardedBroker();
    t.teardown(broker.mosquitto.dispose);
    const device = await withAgentProcess(broker);
    t.teardown(() => device.close());

    await device.offer(await steady("1.1.0", { window: "60s" }));
    for (const start of [1, 2, 3]) {
      await device.events.until(
        `start ${start}`,
        ({ event, version, message }) =>
          event === "trial" && version === "1.1.0" && (message ?? "").startsWith(`start ${start} of`),
      );
      // It runs: what kills the agent may well be the module.
      await device.telemetry.until(
        "its telemetry",
        ({ payload }) => payload === "1.1.0",
        device.telemetry.count,
      );
      await device.rig.killAgent();
      await device.untilStatus("offline");
      await device.rig.startAgent();
    }
    t.like(await device.event("rolled-back", "1.1.0"), { code: "trial/crashed-agent", to: "1.0.0" });
    await device.expectServing(t, "1.0.0");
  },
);

test.serial(
  "agent/crash-loop: an agent that died four times starts its modules later, and takes an update meanwhile",
  async (t) => {
    if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
    const broker = await startGuardedBroker();
    t.teardown(broker.mosquitto.dispose);
    const device = await withAgentProcess(broker);
    t.teardown(() => device.close());

    for (let deaths = 1; deaths <= CRASH_LOOP_RUNS; deaths++) {
      await device.rig.killAgent();
      await device.untilStatus("offline");
      await device.rig.startAgent();
      await device.untilStatus("online");
    }
    const failed = await device.events.until("the crash loop", ({ code }) => code === "agent/crash-loop");
    t.like(failed, { event: "failed", module: null });
    await device.install(await steady("1.1.0"));
    await device.expectServing(t, "1.1.0");
  },
);

test.serial("an agent that is stopped in a trial starts it again, without counting that start", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker();
  t.teardown(broker.mosquitto.dispose);
  const device = await withAgentProcess(broker);
  t.teardown(() => device.close());

  await device.offer(await steady("1.1.0", { window: "3s" }));
  await device.event("trial", "1.1.0");
  const from = device.events.count;
  t.is(await device.rig.stopAgent(), 0);
  await device.rig.startAgent();
  const trial = await device.event("trial", "1.1.0", { from });
  t.regex(trial.message ?? "", /^start 1 of/);
  await device.event("committed", "1.1.0", { from });
  await device.expectServing(t, "1.1.0");
});

/** A device with 1.0.0 committed by an agent that can be killed. */
async function withAgentProcess(broker: GuardedBroker): Promise<Device> {
  const device = await Device.create(broker);
  await device.rig.startAgent();
  await device.install(await steady("1.0.0"));
  return device;
}

/** Offers a release of which the broker has the first chunks only, and waits until all of these are there; gives the other ones. */
async function stallDownload(device: Device, made: TestRelease): Promise<Map<string, Uint8Array>> {
  const late = new Set(chunkDigests(made).slice(FIRST_CHUNKS));
  const missing = new Map([...made.blobs].filter(([digest]) => late.has(digest)));
  await device.offer(
    made,
    [...made.blobs].filter(([digest]) => !late.has(digest)),
  );
  await device.events.until(
    "the first chunks",
    ({ event, received }) => event === "progress" && received === FIRST_CHUNKS * MAX_CHUNK_BYTES,
  );
  return missing;
}

/** The blobs that Mosquitto has sent to the device up to now, by its own log. */
function deliveredBlobs(broker: GuardedBroker, device: Device): string[] {
  const line = new RegExp(`Sending PUBLISH to ${device.fleet}\\.${DEVICE} .*/blob/([0-9a-f]{64})'`, "g");
  return [...broker.mosquitto.log().matchAll(line)].map(([, digest]) => digest ?? "");
}
