/** `skerry send` against Mosquitto, with devices that answer as they like. */

import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import mqtt, { type MqttClient } from "mqtt";
import { runFleetCommand } from "../../fleet/main.ts";
import type { Repository } from "../../fleet/repository.ts";
import { sendMessage } from "../../fleet/send.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { newRepository } from "./fixture.ts";

interface Setting {
  readonly repository: Repository;
  readonly broker: Mosquitto;
}

async function start(t: ExecutionContext): Promise<Setting> {
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  return { repository: await newRepository(t), broker };
}

/** A device that answers each message to a module; `seen` are topic and payload. */
async function deviceAnswering(
  t: ExecutionContext,
  { broker, repository }: Setting,
  answer: (
    correlationData: Buffer | undefined,
  ) => { payload: string; correlationData?: Buffer | undefined }[],
): Promise<{ seen: string[]; client: MqttClient }> {
  const client = await mqtt.connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
  t.teardown(() => client.endAsync(true));
  const own = `skerry/v1/${repository.settings.fleet}/device/pi-01/`;
  const seen: string[] = [];
  client.on("message", (topic, payload, { properties }) => {
    seen.push(`${topic.slice(own.length)}=${payload.toString()}`);
    for (const { payload: text, correlationData } of answer(properties?.correlationData)) {
      client.publish(String(properties?.responseTopic), text, {
        qos: 1,
        properties: correlationData === undefined ? {} : { correlationData },
      });
    }
  });
  await client.subscribeAsync(`${own}message/#`, { qos: 1 });
  return { seen, client };
}

async function send(
  { broker, repository }: Setting,
  args: readonly string[],
  stdin?: AsyncIterable<Uint8Array>,
): Promise<{ exitCode: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const exitCode = await runFleetCommand(
    ["send", ...args, "--repo", repository.folder, "--broker", broker.url],
    {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: {},
      ...(stdin === undefined ? {} : { stdin }),
    },
  );
  return { exitCode, out, err };
}

const HANDLED = '{"id":"","ok":true,"result":{}}';

test("the payload is what stands on the command line, in standard input, or nothing", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const setting = await start(t);
  const { seen } = await deviceAnswering(t, setting, (correlationData) => [
    { payload: HANDLED, correlationData },
  ]);
  t.is((await send(setting, ["pi-01", "acme/heater", "set/point", "21.5"])).exitCode, 0);
  const input = Readable.from([Buffer.from("from "), Buffer.from("a pipe")]);
  const piped = await send(setting, ["pi-01", "acme/heater", "a", "-"], input);
  t.is(piped.out, "pi-01: acme/heater took message/a (11 bytes)\n");
  t.is((await send(setting, ["pi-01", "acme/heater", "a"])).exitCode, 0);
  t.deepEqual(seen, [
    "message/acme.heater/set/point=21.5",
    "message/acme.heater/a=from a pipe",
    "message/acme.heater/a=",
  ]);
});

test("only the answer to this message counts, whatever else comes on the device's reply topic", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const setting = await start(t);
  await deviceAnswering(t, setting, (correlationData) => [
    { payload: HANDLED },
    { payload: HANDLED, correlationData: Buffer.from("another") },
    { payload: "no JSON", correlationData },
    { payload: '{"ok":false,"code":"agent/message-failed","message":"too \\u001b[2Jhot"}', correlationData },
  ]);
  const { exitCode, err } = await send(setting, ["pi-01", "acme/heater", "a", "1"]);
  t.is(exitCode, 1);
  t.is(err, "error: pi-01 answered agent/message-failed: too ?[2Jhot (fleet/not-delivered)\n");
});

test("where nobody takes the message the broker says so, and it is told at once", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const setting = await start(t);
  const { exitCode, err } = await send(setting, ["pi-02", "acme/heater", "a", "1"]);
  t.is(exitCode, 1);
  t.regex(err, /nobody who takes messages for acme\/heater on pi-02.*\(fleet\/not-delivered\)/);
});

test("a device that does not answer is waited for no longer than the bound", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const setting = await start(t);
  await deviceAnswering(t, setting, () => []);
  const message = { device: "pi-01", module: "acme/heater", path: "a", payload: Buffer.from("1") };
  const sent = sendMessage(setting.repository, { url: setting.broker.url }, message, 100);
  await t.throwsAsync(sent, { code: "fleet/no-answer", message: /pi-01 did not answer within 0\.1 s/ });
});

test("wrong usage exits 2 and says what is wrong", async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["pi-01", "acme/heater"], /the topic is missing/],
    [["PI 01", "acme/heater", "a"], /"PI 01" is no device's id/],
    [["pi-01", "heater", "a"], /"heater" is no module/],
    [["pi-01", "acme/heater", "message/a"], /write "a"/],
    [["pi-01", "acme/heater", "a/#"], /"a\/#" is no topic/],
    [["pi-01", "acme/heater", "a//b"], /is no topic/],
    [["pi-01", "acme/heater", "a".repeat(249)], /is no topic: at most 248 bytes/],
  ];
  for (const [args, message] of wrong) {
    let err = "";
    const io = { stdout: { write: () => true }, stderr: { write: (text: string) => (err += text) }, env: {} };
    t.is(await runFleetCommand(["send", ...args], io), 2, args.join(" "));
    t.regex(err, message);
  }
});

test("a payload beyond the bound is refused before anything is sent", async (t) => {
  const { folder } = await newRepository(t);
  let err = "";
  const exitCode = await runFleetCommand(["send", "pi-01", "acme/heater", "a", "-", "--repo", folder], {
    stdout: { write: () => true },
    stderr: { write: (text) => (err += text) },
    stdin: Readable.from([Buffer.alloc(16_385)]),
    env: {},
  });
  t.is(exitCode, 2);
  t.regex(err, /at most 16384 bytes/);
});
