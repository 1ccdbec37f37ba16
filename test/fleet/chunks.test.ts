/** How a component is cut and packed, and what that saves a device. */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { cutLength, cuttingOf, mustCutLongest } from "../../fleet/cut-chunks.ts";
import { measureFetch } from "../../fleet/fetch-size.ts";
import { loadMetadata } from "../../fleet/metadata-store.ts";
import { listedFiles, readReleaseBlobs } from "../../fleet/release-blobs.ts";
import { type Repository, releaseFile, releaseFolder } from "../../fleet/repository.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_COMPONENT_BYTES, MAX_PAYLOAD_BYTES } from "../../ota/limits.ts";
import { componentBytes, newRepository, publish } from "./fixture.ts";

const MODULE = "acme/thermo";
const EXAMPLE = fileURLToPath(new URL("../../examples/modbus-js/modbus-1.0.0.wasm", import.meta.url));

/** The lengths of all chunks. */
function cut(bytes: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.length; at += lengths.at(-1) ?? 0) {
    lengths.push(cutLength(bytes.subarray(at, at + MAX_CHUNK_BYTES), cuttingOf(bytes.length)));
  }
  return lengths;
}

function contents(bytes: Uint8Array): Set<string> {
  let at = 0;
  const digests = new Set<string>();
  for (const length of cut(bytes)) {
    digests.add(
      createHash("sha256")
        .update(bytes.subarray(at, at + length))
        .digest("hex"),
    );
    at += length;
  }
  return digests;
}

async function blobsOf(repository: Repository, version = "1.0.0") {
  const { targets } = (await loadMetadata(repository, "image")).targets.metadata;
  const component = targets.get(`${MODULE}/${version}/component.wasm`);
  if (component === undefined) throw new Error(`${version} is not listed`);
  const path = { module: MODULE, version, file: "component.wasm" } as const;
  return readReleaseBlobs(repository, path, listedFiles(path, component, targets));
}

test("chunks have 2 to 64 KiB, the last one may be shorter, and some 16 KiB on average", async (t) => {
  const lengths = cut(await readFile(EXAMPLE));
  const inner = lengths.slice(0, -1);
  t.true(inner.every((length) => length > 2_048 && length <= 65_536));
  const average = inner.reduce((sum, length) => sum + length, 0) / inner.length;
  t.true(average > 14_000 && average < 22_000, `${average}`);
});

test("a component of 4 MiB or more is cut into chunks twice as long", (t) => {
  const threshold = 4 * 1024 * 1024;
  const average = (size: number): number => size / cut(componentBytes(size, 1)).length;
  const [usual, coarse] = [average(threshold - 1), average(threshold)];
  t.true(usual > 14_000 && usual < 22_000, `${usual}`);
  t.true(coarse > 28_000 && coarse < 42_000, `${coarse}`);
});

test("the cuts are those of the documented rule: a table from SHA-256, two masks", (t) => {
  const rules = [
    { size: 100_000, normal: 16_384, before: 0xffff0000n, after: 0xfff00000n },
    { size: 4 * 1024 * 1024, normal: 32_768, before: 0xffff8000n, after: 0xfff80000n },
  ];
  for (const rule of rules) checkRule(t, rule);
});

function checkRule(
  t: ExecutionContext,
  rule: { readonly size: number; readonly normal: number; readonly before: bigint; readonly after: bigint },
): void {
  const bytes = componentBytes(rule.size, 1);
  const gear = Array.from({ length: 256 }, (_, byte) =>
    createHash("sha256").update(Buffer.of(byte)).digest().readUInt32BE(),
  );
  const byTheRule = (chunk: Uint8Array): number => {
    let hash = 0n;
    for (let at = 2_048; at < chunk.length; at++) {
      hash = BigInt.asUintN(32, (hash << 1n) + BigInt(gear[chunk[at] ?? 0] ?? 0));
      if ((hash & (at < rule.normal ? rule.before : rule.after)) === 0n) return at + 1;
    }
    return chunk.length;
  };
  // The rule in big integers is slow: the first half a megabyte will do.
  for (let at = 0; at < Math.min(bytes.length, 500_000); ) {
    const window = bytes.subarray(at, at + MAX_CHUNK_BYTES);
    const length = cutLength(window, cuttingOf(bytes.length));
    t.is(length, byTheRule(window));
    at += length;
  }
}

test("the same bytes everywhere are cut into the longest chunks, one content", (t) => {
  for (const byte of [0, 0x41, 0xff]) {
    t.deepEqual(cut(new Uint8Array(200_000).fill(byte)), [65_536, 65_536, 65_536, 3_392]);
  }
});

test("bytes that are put in, taken out or changed make new chunks in their neighbourhood alone", async (t) => {
  const old = await readFile(EXAMPLE);
  const before = contents(old);
  const middle = old.length >> 1;
  const changes = {
    changed: Buffer.concat([old.subarray(0, middle), Buffer.of(1, 2, 3), old.subarray(middle + 3)]),
    inserted: Buffer.concat([old.subarray(0, middle), Buffer.alloc(1_000, 7), old.subarray(middle)]),
    removed: Buffer.concat([old.subarray(0, middle), old.subarray(middle + 777)]),
    prepended: Buffer.concat([Buffer.alloc(11), old]),
  };
  for (const [what, bytes] of Object.entries(changes)) {
    const added = [...contents(bytes)].filter((digest) => !before.has(digest)).length;
    t.true(added >= 1 && added <= 4, `${what}: ${added} of ${before.size}`);
  }
});

test("what would be too many chunks is cut into the longest from where the rest would not fit", (t) => {
  t.false(mustCutLongest(0, MAX_COMPONENT_BYTES));
  // The worst that content can do: a cut at each first possible place.
  let chunks = 0;
  for (let rest = MAX_COMPONENT_BYTES; rest > 0; chunks++) {
    rest -= mustCutLongest(chunks, rest) ? MAX_CHUNK_BYTES : 2_049;
  }
  t.is(chunks, MAX_CHUNKS);
});

test("chunks are compressed where it pays, and what is sent is what the list names", async (t) => {
  const repository = await newRepository(t);
  const component = await readFile(EXAMPLE);
  await publish(repository, { component });
  const { chunks, blobs } = await blobsOf(repository);
  const byDigest = new Map(blobs.map((blob) => [blob.sha256, blob]));
  for (const { sha256, length, offset, blob } of chunks) {
    const payload = await byDigest.get(blob.sha256)?.load();
    if (payload === undefined) return t.fail(`${blob.sha256} is missing`);
    t.true(payload.length === blob.length && blob.length <= MAX_PAYLOAD_BYTES);
    const content = blob.sha256 === sha256 ? payload : zstdDecompressSync(payload);
    t.true(content.length === length && component.subarray(offset, offset + length).equals(content));
  }
  const sent = blobs.reduce((sum, { length }) => sum + length, 0);
  t.true(sent < 0.4 * component.length, `${sent} of ${component.length}`);
});

test("chunks that nothing compresses are sent as they are, and not stored a second time", async (t) => {
  const repository = await newRepository(t);
  await publish(repository, { component: componentBytes(150_000, 1) });
  const { chunks } = await blobsOf(repository);
  t.true(chunks.every(({ sha256, blob }) => blob.sha256 === sha256));
  t.is((await stat(join(releaseFolder(repository.folder, MODULE, "1.0.0"), "component.blobs"))).size, 0);
});

test("a component whose chunk list outgrows a message is published with a list in parts", async (t) => {
  const repository = await newRepository(t);
  const component = componentBytes(40 * 1_048_576, 1);
  const { chunks } = await publish(repository, { component });
  t.true(chunks > 963);
  const list = await readFile(releaseFile(repository.folder, MODULE, "1.0.0", "component.chunks"));
  t.is(list.length, 8 + 2 * 36);
  const { blobs } = await planSync(repository);
  t.is(blobs.length, 2 + 2 + chunks);
  t.true(blobs.every(({ length }) => length <= MAX_PAYLOAD_BYTES));
  for (const blob of blobs.slice(0, 5)) t.is((await blob.load()).length, blob.length);
});

test("what a device fetches: everything, or what the version before does not hold", async (t) => {
  const repository = await newRepository(t);
  const component = componentBytes(500_000, 1);
  await publish(repository, { component });
  const first = await measureFetch(repository, MODULE, "1.0.0");
  const { blobs } = await blobsOf(repository);
  t.deepEqual(first, {
    wholeBytes: blobs.reduce((sum, { length }) => sum + length, 0),
    fromPrevious: undefined,
  });
  const changed = Buffer.from(component);
  changed[300_000] = (changed[300_000] ?? 0) ^ 1;
  await publish(repository, { component: changed, version: "1.1.0" });
  const next = await measureFetch(repository, MODULE, "1.1.0");
  const sentBefore = new Set(blobs.map(({ sha256 }) => sha256));
  const added = (await blobsOf(repository, "1.1.0")).blobs.filter(({ sha256 }) => !sentBefore.has(sha256));
  t.deepEqual(next.fromPrevious, {
    version: "1.0.0",
    bytes: added.reduce((sum, { length }) => sum + length, 0),
  });
  t.true((next.fromPrevious?.bytes ?? 0) < 0.15 * component.length);
});
