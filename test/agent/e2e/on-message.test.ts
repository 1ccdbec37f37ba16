/** Messages to modules: from the operator's command line through the broker, and from module to module on the device. */
import anyTest, { type ExecutionContext } from "ava";
import { runFleetCommand } from "../../../fleet/main.ts";
import { DEVICE, type Device, OPERATOR, SharedDevice, startGuardedBroker } from "./harness.ts";
import { MODULE, reactor } from "./releases.ts";

/** One after the other, on one device. */
const test = anyTest.serial;

const shared = new SharedDevice(() => startGuardedBroker());
test.after.always(() => shared.close());

const RECEIVER = "acme/receiver";
/** Publishes what it is told, an empty message is an error. */
const ECHO = `(drop (call $publish (local.get $payload) (local.get $length)))
  (if (result i32) (local.get $length) (then (i32.const 0)) (else (i32.const 16)))`;
const RELEASE = { module: RECEIVER, subscribe: ["message/set/#"], interval: "1h" };

async function send(
  device: Device,
  ...args: string[]
): Promise<{ exitCode: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const exitCode = await runFleetCommand(
    ["send", ...args, "--repo", device.rig.repository.folder, "--username", OPERATOR.username],
    {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: { SKERRY_MQTT_PASSWORD: OPERATOR.password },
    },
  );
  return { exitCode, out, err };
}

async function deviceWithReceiver(t: ExecutionContext, version: string): Promise<Device | undefined> {
  const device = await shared.get(t);
  await device?.install(await reactor(version, { onMessage: ECHO }, RELEASE));
  return device;
}

test("skerry send reaches a module, and tells that it was taken", async (t) => {
  const device = await deviceWithReceiver(t, "1.0.0");
  if (device === undefined) return;
  const from = device.telemetry.count;
  t.deepEqual(await send(device, DEVICE, RECEIVER, "set/point", "21.5"), {
    exitCode: 0,
    out: "pi-01: acme/receiver took message/set/point (4 bytes)\n",
    err: "",
  });
  const echoed = await device.telemetry.until(
    "the echo",
    ({ topic }) => topic === "telemetry/acme.receiver/x",
    from,
  );
  t.is(echoed.payload, "21.5");
});

test("skerry send tells why a message was not taken", async (t) => {
  const device = await deviceWithReceiver(t, "1.1.0");
  if (device === undefined) return;
  const refused = await send(device, DEVICE, RECEIVER, "set/point");
  t.is(refused.exitCode, 1);
  t.is(refused.err, "error: pi-01 answered agent/message-failed: not well (fleet/not-delivered)\n");
  t.regex(
    (await send(device, DEVICE, RECEIVER, "other", "1")).err,
    /agent\/message-undeliverable: acme\/receiver is not to be told "message\/other"/,
  );
});

test("a message that is sent while the agent restarts reaches the module when it runs", async (t) => {
  const device = await deviceWithReceiver(t, "1.2.0");
  if (device === undefined) return;
  const from = device.telemetry.count;
  await device.stop();
  const sent = send(device, DEVICE, RECEIVER, "set/late", "later");
  await device.start();
  t.is((await sent).exitCode, 0);
  const isEcho = ({ topic, payload }: { topic: string; payload: string }) =>
    topic === "telemetry/acme.receiver/x" && payload === "later";
  await device.telemetry.until("the echo", isEcho, from);
  t.pass();
});

test("a module is told what another one on the device publishes", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const subscribe = [`telemetry/${MODULE.replace("/", ".")}/#`];
  await device.install(await reactor("2.0.0", { onMessage: ECHO }, { ...RELEASE, subscribe }));
  const { payload } = await device.telemetry.until(
    "the echo",
    ({ topic }) => topic === "telemetry/acme.receiver/x",
    device.telemetry.count,
  );
  t.is(payload, "1.0.0");
});
