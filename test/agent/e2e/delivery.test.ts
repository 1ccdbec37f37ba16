/**
 * Blobs that do not arrive as signed, on the topics of a real broker: the release is refused under its code and 1.0.0 runs on; once
 * the right ones are there, it is installed.
 */
import test from "ava";
import { encodeChunkList } from "../../../ota/chunk-list.ts";
import { MAX_CHUNK_BYTES, MAX_COMPONENT_BYTES } from "../../../ota/limits.ts";
import { oldChunkList, type TestRelease } from "../../support/releases.ts";
import { type Device, SharedDevice } from "./harness.ts";
import { chunkDigests, signRelease, steady, steadyOfChunks, withChunkList } from "./releases.ts";

const shared = new SharedDevice();
test.after.always(() => shared.close());

const NOTHING = new Uint8Array(0);

/** The blob of a release's nth chunk; the last one is half as long as the others. */
function chunk(made: TestRelease, index: number): { digest: string; bytes: Uint8Array } {
  const digest = chunkDigests(made)[index] ?? "";
  return { digest, bytes: made.blobs.get(digest) ?? NOTHING };
}

const WRONG_CHUNKS: readonly {
  rule: string;
  wrong: (made: TestRelease) => readonly [string, Uint8Array][];
}[] = [
  {
    rule: "a truncated chunk",
    wrong: (made) => [[chunk(made, 1).digest, chunk(made, 1).bytes.subarray(0, 1_000)]],
  },
  {
    rule: "an oversized chunk",
    wrong: (made) => [[chunk(made, 3).digest, Buffer.concat([chunk(made, 3).bytes, chunk(made, 3).bytes])]],
  },
  {
    rule: "a corrupted chunk",
    wrong: (made) => {
      const bytes = Uint8Array.from(chunk(made, 2).bytes);
      bytes[17] = (bytes[17] ?? 0) ^ 1;
      return [[chunk(made, 2).digest, bytes]];
    },
  },
  {
    rule: "two chunks under each other's names",
    wrong: (made) => [
      [chunk(made, 0).digest, chunk(made, 1).bytes],
      [chunk(made, 1).digest, chunk(made, 0).bytes],
    ],
  },
  {
    rule: "a truncated chunk list",
    wrong: (made) => {
      const { sha256 } = made.release.chunks;
      return [[sha256, (made.blobs.get(sha256) ?? NOTHING).subarray(0, 8)]];
    },
  },
  {
    rule: "another manifest than is signed",
    wrong: (made) => [[made.release.manifest.sha256, new TextEncoder().encode('world = "reactor"')]],
  },
];

for (const [index, { rule, wrong }] of WRONG_CHUNKS.entries()) {
  test.serial(`delivery/chunk-corrupt: ${rule}; 1.0.0 runs on`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const version = `1.0.${index + 1}`;
    const made = await steadyOfChunks(4, version);
    await device.offer(made, new Map([...made.blobs, ...wrong(made)]));
    t.like(await device.event("refused", version), { code: "delivery/chunk-corrupt" });
    await device.expectServing(t, "1.0.0");
    t.like(await device.untilState("the failure", ({ failed }) => failed?.version === version), {
      phase: "fetching",
      failed: { code: "delivery/chunk-corrupt" },
    });
  });
}

test.serial("a corrupted chunk that is put right is taken at the next attempt", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const made = await steadyOfChunks(4, "1.0.9");
  await device.offer(made, new Map([...made.blobs, [chunk(made, 2).digest, chunk(made, 1).bytes]]));
  t.like(await device.event("refused", "1.0.9"), { code: "delivery/chunk-corrupt" });
  // What "skerry sync" does when it finds something else on the broker.
  await device.putBlobs(made.blobs);
  await device.event("committed", "1.0.9");
  await device.expectServing(t, "1.0.9");
});

test.serial("chunks that come in another order, and twice, are no matter", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const made = await steadyOfChunks(4, "1.1.0");
  const digests = chunkDigests(made);
  await device.offer(
    made,
    [...made.blobs].filter(([digest]) => !digests.includes(digest)),
  );
  await untilReceived(device, "1.1.0", 0);
  const backwards = digests
    .toReversed()
    .map((digest) => [digest, made.blobs.get(digest) ?? NOTHING] as const);
  await device.putBlobs(backwards.flatMap((blob) => [blob, blob]));
  await device.event("committed", "1.1.0");
  t.false(device.events.all.some(({ event, version }) => event === "refused" && version === "1.1.0"));
  await device.expectServing(t, "1.1.0");
});

test.serial(
  "delivery/timeout: a chunk that is missing; what came is kept, and only it is fetched later",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const made = await steadyOfChunks(4, "1.2.0");
    const { digest, bytes } = chunk(made, 1);
    await device.offer(made, new Map([...made.blobs, [digest, NOTHING]]));
    t.like(await device.event("refused", "1.2.0"), { code: "delivery/timeout" });
    await device.expectServing(t, "1.1.0");
    const from = device.events.count;
    await device.putBlobs([[digest, bytes]]);
    await device.event("committed", "1.2.0");
    const resumed = await device.event("progress", "1.2.0", { from });
    t.is(resumed.received, made.component.length - MAX_CHUNK_BYTES);
    await device.expectServing(t, "1.2.0");
  },
);

const entry = (bytes: Uint8Array) => ({ sha256: "ab".repeat(32), length: bytes.length });
const MALFORMED_LISTS: readonly { rule: string; make: (component: Uint8Array) => Uint8Array }[] = [
  {
    rule: "another format",
    make: (component) => withByte(encodeChunkList([entry(component)]).head, 0, 0x58),
  },
  {
    rule: "another version of the format",
    make: (component) => withByte(encodeChunkList([entry(component)]).head, 4, 3),
  },
  {
    rule: "cut inside an entry",
    make: (component) => encodeChunkList([entry(component)]).head.subarray(0, 30),
  },
  { rule: "a chunk without a byte", make: (component) => oldChunkList([{ ...entry(component), length: 0 }]) },
];

function withByte(bytes: Uint8Array, position: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[position] = value;
  return copy;
}

for (const [index, { rule, make }] of MALFORMED_LISTS.entries()) {
  test.serial(`delivery/chunk-list-malformed: ${rule}; 1.2.0 runs on`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const version = `1.3.${index}`;
    const made = await steady(version);
    await device.offer(withChunkList(made, make(made.component)));
    t.like(await device.event("refused", version), { code: "delivery/chunk-list-malformed" });
    await device.expectServing(t, "1.2.0");
  });
}

test.serial("delivery/length-mismatch: chunks that are longer together than the component", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const made = await steady("1.4.1");
  const { head: twice } = encodeChunkList([entry(made.component), entry(made.component)]);
  await device.offer(withChunkList(made, twice));
  t.like(await device.event("refused", "1.4.1"), { code: "delivery/length-mismatch" });
  await device.expectServing(t, "1.2.0");
});

test.serial(
  "delivery/hash-mismatch: chunks that are right one by one and make up another component",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const made = await steady("1.4.0");
    const signed = { ...made.release, component: { ...made.release.component, sha256: "0".repeat(64) } };
    await device.offer({ ...made, release: signed });
    t.like(await device.event("refused", "1.4.0"), { code: "delivery/hash-mismatch" });
    await device.expectServing(t, "1.2.0");
  },
);

test.serial("trust/endless-data-attack: a component over 64 MiB is not begun with", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const made = await steady("1.5.0");
  const signed = {
    ...made.release,
    component: { ...made.release.component, length: MAX_COMPONENT_BYTES + 1 },
  };
  await device.offer({ ...made, release: signed });
  t.like(await device.event("refused", "1.5.0"), { code: "trust/endless-data-attack" });
  await device.expectServing(t, "1.2.0");
});

test.serial(
  "another release that is asked for meanwhile takes the place of one that does not come",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    await signRelease(device.rig, await steady("1.6.0"));
    await device.rig.sync({ withBlobs: false });
    await device.event("fetching", "1.6.0");
    await device.expectServing(t, "1.2.0");
    await device.install(await steady("1.7.0"));
    await device.expectServing(t, "1.7.0");
  },
);

/** The download of a version stands at this many bytes of the component. */
async function untilReceived(device: Device, version: string, bytes: number): Promise<void> {
  await device.events.until(
    `${bytes} bytes of ${version}`,
    (each) => each.event === "progress" && each.version === version && each.received === bytes,
  );
}
