/**
 * A broker that carries what it should not: floods on every topic that the device subscribes to, a retained message of 200 MB, chunks of
 * another fleet. The agent is a process of its own, whose memory is watched; its module runs on, and the update arrives in the end.
 */
import { randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import mqtt, { type MqttClient } from "mqtt";
import { watchPeakAnonymousMiB } from "../../../bench/process-memory.ts";
import { MAX_PAYLOAD_BYTES } from "../../../ota/limits.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import type { TestRelease } from "../../support/releases.ts";
import { requireTool } from "../../support/tools.ts";
import { DEVICE, Device } from "./harness.ts";
import { chunkDigests, steady, steadyOfChunks } from "./releases.ts";

/** What the agent's process may grow by while it is sent many times as much; most of it is what V8 leaves lying before it collects. */
const MOST_GROWTH_MIB = 40;
const SAMPLE_INTERVAL_MS = 20;
const FLOOD_ROUNDS = 60;
const HUGE_BYTES = 200 * 1024 * 1024;

interface Setting {
  readonly device: Device;
  readonly attacker: MqttClient;
  readonly prefix: string;
}

async function newSetting(t: ExecutionContext): Promise<Setting | undefined> {
  if (!requireTool(t, "mosquitto")) return undefined;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const device = await Device.create({ url: broker.url });
  t.teardown(() => device.close());
  await device.rig.startAgent();
  await device.install(await steady("1.0.0"));
  const attacker = await mqtt.connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
  t.teardown(() => attacker.endAsync(true));
  return { device, attacker, prefix: `skerry/v1/${device.fleet}/` };
}

/** Offers a release without one of its chunks, and waits until it alone is missing; gives it. */
async function allButOneChunk(
  { device }: Setting,
  made: TestRelease,
): Promise<{ readonly digest: string; readonly bytes: Uint8Array }> {
  const digest = chunkDigests(made).at(-1) ?? "";
  const bytes = made.blobs.get(digest) ?? new Uint8Array();
  await device.offer(
    made,
    [...made.blobs].filter(([name]) => name !== digest),
  );
  await device.events.until(
    "all but one chunk",
    ({ event, version, received }) =>
      event === "progress" &&
      version === made.release.version &&
      received === made.component.length - bytes.length,
  );
  return { digest, bytes };
}

/** The peak of the agent's memory over what it is now, while something is done to it, in MiB. */
async function growthWhile(device: Device, act: () => Promise<void>): Promise<number> {
  const atRest = watchPeakAnonymousMiB(device.rig.agentPid, SAMPLE_INTERVAL_MS);
  await device.telemetry.untilSeveral(2, "telemetry at rest", () => true, device.telemetry.count);
  const before = await atRest.stop();
  const peak = watchPeakAnonymousMiB(device.rig.agentPid, SAMPLE_INTERVAL_MS);
  await act();
  return (await peak.stop()) - before;
}

/** The device answers a command: everything that was sent to it before has been dealt with. */
async function answers({ device, attacker, prefix }: Setting, id: string): Promise<void> {
  const from = device.reports.count;
  const command = JSON.stringify({ id, command: "ping" });
  await attacker.publishAsync(`${prefix}device/${DEVICE}/command`, command, { qos: 1 });
  await device.reports.until(
    `the answer to ${id}`,
    ({ topic, payload }) => topic === "reply" && payload.includes(id),
    from,
  );
}

test.serial(
  "a flood on every topic that the device subscribes to: memory stays bounded, the module runs on, the update arrives",
  async (t) => {
    const setting = await newSetting(t);
    if (setting === undefined) return;
    const { device, attacker, prefix } = setting;
    const missing = await allButOneChunk(setting, await steadyOfChunks(4, "1.1.0"));
    const junk = randomBytes(MAX_PAYLOAD_BYTES);
    const topics = [
      ...["image", "director"].flatMap((name) =>
        ["timestamp", "snapshot", "targets", "2.root", "9.root", "acme"].map((role) => `${name}/${role}`),
      ),
      `blob/${missing.digest}`,
      `device/${DEVICE}/command`,
      `device/${DEVICE}/message/acme.thermo/x`,
    ];
    const growth = await growthWhile(device, async () => {
      for (let round = 0; round < FLOOD_ROUNDS; round++) {
        await Promise.all(
          topics.flatMap((topic) => [
            attacker.publishAsync(prefix + topic, junk, { qos: 1 }),
            attacker.publishAsync(prefix + topic, `{"signed":{"_type":"${round}"},"signatures":[]}`, {
              qos: 0,
            }),
          ]),
        );
      }
      await answers(setting, "after the flood");
    });
    t.log(
      `${(topics.length * FLOOD_ROUNDS * MAX_PAYLOAD_BYTES) / 1024 / 1024} MiB were sent, the agent grew by ${growth.toFixed(1)} MiB`,
    );
    t.true(growth < MOST_GROWTH_MIB, `${growth} MiB`);
    await device.expectServing(t, "1.0.0");
    await device.putBlobs([[missing.digest, missing.bytes]]);
    await device.event("committed", "1.1.0");
    await device.expectServing(t, "1.1.0");
  },
);

test.serial(
  "a retained message of 200 MB under a chunk's name is not read: the module runs on, and another update arrives",
  async (t) => {
    const setting = await newSetting(t);
    if (setting === undefined) return;
    const { device, attacker, prefix } = setting;
    const missing = await allButOneChunk(setting, await steadyOfChunks(4, "1.1.0"));
    const growth = await growthWhile(device, async () => {
      await attacker.publishAsync(`${prefix}blob/${missing.digest}`, Buffer.alloc(HUGE_BYTES), {
        qos: 1,
        retain: true,
      });
      await answers(setting, "after 200 MB");
    });
    t.log(`the agent grew by ${growth.toFixed(1)} MiB`);
    t.true(growth < MOST_GROWTH_MIB, `${growth} MiB`);
    await device.expectServing(t, "1.0.0");
    const from = device.events.count;
    await device.offer(await steady("1.2.0"));
    await device.event("committed", "1.2.0", { from });
    await device.expectServing(t, "1.2.0");
  },
);

test.serial("chunks of another fleet are not taken, on its topics or on ours", async (t) => {
  const setting = await newSetting(t);
  if (setting === undefined) return;
  const { device, attacker, prefix } = setting;
  const missing = await allButOneChunk(setting, await steadyOfChunks(4, "1.1.0"));
  const from = device.events.count;
  await attacker.publishAsync(`skerry/v1/other/blob/${missing.digest}`, Buffer.from(missing.bytes), {
    qos: 1,
    retain: true,
  });
  const theirs = await steadyOfChunks(4, "1.1.1");
  const [foreign] = chunkDigests(theirs);
  await attacker.publishAsync(
    `${prefix}blob/${missing.digest}`,
    Buffer.from(theirs.blobs.get(foreign ?? "") ?? []),
    { qos: 1 },
  );
  await answers(setting, "after the other fleet's");
  t.false(device.events.all.slice(from).some(({ event }) => event === "progress" || event === "verified"));
  await device.putBlobs([[missing.digest, missing.bytes]]);
  await device.event("committed", "1.1.0");
});
