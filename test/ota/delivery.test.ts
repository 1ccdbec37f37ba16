import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { SYSTEM_CLOCK } from "../../ota/clock.ts";
import { type DeliveryOptions, type DeliveryProgress, fetchRelease } from "../../ota/delivery.ts";
import type { Disk } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";
import {
  DELIVERY_WINDOW_BLOBS,
  DELIVERY_WINDOW_BYTES,
  MAX_BAD_PAYLOADS,
  MAX_CHUNK_BYTES,
} from "../../ota/limits.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { releaseId } from "../../ota/release.ts";
import { openStore, type Store } from "../../ota/store.ts";
import { BlobBroker, type Misbehaviour } from "../support/blob-broker.ts";
import { temporaryFolder } from "../support/folders.ts";
import { makeRelease, sha256Of, type TestRelease } from "../support/releases.ts";

const CHUNK_BYTES = 1_000;
const RELEASE = makeRelease("1.0.0", {
  component: randomBytes(20 * CHUNK_BYTES + 7),
  chunkBytes: CHUNK_BYTES,
});
/** The digest of one chunk in the middle. */
const CHUNK = sha256Of(RELEASE.component.subarray(5 * CHUNK_BYTES, 6 * CHUNK_BYTES));

type Setting = { readonly folder: string; readonly store: Store };

async function newStore(t: ExecutionContext, disk: Disk = createNodeDisk()): Promise<Setting> {
  const folder = await temporaryFolder(t);
  return { folder, store: await openStore(disk, folder) };
}

function fetch(
  store: Store,
  broker: BlobBroker,
  release: TestRelease,
  options: Partial<DeliveryOptions> = {},
) {
  return fetchRelease(release.release, {
    store,
    source: broker,
    clock: SYSTEM_CLOCK,
    signal: new AbortController().signal,
    // Only reached where a test has a blob never come.
    idleTimeoutMs: 200,
    ...options,
  });
}

async function assertInstalled(
  t: ExecutionContext,
  { folder, store }: Setting,
  release: TestRelease,
): Promise<void> {
  t.true(sha256Of(await readFile(store.componentPath(release.release))) === release.release.component.sha256);
  t.deepEqual(new Uint8Array(await readFile(store.manifestPath(release.release))), release.manifest);
  t.deepEqual((await readdir(join(folder, "versions", releaseId(release.release)))).sort(), [
    "component.chunks",
    "component.wasm",
    "module.toml",
  ]);
  t.deepEqual(await readdir(join(folder, "incoming")), []);
}

async function assertNothingInstalled(t: ExecutionContext, { folder }: Setting): Promise<void> {
  t.deepEqual(await readdir(join(folder, "versions")), []);
}

test("a release arrives chunk by chunk and becomes a version folder", async (t) => {
  const setting = await newStore(t);
  const progress: DeliveryProgress[] = [];
  const broker = new BlobBroker().add(RELEASE.blobs);
  await fetch(setting.store, broker, RELEASE, { onProgress: (each) => progress.push(each) });
  await assertInstalled(t, setting, RELEASE);
  t.deepEqual(progress.at(0), { received: 0, total: RELEASE.component.length });
  t.deepEqual(progress.at(-1), { received: RELEASE.component.length, total: RELEASE.component.length });
  t.is(broker.subscribed, 0);
});

test("a release that is there already is believed after it was hashed, and not fetched again", async (t) => {
  const setting = await newStore(t);
  const broker = new BlobBroker().add(RELEASE.blobs);
  await fetch(setting.store, broker, RELEASE);
  const { length } = broker.requested;
  await fetch(setting.store, broker, RELEASE);
  t.is(broker.requested.length, length);
});

const SPOILED: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  "lost its manifest": (store) => rm(store.manifestPath(RELEASE.release)),
  "lost its component": (store) => rm(store.componentPath(RELEASE.release)),
  "has a flipped bit in its component": async (store) => {
    const path = store.componentPath(RELEASE.release);
    const bytes = await readFile(path);
    bytes[777] = (bytes[777] ?? 0) ^ 1;
    await writeFile(path, bytes);
  },
  "has a shorter component": (store) => truncate(store.componentPath(RELEASE.release), 10),
};

for (const [what, spoil] of Object.entries(SPOILED)) {
  test(`a version folder that ${what} is fetched anew`, async (t) => {
    const setting = await newStore(t);
    const broker = new BlobBroker().add(RELEASE.blobs);
    await fetch(setting.store, broker, RELEASE);
    await spoil(setting.store);
    await fetch(setting.store, broker, RELEASE);
    await assertInstalled(t, setting, RELEASE);
  });
}

test("never more chunks are asked for than the window holds, by their number and by their bytes", async (t) => {
  for (const [chunkBytes, most] of [
    [CHUNK_BYTES, DELIVERY_WINDOW_BLOBS],
    [MAX_CHUNK_BYTES, DELIVERY_WINDOW_BYTES / MAX_CHUNK_BYTES],
  ] as const) {
    const { store } = await newStore(t);
    const release = makeRelease("1.0.0", { component: randomBytes(50 * chunkBytes), chunkBytes });
    const broker = new BlobBroker().add(release.blobs);
    await fetch(store, broker, release);
    t.is(broker.mostSubscribed, most);
  }
});

test("a version that is there is not fetched again", async (t) => {
  const { store } = await newStore(t);
  await fetch(store, new BlobBroker().add(RELEASE.blobs), RELEASE);
  const broker = new BlobBroker();
  await fetch(store, broker, RELEASE);
  t.deepEqual(broker.requested, []);
});

test("reordered chunks are written where they belong", async (t) => {
  const setting = await newStore(t);
  const broker = new BlobBroker().add(RELEASE.blobs);
  broker.reorder = (digests) => digests.reverse();
  await fetch(setting.store, broker, RELEASE);
  await assertInstalled(t, setting, RELEASE);
});

test("duplicated chunks are ignored", async (t) => {
  const setting = await newStore(t);
  const twice: Misbehaviour = (_, payload) => (payload === undefined ? [] : [payload, payload]);
  await fetch(setting.store, new BlobBroker(twice).add(RELEASE.blobs), RELEASE);
  await assertInstalled(t, setting, RELEASE);
});

test("a chunk that nobody asked for is ignored", async (t) => {
  const setting = await newStore(t);
  const stranger = new TextEncoder().encode("stranger");
  const broker: BlobBroker = new BlobBroker((_, payload, nth) => {
    if (nth === 1) void broker.push(sha256Of(stranger), stranger);
    return payload === undefined ? [] : [payload];
  }).add(RELEASE.blobs);
  await fetch(setting.store, broker, RELEASE);
  await assertInstalled(t, setting, RELEASE);
});

test("a content that occurs many times is fetched once and written everywhere", async (t) => {
  const setting = await newStore(t);
  const component = new Uint8Array(50 * CHUNK_BYTES);
  component.set(randomBytes(CHUNK_BYTES), 10 * CHUNK_BYTES);
  const release = makeRelease("1.0.0", { component, chunkBytes: CHUNK_BYTES });
  const broker = new BlobBroker().add(release.blobs);
  await fetch(setting.store, broker, release);
  await assertInstalled(t, setting, release);
  t.is(broker.requested.length, 4);
});

for (const [what, spoil] of [
  ["truncated", (payload) => payload.subarray(0, payload.length - 1)],
  ["empty", () => new Uint8Array()],
  ["oversized", (payload) => new Uint8Array([...payload, 0])],
  ["corrupt", (payload) => payload.map((byte, index) => (index === 0 ? byte ^ 1 : byte))],
] as const satisfies readonly (readonly [string, (payload: Uint8Array) => Uint8Array])[]) {
  test(`a chunk that comes ${what} once is asked for again`, async (t) => {
    const setting = await newStore(t);
    const once: Misbehaviour = (digest, payload, nth) =>
      payload === undefined ? [] : [digest === CHUNK && nth === 1 ? spoil(payload) : payload];
    await fetch(setting.store, new BlobBroker(once).add(RELEASE.blobs), RELEASE);
    await assertInstalled(t, setting, RELEASE);
  });

  test(`a chunk that stays ${what} ends the download, named, after a few attempts`, async (t) => {
    const setting = await newStore(t);
    const always: Misbehaviour = (digest, payload) =>
      payload === undefined ? [] : [digest === CHUNK ? spoil(payload) : payload];
    const broker = new BlobBroker(always).add(RELEASE.blobs);
    const error = await t.throwsAsync(fetch(setting.store, broker, RELEASE), { instanceOf: OtaError });
    t.is(error?.code, "delivery/chunk-corrupt");
    t.true(error?.message.includes(CHUNK));
    t.is(broker.requested.filter((digest) => digest === CHUNK).length, MAX_BAD_PAYLOADS);
    t.is(broker.subscribed, 0);
    await assertNothingInstalled(t, setting);
  });
}

for (const [what, digest] of [
  ["chunk", CHUNK],
  ["chunk list", RELEASE.release.chunks.sha256],
  ["manifest", RELEASE.release.manifest.sha256],
] as const) {
  test(`a missing ${what} ends in a timeout, and the next attempt goes on from there`, async (t) => {
    const setting = await newStore(t);
    const broker = new BlobBroker().add(RELEASE.blobs);
    broker.blobs.delete(digest);
    const error = await t.throwsAsync(fetch(setting.store, broker, RELEASE), { instanceOf: OtaError });
    t.is(error?.code, "delivery/timeout");
    t.is(broker.subscribed, 0);
    await assertNothingInstalled(t, setting);

    const refilled = new BlobBroker().add(RELEASE.blobs);
    await fetch(setting.store, refilled, RELEASE);
    await assertInstalled(t, setting, RELEASE);
    t.true(refilled.requested.includes(digest));
    t.is(what === "chunk" ? refilled.requested.length : 1, 1);
  });
}

test("what lies in incoming is believed only after hashing it again", async (t) => {
  const setting = await newStore(t);
  const incoming = setting.store.incomingDirectory(RELEASE.release);
  await mkdir(incoming, { recursive: true });
  const altered = Uint8Array.from(RELEASE.component);
  altered[5 * CHUNK_BYTES] = (altered[5 * CHUNK_BYTES] ?? 0) ^ 1;
  await writeFile(join(incoming, "component.wasm"), Buffer.concat([altered, Buffer.from("too long")]));
  await writeFile(join(incoming, "module.toml"), new Uint8Array(RELEASE.manifest.length));
  const broker = new BlobBroker().add(RELEASE.blobs);
  await fetch(setting.store, broker, RELEASE);
  await assertInstalled(t, setting, RELEASE);
  t.deepEqual(
    broker.requested.sort(),
    [CHUNK, RELEASE.release.manifest.sha256, RELEASE.release.chunks.sha256].sort(),
  );
});

test("chunks that are each right and do not make up the signed component are refused", async (t) => {
  const setting = await newStore(t);
  const release = { ...RELEASE.release, component: { ...RELEASE.release.component, sha256: "0".repeat(64) } };
  const broker = new BlobBroker().add(RELEASE.blobs);
  await t.throwsAsync(fetch(setting.store, broker, { ...RELEASE, release }), {
    code: "delivery/hash-mismatch",
  });
  await assertNothingInstalled(t, setting);
});

test("a chunk list of another length than the signed component is refused before a chunk is fetched", async (t) => {
  const setting = await newStore(t);
  const release = { ...RELEASE.release, component: { ...RELEASE.release.component, length: 1 } };
  const broker = new BlobBroker().add(RELEASE.blobs);
  await t.throwsAsync(fetch(setting.store, broker, { ...RELEASE, release }), {
    code: "delivery/length-mismatch",
  });
  t.is(broker.requested.length, 2);
});

test("a component over the bound is refused before anything is fetched", async (t) => {
  const { store } = await newStore(t);
  const release = { ...RELEASE.release, component: { ...RELEASE.release.component, length: 2 ** 40 } };
  const broker = new BlobBroker();
  await t.throwsAsync(fetch(store, broker, { ...RELEASE, release }), { code: "delivery/too-large" });
  t.deepEqual(broker.requested, []);
});

test("too little free space is found out before anything is fetched", async (t) => {
  const { store } = await newStore(t, { ...createNodeDisk(), freeBytes: () => Promise.resolve(1_000) });
  const broker = new BlobBroker().add(RELEASE.blobs);
  await t.throwsAsync(fetch(store, broker, RELEASE), { code: "store/disk-full" });
  t.deepEqual(broker.requested, []);
});

test("a disk that fills up in the middle ends the download; it goes on once there is space", async (t) => {
  let writesLeft = 8;
  const real = createNodeDisk();
  const filling: Disk = {
    ...real,
    open: async (path, mode) => {
      const file = await real.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (bytes, position) => {
          if (writesLeft-- <= 0) return Promise.reject(new OtaError("store/disk-full", "no space left"));
          return file.write(bytes, position);
        },
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
  const setting = await newStore(t, filling);
  const broker = new BlobBroker().add(RELEASE.blobs);
  await t.throwsAsync(fetch(setting.store, broker, RELEASE), { code: "store/disk-full" });
  t.is(broker.subscribed, 0);
  await assertNothingInstalled(t, setting);
  writesLeft = Number.POSITIVE_INFINITY;
  const again = new BlobBroker().add(RELEASE.blobs);
  await fetch(setting.store, again, RELEASE);
  await assertInstalled(t, setting, RELEASE);
  t.true(again.requested.length < RELEASE.blobs.size);
});

test("a download that is called off asks for nothing more, and leaves what it has", async (t) => {
  const setting = await newStore(t);
  const abort = new AbortController();
  const broker: BlobBroker = new BlobBroker((digest, payload) => {
    if (digest === CHUNK) abort.abort();
    return payload === undefined ? [] : [payload];
  }).add(RELEASE.blobs);
  await t.throwsAsync(fetch(setting.store, broker, RELEASE, { signal: abort.signal }), {
    code: "delivery/cancelled",
  });
  t.is(broker.subscribed, 0);
  await assertNothingInstalled(t, setting);
  const file = await open(join(setting.store.incomingDirectory(RELEASE.release), "component.wasm"));
  t.true((await file.stat()).size > 0);
  await file.close();
});
