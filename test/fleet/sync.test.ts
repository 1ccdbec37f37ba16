/**
 * Making the broker hold what the folder says, on a real Mosquitto; aedes stands for brokers without MQTT 5.
 */

import { once } from "node:events";
import { cp, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Aedes } from "aedes";
import test, { type ExecutionContext } from "ava";
import mqtt, { type MqttClient } from "mqtt";
import { assignRelease } from "../../fleet/assign.ts";
import { type BrokerAddress, connectBroker } from "../../fleet/broker.ts";
import { FleetError, type FleetErrorCode } from "../../fleet/errors.ts";
import { keyFile, openKey, readKeyFile } from "../../fleet/keys.ts";
import { BLOB_WINDOW } from "../../fleet/limits.ts";
import { loadMetadata } from "../../fleet/metadata-store.ts";
import { refreshRepository } from "../../fleet/refresh.ts";
import type { Repository } from "../../fleet/repository.ts";
import { syncBroker } from "../../fleet/sync.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { syncRepository } from "../../fleet/synchronize.ts";
import { signMetadata } from "../../ota/sign-metadata.ts";
import { createSigner, generateSeed } from "../../ota/signature.ts";
import { freePort, type Mosquitto, type MosquittoOptions, startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { componentBytes, newRepository, publish } from "./fixture.ts";

const NOTHING_PUBLISHED = { metadataPublished: [], blobsPublished: 0, blobBytesPublished: 0 };

function code(expected: FleetErrorCode): { instanceOf: typeof FleetError; code: string } {
  return { instanceOf: FleetError, code: expected };
}

async function start(t: ExecutionContext, options: MosquittoOptions = {}): Promise<Mosquitto> {
  const broker = await startMosquitto(options);
  t.teardown(broker.dispose);
  return broker;
}

async function client(t: ExecutionContext, broker: Mosquitto): Promise<MqttClient> {
  const connected = await mqtt.connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
  t.teardown(() => connected.endAsync(true));
  return connected;
}

/** A repository with one release of three chunks, assigned to everybody. */
async function assignedRepository(t: ExecutionContext): Promise<Repository> {
  const repository = await newRepository(t);
  await publish(repository);
  const audience = { kind: "group", group: "default", percent: 100 } as const;
  await assignRelease(repository, { module: "acme/thermo", version: "1.0.0", audience });
  return repository;
}

/** All that the broker holds below the fleet's topics. */
async function heldTopics(
  t: ExecutionContext,
  broker: Mosquitto,
  expected: number,
): Promise<Map<string, Buffer>> {
  const reader = await client(t, broker);
  const held = new Map<string, Buffer>();
  await new Promise<void>((resolve) => {
    reader.on("message", (topic, payload) => {
      held.set(topic, payload);
      if (held.size === expected) resolve();
    });
    reader.subscribe("skerry/v1/demo/#", { qos: 1 });
  });
  return held;
}

test("an empty broker is filled with every byte of the folder, and a lost one again", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  const first = await syncRepository(repository, { url: broker.url });
  t.is(first.metadataPublished.length, 8);
  t.is(first.blobsPublished, first.blobsTotal);
  t.true(first.blobsTotal > 5, "chunk list, manifest and several chunks");

  const plan = await planSync(repository);
  const items = [...plan.roots, ...plan.blobs, ...plan.metadata];
  const held = await heldTopics(t, broker, items.length);
  for (const item of items) t.deepEqual(held.get(item.topic), Buffer.from(await item.load()), item.topic);

  t.like(await syncRepository(repository, { url: broker.url }), NOTHING_PUBLISHED);
  // Without persistence a restarted Mosquitto has forgotten everything.
  await broker.stop();
  await broker.start();
  t.deepEqual(await syncRepository(repository, { url: broker.url }), first);
});

test("roots come first, then blobs, then targets, snapshot and timestamp, the director's last", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  const watcher = await client(t, broker);
  const topics: string[] = [];
  const done = new Promise<void>((resolve) => {
    watcher.on("message", (topic) => {
      topics.push(topic.replace("skerry/v1/demo/", "").replace(/^blob\/.*/, "blob"));
      if (topics.at(-1) === "director/timestamp") resolve();
    });
  });
  await watcher.subscribeAsync("skerry/v1/demo/#", { qos: 1 });
  await syncRepository(repository, { url: broker.url });
  await done;
  const metadata = (name: string): string[] =>
    ["targets", "snapshot", "timestamp"].map((role) => `${name}/${role}`);
  t.deepEqual(topics, [
    "image/1.root",
    "director/1.root",
    ...Array((await planSync(repository)).blobs.length).fill("blob"),
    ...metadata("image"),
    ...metadata("director"),
  ]);
});

test("what somebody else wrote over or cleared is repaired, and nothing else is sent", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  await syncRepository(repository, { url: broker.url });
  const plan = await planSync(repository);
  const [overwritten, cleared] = plan.blobs;
  const vandal = await client(t, broker);
  for (const [topic, payload] of [
    [overwritten?.topic ?? "", "x"],
    [cleared?.topic ?? "", ""],
    ["skerry/v1/demo/director/timestamp", "no metadata"],
    ["skerry/v1/demo/image/1.root", ""],
  ] as const) {
    await vandal.publishAsync(topic, payload, { qos: 1, retain: true });
  }
  const report = await syncRepository(repository, { url: broker.url });
  t.is(report.blobsPublished, 2);
  t.deepEqual(report.metadataPublished, ["skerry/v1/demo/image/1.root", "skerry/v1/demo/director/timestamp"]);
  t.like(await syncRepository(repository, { url: broker.url }), NOTHING_PUBLISHED);
});

test("a further release sends only the chunks that are new", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await newRepository(t);
  const component = componentBytes(10 * 65_536, 1);
  await publish(repository, { component });
  await syncRepository(repository, { url: broker.url });
  const changed = Buffer.from(component);
  changed[3 * 65_536] = (changed[3 * 65_536] ?? 0) ^ 1;
  const { chunks } = await publish(repository, { component: changed, version: "1.0.1" });
  const release = { module: "acme/thermo", version: "1.0.1" };
  const report = await syncRepository(repository, { url: broker.url }, { repositories: ["image"], release });
  // The chunk, the chunk list and the manifest.
  t.is(report.blobsPublished, 3);
  t.is(report.blobsTotal, chunks + 2);
});

test("more blobs than one window are all sent, with progress", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await newRepository(t);
  await publish(repository, { component: componentBytes(20 * 65_536, 1) });
  const { length: total } = (await planSync(repository)).blobs;
  const progress: number[] = [];
  const report = await syncRepository(
    repository,
    { url: broker.url },
    { onProgress: ({ blobsDone }) => progress.push(blobsDone) },
  );
  t.is(report.blobsPublished, total);
  t.true(total > BLOB_WINDOW);
  const windows = Array.from(
    { length: Math.ceil(total / BLOB_WINDOW) },
    (_, index) => (index + 1) * BLOB_WINDOW,
  );
  t.deepEqual(
    progress,
    windows.map((done) => Math.min(done, total)),
  );
});

test("an old copy of the folder does not overwrite newer metadata, unless forced", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  const oldPlan = await planSync(repository);
  await refreshRepository(repository, { force: true });
  await syncRepository(repository, { url: broker.url });
  const connection = await connectBroker({ url: broker.url });
  t.teardown(() => connection.end());
  const error = await t.throwsAsync(syncBroker(connection, oldPlan), code("fleet/broker-newer"));
  t.regex(error?.message ?? "", /version 3 of skerry\/v1\/demo\/image\/snapshot, this folder only 2/);
  t.is((await syncBroker(connection, oldPlan, { force: true })).metadataPublished.length, 4);
});

test("metadata that nobody rightful signed is replaced without --force, whatever version it states", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  await syncRepository(repository, { url: broker.url });
  const { timestamp } = await loadMetadata(repository, "image");
  const stranger = await createSigner(await generateSeed());
  const forged = await signMetadata({ ...timestamp.signedJson, version: 999 }, [stranger]);
  const vandal = await client(t, broker);
  await vandal.publishAsync("skerry/v1/demo/image/timestamp", Buffer.from(forged), { qos: 1, retain: true });
  const report = await syncRepository(repository, { url: broker.url });
  t.deepEqual(report.metadataPublished, ["skerry/v1/demo/image/timestamp"]);
});

test("two copies of the folder that went on from the same version: the second one is refused, unless forced", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  await syncRepository(repository, { url: broker.url });
  const copy = { ...repository, folder: join(repository.folder, "..", "copy") };
  await cp(repository.folder, copy.folder, { recursive: true });
  await publish(repository, { version: "1.1.0" });
  await publish(copy, { version: "1.2.0" });
  await syncRepository(repository, { url: broker.url });
  const error = await t.throwsAsync(syncRepository(copy, { url: broker.url }), code("fleet/broker-newer"));
  t.regex(error?.message ?? "", /another version 3 of skerry\/v1\/demo\/image\/targets/);
  await t.notThrowsAsync(syncRepository(copy, { url: broker.url }, { force: true }));
});

test("a forged root after the newest one, which would stop every device, is taken away", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  await syncRepository(repository, { url: broker.url });
  const topic = "skerry/v1/demo/image/2.root";
  const vandal = await client(t, broker);
  await vandal.publishAsync(topic, "no root", { qos: 1, retain: true });
  t.deepEqual((await syncRepository(repository, { url: broker.url })).rootsCleared, [topic]);
  t.deepEqual((await syncRepository(repository, { url: broker.url })).rootsCleared, []);
});

test("a root that was rotated in another copy of the folder is no forgery: the old copy is refused", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await assignedRepository(t);
  await syncRepository(repository, { url: broker.url });
  const { roots } = await loadMetadata(repository, "image");
  const signer = await openKey(
    await readKeyFile(keyFile(repository.settings.keysFolder, "image-root")),
    undefined,
  );
  const rotated = await signMetadata({ ...roots[0]?.signedJson, version: 2 }, [signer]);
  const other = await client(t, broker);
  await other.publishAsync("skerry/v1/demo/image/2.root", Buffer.from(rotated), { qos: 1, retain: true });
  await t.throwsAsync(syncRepository(repository, { url: broker.url }), code("fleet/broker-newer"));
});

test("a broker that keeps no retained messages is told apart from a filled one", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t, { configuration: ["retain_available false"] });
  const repository = await assignedRepository(t);
  await t.throwsAsync(syncRepository(repository, { url: broker.url }), code("fleet/broker-not-retaining"));
});

test("a wrong password is refused, and named so", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await start(t, { users: { operator: "right" } });
  const repository = await newRepository(t);
  const address = { url: broker.url, username: "operator", password: "wrong" };
  const error = await t.throwsAsync(syncRepository(repository, address), code("fleet/broker-refused"));
  t.regex(error?.message ?? "", /user "operator"/);
  t.notRegex(error?.message ?? "", /wrong/);
  await t.throwsAsync(syncRepository(repository, { url: broker.url }), code("fleet/broker-refused"));
  await t.notThrowsAsync(syncRepository(repository, { ...address, password: "right" }));
});

test("a user may be allowed to publish releases and not to assign them", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const aclFile = fileURLToPath(new URL("../../fleet/mosquitto.acl", import.meta.url));
  const broker = await start(t, { users: { operator: "op", publisher: "pub" }, aclFile });
  const repository = await assignedRepository(t);
  const publisher = { url: broker.url, username: "publisher", password: "pub" };
  const release = { module: "acme/thermo", version: "1.0.0" };
  const { blobsPublished, blobsTotal } = await syncRepository(repository, publisher, {
    repositories: ["image"],
    release,
  });
  t.is(blobsPublished, blobsTotal);
  const error = await t.throwsAsync(
    syncRepository(repository, publisher, { repositories: ["director"] }),
    code("fleet/broker-denied"),
  );
  t.regex(error?.message ?? "", /user "publisher" to publish skerry\/v1\/demo\/director\/1\.root/);
  const operator = { url: broker.url, username: "operator", password: "op" };
  t.like(await syncRepository(repository, operator), { blobsPublished: 0 });
});

test("TLS: with the authority and a client certificate it goes through, without either it does not", async (t) => {
  if (!requireTool(t, "mosquitto", "openssl")) return;
  const aclFile = fileURLToPath(new URL("../../fleet/mosquitto.acl", import.meta.url));
  const broker = await start(t, { tls: { clientCertificates: true, clientName: "operator" }, aclFile });
  const repository = await assignedRepository(t);
  const { certificates } = broker;
  if (certificates === undefined) return t.fail("no certificates were made");
  const ca = await readFile(certificates.caFile);
  const cert = await readFile(certificates.client.certFile);
  const key = await readFile(certificates.client.keyFile);
  const address: BrokerAddress = { url: broker.url, ca, cert, key };
  t.true((await syncRepository(repository, address)).blobsPublished > 5);
  await t.throwsAsync(syncRepository(repository, { url: broker.url, cert, key }), code("fleet/broker-tls"));
  const withoutOurs = await t.throwsAsync(syncRepository(repository, { url: broker.url, ca }), {
    instanceOf: FleetError,
  });
  t.regex(withoutOurs?.code ?? "", /^fleet\/broker-(tls|unreachable)$/);
});

test("nobody listens: the address is named", async (t) => {
  const repository = await newRepository(t);
  const url = `mqtt://127.0.0.1:${await freePort()}`;
  const error = await t.throwsAsync(syncRepository(repository, { url }), code("fleet/broker-unreachable"));
  t.regex(error?.message ?? "", new RegExp(url));
});

test("the broker goes away in the middle: an error that says so, and the next sync completes it", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t, { persistent: true });
  const repository = await newRepository(t);
  await publish(repository, { component: componentBytes(70 * 65_536, 1) });
  let stopping: Promise<void> | undefined;
  const onProgress = (): void => {
    stopping ??= broker.stop();
  };
  await t.throwsAsync(
    syncRepository(repository, { url: broker.url }, { onProgress }),
    code("fleet/broker-lost"),
  );
  await stopping;
  await broker.start();
  const { blobsPublished, blobsTotal } = await syncRepository(repository, { url: broker.url });
  t.true(blobsPublished < blobsTotal);
  t.like(await syncRepository(repository, { url: broker.url }), NOTHING_PUBLISHED);
});

test("a broker without MQTT 5 is spoken to in MQTT 3.1.1", async (t) => {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(async () => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const address = { url: `mqtt://127.0.0.1:${port}` };
  const connection = await connectBroker(address);
  t.is(connection.protocolVersion, 4);
  await connection.end();
  const repository = await assignedRepository(t);
  const report = await syncRepository(repository, address);
  t.is(report.blobsPublished, report.blobsTotal);
  t.like(await syncRepository(repository, address), NOTHING_PUBLISHED);
});
