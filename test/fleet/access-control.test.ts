/** fleet/mosquitto.acl, held against a real Mosquitto: what it allows goes through, the rest does not. */

import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import mqtt, { type MqttClient } from "mqtt";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";

const NOT_AUTHORIZED = 0x87;
const PASSWORDS = { operator: "op", publisher: "pub", "pi-01": "one", "pi-02": "two" };
type User = keyof typeof PASSWORDS;

async function startBroker(t: ExecutionContext): Promise<Mosquitto> {
  const aclFile = fileURLToPath(new URL("../../fleet/mosquitto.acl", import.meta.url));
  const broker = await startMosquitto({
    users: PASSWORDS,
    aclFile,
    configuration: ["use_username_as_clientid true"],
  });
  t.teardown(broker.dispose);
  return broker;
}

async function connectAs(t: ExecutionContext, broker: Mosquitto, username: User): Promise<MqttClient> {
  const client = await mqtt.connectAsync(broker.url, {
    username,
    password: PASSWORDS[username],
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  t.teardown(() => client.endAsync(true));
  return client;
}

/** "accepted", or the reason code that the broker refused the message with. */
async function publish(client: MqttClient, topic: string): Promise<"accepted" | number> {
  try {
    await client.publishAsync(topic, "x", { qos: 1, retain: true });
    return "accepted";
  } catch (error) {
    return error instanceof Error && "code" in error ? Number(error.code) : Number.NaN;
  }
}

/** Collects the topics of what the client is sent; `until` resolves when that topic has come. */
function collect(client: MqttClient): { topics: string[]; until(topic: string): Promise<void> } {
  const topics: string[] = [];
  const waiting = new Map<string, () => void>();
  client.on("message", (topic) => {
    topics.push(topic);
    waiting.get(topic)?.();
  });
  const until = (topic: string): Promise<void> =>
    topics.includes(topic) ? Promise.resolve() : new Promise((resolve) => waiting.set(topic, resolve));
  return { topics, until };
}

const SIGNED = [
  "skerry/v1/demo/image/1.root",
  "skerry/v1/demo/image/targets",
  "skerry/v1/demo/director/timestamp",
  `skerry/v1/demo/blob/${"ab".repeat(32)}`,
];
const OF_DEVICE = [
  "status",
  "state",
  "event",
  "reply",
  "telemetry/acme.thermo/temperature",
  "log/acme.thermo",
];

const MESSAGE = "message/acme.thermo/set/point";

test("a device may write what is its own and nothing else", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const device = await connectAs(t, broker, "pi-01");
  for (const kind of OF_DEVICE) {
    t.is(await publish(device, `skerry/v1/demo/device/pi-01/${kind}`), "accepted", `own ${kind}`);
    t.is(await publish(device, `skerry/v1/demo/device/pi-02/${kind}`), NOT_AUTHORIZED, `another's ${kind}`);
  }
  for (const topic of [
    ...SIGNED,
    "skerry/v1/demo/device/pi-01/command",
    "skerry/v1/demo/device/pi-02/command",
    `skerry/v1/demo/device/pi-01/${MESSAGE}`,
    "other",
  ]) {
    t.is(await publish(device, topic), NOT_AUTHORIZED, topic);
  }
});

test("what a device wrote without permission reaches nobody", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const operator = await connectAs(t, broker, "operator");
  const seen = collect(operator);
  await operator.subscribeAsync("skerry/v1/demo/#", { qos: 1 });
  const device = await connectAs(t, broker, "pi-01");
  for (const kind of OF_DEVICE) await publish(device, `skerry/v1/demo/device/pi-02/${kind}`);
  for (const topic of SIGNED) await publish(device, topic);
  const marker = "skerry/v1/demo/device/pi-01/event";
  await publish(device, marker);
  await seen.until(marker);
  t.deepEqual(seen.topics, [marker]);
});

test("a device reads what is signed and what is sent to it, not what is another's", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const operator = await connectAs(t, broker, "operator");
  const other = await connectAs(t, broker, "pi-02");
  const device = await connectAs(t, broker, "pi-01");
  const seen = collect(device);
  await device.subscribeAsync(
    ["skerry/v1/demo/#", "skerry/v1/demo/device/pi-02/command", "skerry/v1/demo/device/pi-02/message/#"],
    { qos: 1 },
  );
  for (const kind of OF_DEVICE) t.is(await publish(other, `skerry/v1/demo/device/pi-02/${kind}`), "accepted");
  t.is(await publish(operator, "skerry/v1/demo/device/pi-02/command"), "accepted");
  t.is(await publish(operator, `skerry/v1/demo/device/pi-02/${MESSAGE}`), "accepted");
  for (const topic of SIGNED) t.is(await publish(operator, topic), "accepted", topic);
  const message = `skerry/v1/demo/device/pi-01/${MESSAGE}`;
  t.is(await publish(operator, message), "accepted");
  const marker = "skerry/v1/demo/device/pi-01/command";
  t.is(await publish(operator, marker), "accepted");
  await seen.until(marker);
  t.deepEqual(seen.topics, [...SIGNED, message, marker]);
});

test("a device's last will is held to the same rules", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const operator = await connectAs(t, broker, "operator");
  const seen = collect(operator);
  await operator.subscribeAsync("skerry/v1/demo/device/+/status", { qos: 1 });
  const dieWithWill = async (username: User, topic: string): Promise<void> => {
    const client = mqtt.connect(broker.url, {
      username,
      password: PASSWORDS[username],
      protocolVersion: 5,
      reconnectPeriod: 0,
      will: { topic, payload: Buffer.from("x"), qos: 1, retain: true },
    });
    client.on("error", () => {});
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.once("connect", () => client.stream.destroy());
    await closed;
  };
  await dieWithWill("pi-01", "skerry/v1/demo/device/pi-02/status");
  await dieWithWill("pi-01", "skerry/v1/demo/device/pi-01/status");
  await seen.until("skerry/v1/demo/device/pi-01/status");
  t.deepEqual(seen.topics, ["skerry/v1/demo/device/pi-01/status"]);
});

test("the operator reads the fleet and writes metadata, blobs and commands, never in a device's name", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const operator = await connectAs(t, broker, "operator");
  for (const topic of SIGNED) t.is(await publish(operator, topic), "accepted", topic);
  for (const kind of OF_DEVICE) {
    t.is(await publish(operator, `skerry/v1/demo/device/pi-01/${kind}`), NOT_AUTHORIZED, kind);
  }
  const seen = collect(operator);
  await operator.subscribeAsync("skerry/v1/demo/device/#", { qos: 1 });
  const device = await connectAs(t, broker, "pi-01");
  for (const kind of OF_DEVICE) await publish(device, `skerry/v1/demo/device/pi-01/${kind}`);
  await seen.until("skerry/v1/demo/device/pi-01/log/acme.thermo");
  t.is(seen.topics.length, OF_DEVICE.length);
});

test("the publisher writes releases, and has no say in who runs them", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startBroker(t);
  const publisher = await connectAs(t, broker, "publisher");
  t.is(await publish(publisher, "skerry/v1/demo/image/targets"), "accepted");
  t.is(await publish(publisher, `skerry/v1/demo/blob/${"ab".repeat(32)}`), "accepted");
  t.is(await publish(publisher, "skerry/v1/demo/director/targets"), NOT_AUTHORIZED);
  t.is(await publish(publisher, "skerry/v1/demo/device/pi-01/command"), NOT_AUTHORIZED);
  t.is(await publish(publisher, `skerry/v1/demo/device/pi-01/${MESSAGE}`), NOT_AUTHORIZED);
});
