/** What survives the agent, and what does not: its start without a broker, damaged state, its status; and commands to it. */
import { createHash } from "node:crypto";
import { readFile, truncate, watch, writeFile } from "node:fs/promises";
import { join } from "node:path";
import anyTest, { type ExecutionContext } from "ava";
import mqtt from "mqtt";
import { requireTool } from "../../support/tools.ts";
import { DEVICE, Device, type GuardedBroker, startGuardedBroker } from "./harness.ts";
import { MODULE, steady, steadyThen } from "./releases.ts";

/** One after the other: each has an agent and a broker of its own. */
const test = anyTest.serial;

const GENERATIONS = ["state.0.json", "state.1.json"] as const;

interface Setting {
  readonly broker: GuardedBroker;
  readonly device: Device;
}

/** A device with 1.0.0 committed, its agent stopped; undefined where Mosquitto is missing. */
async function settledDevice(t: ExecutionContext): Promise<Setting | undefined> {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return undefined;
  const broker = await startGuardedBroker({ persistent: true });
  t.teardown(broker.mosquitto.dispose);
  const device = await Device.running(t, broker);
  await device.stop();
  return { broker, device };
}

test("the committed version is taken up before there is a broker, and publishes when there is one", async (t) => {
  const setting = await settledDevice(t);
  if (setting === undefined) return;
  const { broker, device } = setting;
  // Says something in its log, by which it is seen without a broker.
  await device.start();
  const speaking = `(call $print (i32.const 64) (i32.const 6)) (call $sleep (i64.const 60000000000))`;
  await device.install(await steadyThen(1, "1.1.0", speaking));
  await device.stop();
  await broker.mosquitto.stop();
  await device.rig.startAgent();
  await untilAgentLogs(device, /hello/);
  t.notRegex(await device.agentLog(), /connected \(/);
  await broker.mosquitto.start();
  await device.rig.reconnect();
  const state = await device.untilState("1.1.0 running", ({ running }) => running === "1.1.0");
  t.like(state, { phase: "committed", trial: null });
  await device.install(await steady("1.2.0"));
  await device.expectServing(t, "1.2.0");
});

test("a broker that lost everything has the device's state again when the device is back", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker();
  t.teardown(broker.mosquitto.dispose);
  const device = await Device.running(t, broker);
  // Until it is there, it would come anyway.
  await device.untilState("1.0.0 committed", ({ phase }) => phase === "committed");
  await broker.mosquitto.stop();
  const from = device.reports.count;
  await broker.mosquitto.start();
  await device.rig.reconnect();
  const { payload } = await device.reports.until("the state", ({ topic }) => topic === "state", from);
  t.like(JSON.parse(payload), { modules: { [MODULE]: { running: "1.0.0", phase: "committed" } } });
});

test("the status is retained: online, offline by the last will when the agent is killed, offline when it stops", async (t) => {
  const setting = await settledDevice(t);
  if (setting === undefined) return;
  const { device } = setting;
  await device.untilStatus("offline");
  await device.rig.startAgent();
  await device.untilStatus("online");
  await device.rig.killAgent();
  await device.untilStatus("offline");
  await device.rig.startAgent();
  await device.untilStatus("online");
  t.is(await device.rig.stopAgent(), 0);
  await device.untilStatus("offline");
});

for (const damage of ["truncated", "empty", "overwritten"] as const) {
  test(`one generation of the state file is ${damage}: reported, and the other one holds`, async (t) => {
    const setting = await settledDevice(t);
    if (setting === undefined) return;
    const { device } = setting;
    const newest = await newestGeneration(device);
    await damageFile(newest, damage);
    await device.start();
    t.true(device.log.all.some((line) => line.startsWith("warning: ") && line.includes(newest)));
    const failed = await device.events.until("the damage", ({ event }) => event === "failed");
    t.like(failed, { code: "store/corrupt", module: null });
    t.true(failed.message?.includes(newest));
    await device.expectServing(t, "1.0.0");
    await device.install(await steady("1.1.0"));
    await device.expectServing(t, "1.1.0");
  });

  test(`store/corrupt: both generations of the state file are ${damage}: the agent says so, and installs again what is assigned, from its disk`, async (t) => {
    const setting = await settledDevice(t);
    if (setting === undefined) return;
    const { device } = setting;
    for (const name of GENERATIONS) await damageFile(join(device.rig.stateDir, name), damage);
    const from = device.events.count;
    await device.start();
    const failed = await device.events.until("the damage", ({ event }) => event === "failed");
    t.like(failed, { code: "store/corrupt", module: null });
    t.regex(failed.message ?? "", /^the agent's state is lost: .* installs again what the director assigns/);
    await device.event("committed", "1.0.0", { from });
    t.false(
      device.events.all.slice(from).some(({ event }) => event === "progress"),
      "nothing is fetched",
    );
    await device.expectServing(t, "1.0.0");
  });
}

test("store/newer-version: a state file of a newer agent: this one says so, touches nothing and ends with 1", async (t) => {
  const setting = await settledDevice(t);
  if (setting === undefined) return;
  const { device } = setting;
  const newest = await newestGeneration(device);
  const counter = counterOf(await readFile(newest, "utf8"));
  const data = JSON.stringify({ schema: 99, modules: {} });
  const checksum = createHash("sha256")
    .update(`${counter + 1}\n${data}`)
    .digest("hex");
  const text = `{"checksum":"${checksum}","counter":${counter + 1},"data":${data}}\n`;
  await writeFile(newest, text);
  await endsWith(t, device, 1, /\(store\/newer-version\)/, /install that agent again/);
  t.is(await readFile(newest, "utf8"), text);
});

test("metadata on the disk that was tampered with is not trusted, and comes again over the air", async (t) => {
  const setting = await settledDevice(t);
  if (setting === undefined) return;
  const { device } = setting;
  const path = join(device.rig.stateDir, "trust", "director", "targets.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/"sig":"./, '"sig":"x'));
  await device.start();
  t.true(device.log.all.some((line) => line.includes("not trusted any more: ") && line.includes("targets")));
  await device.expectServing(t, "1.0.0");
  await device.install(await steady("1.1.0"));
  t.is(JSON.parse(await readFile(path, "utf8")).signed.version, 3);
});

test("commands are answered to the reply topic, with the request's correlation data", async (t) => {
  const setting = await settledDevice(t);
  if (setting === undefined) return;
  const { broker, device } = setting;
  await device.start();
  await device.untilStatus("online");
  const ask = await makeOperator(t, broker, device);

  t.like(await ask({ id: "1", command: "ping" }), { id: "1", ok: true, result: { agent: "0.1.0" } });
  t.like(await ask({ id: "2", command: "state" }), {
    id: "2",
    ok: true,
    result: { modules: { [MODULE]: { phase: "committed", running: "1.0.0" } } },
  });
  const from = device.events.count;
  t.deepEqual(await ask({ id: "3", command: "restart", module: MODULE }), { id: "3", ok: true, result: {} });
  await device.event("stopped", "1.0.0", { from });
  await device.expectServing(t, "1.0.0");
  t.like(await ask({ id: "4", command: "restart", module: "acme/nobody" }), {
    id: "4",
    ok: false,
    code: "agent/not-restartable",
  });
  t.like(await ask({ id: "5", command: "install" }), { id: "5", ok: false, code: "agent/command-malformed" });
  t.like(await ask("not JSON"), { id: "", ok: false, code: "agent/command-malformed" });
  t.like(await ask(" ".repeat(5_000)), { id: "", ok: false, code: "agent/command-malformed" });
  await device.expectServing(t, "1.0.0");
});

type Ask = (request: object | string) => Promise<unknown>;

/** An operator over MQTT 5 who sends a request and waits for the reply that carries its correlation data. */
async function makeOperator(t: ExecutionContext, broker: GuardedBroker, device: Device): Promise<Ask> {
  const { username = "", password = "" } = broker.operator ?? {};
  const client = await mqtt.connectAsync(broker.url, { protocolVersion: 5, username, password });
  t.teardown(() => client.endAsync(true));
  const own = `skerry/v1/${device.fleet}/device/${DEVICE}/`;
  const waiting = new Map<string, (reply: unknown) => void>();
  client.on("message", (_topic, payload, { properties }) => {
    waiting.get(String(properties?.correlationData))?.(JSON.parse(payload.toString("utf8")));
  });
  await client.subscribeAsync(`${own}reply`, { qos: 1 });
  let requests = 0;
  return async (request) => {
    const correlation = `request ${requests++}`;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    waiting.set(correlation, resolve);
    await client.publishAsync(
      `${own}command`,
      typeof request === "string" ? request : JSON.stringify(request),
      {
        qos: 1,
        properties: { responseTopic: `${own}reply`, correlationData: Buffer.from(correlation) },
      },
    );
    return promise;
  };
}

function counterOf(text: string): number {
  return Number(/"counter":([0-9]+)/.exec(text)?.[1]);
}

/** The generation of the state file that holds. */
async function newestGeneration(device: Device): Promise<string> {
  const [one, other] = GENERATIONS.map((name) => join(device.rig.stateDir, name));
  if (one === undefined || other === undefined) throw new Error("there are two generations");
  const isOne = counterOf(await readFile(one, "utf8")) > counterOf(await readFile(other, "utf8"));
  return isOne ? one : other;
}

async function damageFile(path: string, damage: "truncated" | "empty" | "overwritten"): Promise<void> {
  if (damage === "overwritten") await writeFile(path, Buffer.alloc(512, 0xff));
  else await truncate(path, damage === "empty" ? 0 : 100);
}

/** The agent as a process of its own ends by itself with this code, and its log says these things. */
async function endsWith(t: ExecutionContext, device: Device, code: number, ...says: RegExp[]): Promise<void> {
  await device.rig.startAgent();
  t.is(await device.rig.agentEnd(), code);
  const log = await device.agentLog();
  for (const expected of says) t.regex(log, expected);
}

/** Waits until the log file of the agent's process has a line. */
async function untilAgentLogs(device: Device, line: RegExp): Promise<void> {
  const changes = watch(device.rig.agentLog, { signal: AbortSignal.timeout(30_000) });
  if (line.test(await device.agentLog())) return;
  for await (const _change of changes) {
    if (line.test(await device.agentLog())) return;
  }
}
