/**
 * The whole way, from `skerry publish` to a rollback, over the brokers that devices meet: Mosquitto with the product's access control and
 * passwords, the same over TLS with client certificates, and aedes, which speaks MQTT 3.1.1 only.
 */
import { readFile } from "node:fs/promises";
import anyTest, { type ExecutionContext } from "ava";
import { MAX_PACKET_BYTES } from "../../../agent/limits.ts";
import { startEmbeddedBroker } from "../../../demo/broker.ts";
import type { ExampleRelease } from "../../../demo/rig.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireTool } from "../../support/tools.ts";
import { ACL_FILE, type BrokerUnderTest, DEVICE, Device, startGuardedBroker } from "./harness.ts";
import { chunkDigests, steady, steadyOfChunks } from "./releases.ts";

const test = anyTest.serial;

const thermo = (version: string): ExampleRelease => ({
  component: `thermo-c/thermo-${version}.wasm`,
  manifest: "thermo-c/module.toml",
  version,
  changes: { window: '"1s"', THERMO_PERIOD_MS: '"100"' },
});

test("Mosquitto with passwords: installed, updated, rolled back", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startGuardedBroker();
  t.teardown(broker.mosquitto.dispose);
  await installUpdateRollBack(t, broker, /connected \(MQTT 5\)/);
});

test("Mosquitto over TLS with client certificates: installed, updated, rolled back", async (t) => {
  if (!requireTool(t, "mosquitto", "openssl")) return;
  const mosquitto = await startMosquitto({
    aclFile: ACL_FILE,
    tls: { clientCertificates: true, clientName: DEVICE },
  });
  t.teardown(mosquitto.dispose);
  const { certificates } = mosquitto;
  if (certificates === undefined) throw new Error("a broker with TLS has certificates");
  const { caFile, client } = certificates;
  const operator = await certificates.issue("operator");
  await installUpdateRollBack(
    t,
    {
      url: mosquitto.url,
      operator: {
        ca: await readFile(caFile),
        cert: await readFile(operator.certFile),
        key: await readFile(operator.keyFile),
      },
      deviceBroker: [
        `ca_file = "${caFile}"`,
        `cert_file = "${client.certFile}"`,
        `key_file = "${client.keyFile}"`,
      ].join("\n"),
    },
    /connected \(MQTT 5\)/,
  );
});

test("aedes with MQTT 3.1.1: installed, updated, rolled back", async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(broker.close);
  await installUpdateRollBack(t, broker, /connected \(MQTT 3\.1\.1\)/);
});

test("link/oversized-packet: a blob that is too large for a device to read: reported, and 1.0.0 runs on", async (t) => {
  // MQTT 5 lets a device state its bound, and Mosquitto keeps to it; a broker with 3.1.1 sends whatever it holds.
  const broker = await startEmbeddedBroker();
  t.teardown(broker.close);
  const device = await Device.running(t, broker);
  const made = await steadyOfChunks(3, "1.1.0");
  const [digest = ""] = chunkDigests(made);
  await device.offer(made, new Map([...made.blobs, [digest, new Uint8Array(MAX_PACKET_BYTES + 1)]]));
  const failed = await device.events.until("the report", ({ event }) => event === "failed");
  t.like(failed, { code: "link/oversized-packet", module: null });
  t.regex(failed.message ?? "", new RegExp(`/blob/${digest}`));
  await device.expectServing(t, "1.0.0");
  await device.install(await steady("1.2.0"));
  await device.expectServing(t, "1.2.0");
});

test("link/oversized-packet: metadata that is too large for a device to read: reported, and 1.0.0 runs on", async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(broker.close);
  const device = await Device.running(t, broker);
  await device.rig.publishRaw("director/timestamp", new Uint8Array(MAX_PACKET_BYTES + 1));
  const failed = await device.events.until("the report", ({ event }) => event === "failed");
  t.like(failed, { code: "link/oversized-packet", module: null });
  t.regex(failed.message ?? "", /director\/timestamp/);
  await device.expectServing(t, "1.0.0");
});

/** With the operator's own tools and the example in C, whose 1.2.0 traps. */
async function installUpdateRollBack(
  t: ExecutionContext,
  broker: BrokerUnderTest,
  connected: RegExp,
): Promise<void> {
  const device = await Device.create(broker);
  t.teardown(() => device.close());
  await device.start();
  for (const version of ["1.0.0", "1.1.0"]) {
    await device.rig.prepare(thermo(version));
    await device.rig.sync();
    await device.event("committed", version);
    await expectTemperature(t, device, version);
  }
  t.true(device.log.all.some((line) => connected.test(line)));
  await device.rig.prepare(thermo("1.2.0"));
  await device.rig.sync();
  t.like(await device.event("rolled-back", "1.2.0"), { code: "trial/trap", to: "1.1.0" });
  await expectTemperature(t, device, "1.1.0");
  await device.untilStatus("online");
  await device.stop();
  await device.untilStatus("offline");
}

async function expectTemperature(t: ExecutionContext, device: Device, version: string): Promise<void> {
  const [message] = await device.telemetry.untilSeveral(
    2,
    "temperatures",
    ({ topic }) => topic === "telemetry/acme.thermo/temperature",
    device.telemetry.count,
  );
  t.is(message?.payload.includes('"avg"'), version === "1.1.0", "the average is new in 1.1.0");
  const state = await device.untilState(version, ({ running }) => running === version);
  t.like(state, { phase: "committed" });
}
