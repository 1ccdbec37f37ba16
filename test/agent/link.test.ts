/** The link against a real Mosquitto. */

import test from "ava";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import {
  Arrivals,
  brokerAt,
  COMMAND,
  isConnected,
  isDisconnected,
  makeLink,
  makeOperator,
  OWN,
  PREFIX,
  STATUS,
  says,
} from "./link-support.ts";
import { startProxy } from "./proxy.ts";

test("says online, retained, in MQTT 5, and offline when it stops", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { seen } = await makeOperator(t, broker.url, [STATUS]);
  const { link, states } = makeLink(t, brokerAt(broker.port));
  link.start();
  t.like(await states.next(), { kind: "connected", protocolVersion: 5, sessionPresent: false });
  const online: unknown = JSON.parse((await seen.next(says("online"))).text);
  t.like(online, { status: "online", agent: "0.1.0", bootId: "boot-1", groups: ["default"] });

  await link.stop();
  await seen.next(says("offline"));
  const late = await makeOperator(t, broker.url, [STATUS]);
  t.true((await late.seen.next(says("offline"))).retained);
});

test("the last will is published when the socket dies, and online again when the link is back", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const proxy = await startProxy(t, broker.port);
  const { seen } = await makeOperator(t, broker.url, [STATUS]);
  const { link, states } = makeLink(t, brokerAt(proxy.port));
  link.start();
  await states.next(isConnected);
  await seen.next(says("online"));

  await proxy.cut();
  await seen.next(says("offline"));
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/lost" } });
  await proxy.restore();
  t.is((await seen.next(says("online"))).qos, 1);
});

test("another client with the device's id: the link takes its place back", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { link, states } = makeLink(t, brokerAt(broker.port));
  link.start();
  await states.next(isConnected);
  await makeOperator(t, broker.url, [], { clientId: "demo.pi-01" });
  await states.next(isDisconnected);
  t.like(await states.next(isConnected), { kind: "connected" });
});

test("a command sent while the device was away arrives: the session is resumed", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { client, seen } = await makeOperator(t, broker.url, [STATUS]);
  const first = makeLink(t, brokerAt(broker.port));
  first.link.subscribeCommands(() => t.fail("no command was sent yet"));
  first.link.start();
  await seen.next(says("online"));
  await first.link.stop();

  await client.publishAsync(COMMAND, "while away", { qos: 1 });
  const second = makeLink(t, brokerAt(broker.port));
  const commands = new Arrivals<string>();
  second.link.subscribeCommands(({ payload }) => commands.add(payload.toString()));
  second.link.start();
  t.like(await second.states.next(isConnected), { sessionPresent: true });
  t.is(await commands.next(), "while away");
});

test("after a broker's restart that lost the session: subscribes again, sends what waited", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const proxy = await startProxy(t, broker.port);
  const { link, states } = makeLink(t, brokerAt(proxy.port));
  const metadata = new Arrivals<string>();
  link.subscribeMetadata((repository, file, payload) => metadata.add(`${repository} ${file} ${payload}`));
  link.start();
  await states.next(isConnected);

  await proxy.cut();
  await states.next(isDisconnected);
  link.publish("latest", `${OWN}state`, "old");
  link.publish("event", `${OWN}event`, "1");
  link.publish("latest", `${OWN}state`, "new");
  link.publish("event", `${OWN}event`, "2");
  await broker.stop();
  await broker.start();
  const { client, seen } = await makeOperator(t, broker.url, [`${OWN}#`]);
  await client.publishAsync(`${PREFIX}director/targets`, "{}", { qos: 1, retain: true });
  await proxy.restore();

  t.like(await states.next(isConnected), { sessionPresent: false });
  t.is((await seen.next(({ topic }) => topic !== STATUS)).text, "new");
  t.is((await seen.next(({ topic }) => topic !== STATUS)).text, "1");
  t.is((await seen.next(({ topic }) => topic !== STATUS)).text, "2");
  t.is(await metadata.next(), "director targets {}");
});

test("retained metadata, commands with a response topic, and blobs reach their handlers", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { client, seen } = await makeOperator(t, broker.url, [`${OWN}reply`], { protocolVersion: 5 });
  const digest = "ab".repeat(32);
  await client.publishAsync(`${PREFIX}image/1.root`, "root", { qos: 1, retain: true });
  await client.publishAsync(`${PREFIX}blob/${digest}`, "chunk", { qos: 1, retain: true });

  const { link, states } = makeLink(t, brokerAt(broker.port));
  const metadata = new Arrivals<string>();
  const blobs = new Arrivals<string>();
  link.subscribeMetadata((repository, file, payload) => metadata.add(`${repository} ${file} ${payload}`));
  link.subscribeCommands(({ payload, responseTopic, correlationData }) => {
    t.is(responseTopic, `${OWN}reply`);
    link.publish("event", `${OWN}reply`, `re: ${payload}`, correlationData);
  });
  link.blobs.onBlob(async (name, payload) => blobs.add(`${name} ${Buffer.from(payload)}`));
  link.start();
  await states.next(isConnected);
  t.is(await metadata.next(), "image 1.root root");

  link.blobs.request([digest]);
  t.is(await blobs.next(), `${digest} chunk`);
  link.blobs.request([digest]);
  t.is(await blobs.next(), `${digest} chunk`, "asked again, sent again");

  const properties = { responseTopic: `${OWN}reply`, correlationData: Buffer.from("7") };
  await client.publishAsync(COMMAND, "ping", { qos: 1, properties });
  t.is((await seen.next()).text, "re: ping");
});

test("a released blob is no longer sent", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { client } = await makeOperator(t, broker.url, []);
  const [released, wanted] = ["ab".repeat(32), "cd".repeat(32)];
  const { link, states } = makeLink(t, brokerAt(broker.port));
  const blobs = new Arrivals<string>();
  link.blobs.onBlob(async (name) => blobs.add(name));
  link.start();
  await states.next(isConnected);
  link.blobs.request([released]);
  await client.publishAsync(`${PREFIX}blob/${released}`, "1", { qos: 1, retain: true });
  t.is(await blobs.next(), released);

  link.blobs.release([released]);
  link.blobs.request([wanted]);
  await client.publishAsync(`${PREFIX}blob/${released}`, "2", { qos: 1, retain: true });
  await client.publishAsync(`${PREFIX}blob/${wanted}`, "3", { qos: 1, retain: true });
  t.is(await blobs.next(), wanted);
});

test("back-pressure: while a handler works, no further message is handled", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { client } = await makeOperator(t, broker.url, []);
  const { link, states } = makeLink(t, brokerAt(broker.port));
  const started = new Arrivals<string>();
  let atWork = 0;
  const gate = Promise.withResolvers<void>();
  link.subscribeCommands(async ({ payload }) => {
    atWork += 1;
    t.is(atWork, 1);
    started.add(payload.toString());
    await gate.promise;
    atWork -= 1;
  });
  link.start();
  await states.next(isConnected);
  for (let n = 1; n <= 40; n++) await client.publishAsync(COMMAND, `${n}`, { qos: 1 });
  t.is(await started.next(), "1");
  gate.resolve();
  for (let n = 2; n <= 40; n++) t.is(await started.next(), `${n}`);
});

test("a handler that fails is reported, and the next message still comes", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { client } = await makeOperator(t, broker.url, []);
  const { link, states, problems } = makeLink(t, brokerAt(broker.port));
  const commands = new Arrivals<string>();
  link.subscribeCommands(({ payload }) => {
    if (payload.toString() === "bad") throw new Error("a defect");
    commands.add(payload.toString());
  });
  link.start();
  await states.next(isConnected);
  await client.publishAsync(COMMAND, "bad", { qos: 1 });
  await client.publishAsync(COMMAND, "good", { qos: 1 });
  const problem = await problems.next();
  t.is(problem.code, "link/handler-failed");
  t.regex(problem.message, /a defect/);
  t.is(await commands.next(), "good");
});

test("stop sends what waits before it says offline", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const { seen } = await makeOperator(t, broker.url, [`${OWN}#`]);
  const { link, states } = makeLink(t, brokerAt(broker.port));
  link.start();
  await states.next(isConnected);
  const COUNT = 100;
  for (let n = 1; n <= COUNT; n++) link.publish("event", `${OWN}event`, `${n}`);
  link.publish("telemetry", `${OWN}telemetry/acme.thermo/t`, "last measurement");
  await link.stop();
  for (let n = 1; n <= COUNT; n++) {
    await seen.next(({ topic, text }) => topic === `${OWN}event` && text === `${n}`);
  }
  await seen.next(({ text }) => text === "last measurement");
  t.like(await seen.next(), { topic: STATUS, retained: false });
});

test("stop without a broker ends at once", async (t) => {
  const { link, states } = makeLink(t, brokerAt(1));
  link.start();
  const state = await states.next();
  t.like(state, { kind: "disconnected", reason: { code: "link/unreachable" } });
  await link.stop();
  await link.stop();
  t.pass();
});

test("topics of others and payloads over the bound are refused before they are queued", (t) => {
  const { link } = makeLink(t, brokerAt(1));
  const code = (publish: () => void): unknown => t.throws(publish, { name: "AgentError" });
  t.like(
    code(() => link.publish("event", `${PREFIX}device/pi-02/event`, "")),
    { code: "link/topic-invalid" },
  );
  t.like(
    code(() => link.publish("event", `${OWN}event`, Buffer.alloc(65_537))),
    {
      code: "link/payload-too-large",
    },
  );
  t.notThrows(() => link.publish("event", `${OWN}event`, Buffer.alloc(65_536)));
});
