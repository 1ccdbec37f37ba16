/** What a download does not fetch: chunks that the versions on the disk hold, and what compression saves. */

import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { encodeChunkList } from "../../ota/chunk-list.ts";
import { SYSTEM_CLOCK } from "../../ota/clock.ts";
import { fetchRelease } from "../../ota/delivery.ts";
import type { Disk } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { openStore, type Store } from "../../ota/store.ts";
import { BlobBroker } from "../support/blob-broker.ts";
import { temporaryFolder } from "../support/folders.ts";
import { makeRelease, oldChunkList, sha256Of, type TestRelease } from "../support/releases.ts";

const CHUNK_BYTES = 1_000;
const CHUNKS = 40;

/** Bytes that zstd makes smaller, no two chunks the same. */
function compressible(): Buffer {
  const bytes = Buffer.alloc(CHUNKS * CHUNK_BYTES);
  for (let at = 0; at < bytes.length; at += 100) randomBytes(20).copy(bytes, at);
  return bytes;
}

const OLD = compressible();
/** Two chunks of it are others, and one occurs twice. */
const NEW = Buffer.from(OLD);
for (const index of [7, 23]) randomBytes(20).copy(NEW, index * CHUNK_BYTES);
OLD.copy(NEW, 30 * CHUNK_BYTES, 0, CHUNK_BYTES);

const make = (version: string, component: Uint8Array, module = "acme/thermo"): TestRelease =>
  makeRelease(version, { component, module, chunkBytes: CHUNK_BYTES, compressed: true });

async function newStore(t: ExecutionContext, disk: Disk = createNodeDisk()): Promise<Store> {
  return openStore(disk, await temporaryFolder(t));
}

async function fetch(
  store: Store,
  made: TestRelease,
  broker = new BlobBroker().add(made.blobs),
): Promise<BlobBroker> {
  await fetchRelease(made.release, {
    store,
    source: broker,
    clock: SYSTEM_CLOCK,
    signal: new AbortController().signal,
  });
  return broker;
}

async function assertInstalled(
  t: ExecutionContext,
  store: Store,
  { release, component }: TestRelease,
): Promise<void> {
  t.true(Buffer.from(component).equals(await readFile(store.componentPath(release))));
}

/** The chunks of a component that were asked for, by their place. */
function chunksAsked(broker: BlobBroker, component: Uint8Array): number[] {
  const asked = new Set(broker.requested);
  return Array.from({ length: CHUNKS }, (_, index) => index).filter((index) =>
    asked.has(sha256Of(zstdCompressSync(component.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)))),
  );
}

test("compressed chunks are checked, decoded and written", async (t) => {
  const store = await newStore(t);
  const made = make("1.0.0", OLD);
  const bytes = [...made.blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
  t.true(bytes < OLD.length, "the fixture compresses");
  await fetch(store, made);
  await assertInstalled(t, store, made);
});

test("an update fetches the chunks that changed, and takes the others from the version before", async (t) => {
  const store = await newStore(t);
  await fetch(store, make("1.0.0", OLD));
  const made = make("1.1.0", NEW);
  const broker = await fetch(store, made);
  await assertInstalled(t, store, made);
  t.deepEqual(chunksAsked(broker, NEW), [7, 23]);
  t.is(broker.requested.length, 4, "these, the chunk list and the manifest");
});

test("chunks are shared between modules", async (t) => {
  const store = await newStore(t);
  await fetch(store, make("1.0.0", OLD, "acme/other"));
  const made = make("1.0.0", NEW);
  t.deepEqual(chunksAsked(await fetch(store, made), NEW), [7, 23]);
  await assertInstalled(t, store, made);
});

test("a version that was published with a list of format 1 serves as well, and is installed itself", async (t) => {
  const store = await newStore(t);
  const raw = makeRelease("1.0.0", { component: OLD, chunkBytes: CHUNK_BYTES });
  const entries = Array.from({ length: CHUNKS }, (_, index) => ({
    sha256: sha256Of(OLD.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)),
    length: CHUNK_BYTES,
  }));
  const list = oldChunkList(entries);
  const chunks = { sha256: sha256Of(list), length: list.length };
  const old = {
    ...raw,
    release: { ...raw.release, chunks },
    blobs: new Map([...raw.blobs, [chunks.sha256, list]]),
  };
  await fetch(store, old);
  await assertInstalled(t, store, old);
  t.deepEqual(chunksAsked(await fetch(store, make("1.1.0", NEW)), NEW), [7, 23]);
});

test("a chunk list in parts is fetched, kept, and read again by the next update and by one that was cut", async (t) => {
  const store = await newStore(t);
  const component = randomBytes(100_000);
  const made = makeRelease("1.0.0", { component, chunkBytes: 100 });
  t.true(made.release.chunks.length < 1_000, "it is a head alone");
  await fetch(store, made);
  await assertInstalled(t, store, made);
  const changed = Buffer.from(component);
  changed.fill(7, 50_000, 50_010);
  const next = makeRelease("1.1.0", { component: changed, chunkBytes: 100 });
  const missing = new Map(next.blobs);
  const chunk = sha256Of(changed.subarray(50_000, 50_100));
  missing.delete(chunk);
  const cut = new BlobBroker().add(missing);
  const ended = fetchRelease(next.release, {
    store,
    source: cut,
    clock: SYSTEM_CLOCK,
    signal: new AbortController().signal,
    idleTimeoutMs: 200,
  });
  await t.throwsAsync(ended, { code: "delivery/timeout" });
  const resumed = await fetch(store, next);
  t.deepEqual(resumed.requested, [chunk]);
  await assertInstalled(t, store, next);
});

const SPOILED: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  "its list is missing": (folder) => rm(join(folder, "component.chunks")),
  "its list is none": (folder) => writeFile(join(folder, "component.chunks"), "SKCL\u0002 and so on"),
  "its component is missing": (folder) => rm(join(folder, "component.wasm")),
  "its component is shorter": (folder) => writeFile(join(folder, "component.wasm"), OLD.subarray(1)),
};

for (const [what, spoil] of Object.entries(SPOILED)) {
  test(`a version whose folder is not what it should be is passed over: ${what}`, async (t) => {
    const store = await newStore(t);
    const old = make("1.0.0", OLD);
    await fetch(store, old);
    await spoil(dirname(store.componentPath(old.release)));
    const made = make("1.1.0", NEW);
    t.is(chunksAsked(await fetch(store, made), NEW).length, CHUNKS);
    await assertInstalled(t, store, made);
  });
}

test("a chunk that the flash forgot is fetched, the others are copied", async (t) => {
  const store = await newStore(t);
  const old = make("1.0.0", OLD);
  await fetch(store, old);
  const rotten = Buffer.from(OLD);
  rotten[12 * CHUNK_BYTES + 5] = (rotten[12 * CHUNK_BYTES + 5] ?? 0) ^ 1;
  await writeFile(store.componentPath(old.release), rotten);
  const made = make("1.1.0", NEW);
  t.deepEqual(chunksAsked(await fetch(store, made), NEW), [7, 12, 23]);
  await assertInstalled(t, store, made);
});

test("a version that a clean-up takes away while chunks are copied from it: the rest is fetched", async (t) => {
  const real = createNodeDisk();
  let reads = 0;
  let isCopying = false;
  const vanishing: Disk = {
    ...real,
    open: async (path, mode) => {
      const file = await real.open(path, mode);
      if (!isCopying || !path.includes("/versions/") || !path.endsWith("component.wasm")) return file;
      return {
        read: (target, position) =>
          reads++ < 10 ? file.read(target, position) : Promise.reject(new OtaError("store/io", "it is gone")),
        write: (bytes, position) => file.write(bytes, position),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
  const store = await newStore(t, vanishing);
  await fetch(store, make("1.0.0", OLD));
  isCopying = true;
  const made = make("1.1.0", NEW);
  const fetched = chunksAsked(await fetch(store, made), NEW).length;
  await assertInstalled(t, store, made);
  t.true(fetched > 20 && fetched < CHUNKS, `${fetched}`);
});

test("every byte of an update is written once", async (t) => {
  let written = 0;
  const real = createNodeDisk();
  const counting: Disk = {
    ...real,
    open: async (path, mode) => {
      const file = await real.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (bytes, position) => {
          written += bytes.length;
          return file.write(bytes, position);
        },
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  };
  const store = await newStore(t, counting);
  await fetch(store, make("1.0.0", OLD));
  written = 0;
  const { release } = make("1.1.0", NEW);
  await fetch(store, make("1.1.0", NEW));
  t.is(written, release.component.length + release.chunks.length + release.manifest.length);
});

/** A release of one chunk whose blob is signed and something else than its content. */
function misleading(blob: Uint8Array): TestRelease {
  const component = OLD.subarray(0, CHUNK_BYTES);
  const made = makeRelease("1.0.0", { component });
  const digested = (bytes: Uint8Array) => ({ sha256: sha256Of(bytes), length: bytes.length });
  const { head } = encodeChunkList([{ ...digested(component), blob: digested(blob) }]);
  const blobs = new Map([...made.blobs, [sha256Of(head), head], [sha256Of(blob), blob]]);
  return { ...made, release: { ...made.release, chunks: digested(head) }, blobs };
}

const MISLEADING: Readonly<Record<string, Uint8Array>> = {
  "no zstd frame": randomBytes(500),
  "a frame of other content": zstdCompressSync(OLD.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES)),
  "a frame of less content": zstdCompressSync(OLD.subarray(0, CHUNK_BYTES - 1)),
  "a frame of far more content": zstdCompressSync(Buffer.alloc(500_000_000 / 8)),
  "a frame that is cut short": zstdCompressSync(OLD.subarray(0, CHUNK_BYTES)).subarray(0, -3),
};

for (const [what, blob] of Object.entries(MISLEADING)) {
  test(`a blob that is signed and is ${what} is refused as published wrong`, async (t) => {
    const store = await newStore(t);
    await t.throwsAsync(fetch(store, misleading(blob)), {
      instanceOf: OtaError,
      code: "delivery/hash-mismatch",
    });
  });
}
