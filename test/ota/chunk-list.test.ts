import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";

import {
  type ChunkEntry,
  chunkListParts,
  encodeChunkList,
  MAX_CHUNK_LIST_BYTES,
  parseChunkList,
} from "../../ota/chunk-list.ts";
import { OtaError } from "../../ota/errors.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_PAYLOAD_BYTES } from "../../ota/limits.ts";
import { oldChunkList } from "../support/releases.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const C = "cc".repeat(32);
const MALFORMED = { instanceOf: OtaError, code: "delivery/chunk-list-malformed" };
const ENTRY_BYTES = 68;
const HEADER_BYTES = 8;

/** A list of two chunks, 1,000 bytes that go as 300 and 24 as they are, with bytes replaced. */
function listWith(changes: Readonly<Record<number, number>>): Uint8Array {
  const bytes = encodeChunkList([
    { sha256: A, length: 1_000, blob: { sha256: C, length: 300 } },
    { sha256: B, length: 24 },
  ]).head;
  for (const [at, byte] of Object.entries(changes)) bytes[Number(at)] = byte;
  return bytes;
}

/** Chunks with digests of their own. */
function chunks(count: number, length = MAX_CHUNK_BYTES): ChunkEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    sha256: createHash("sha256").update(String(index)).digest("hex"),
    length,
  }));
}

/** As it lies in a file. */
function fileOf({ head, parts }: ReturnType<typeof encodeChunkList>): Buffer {
  return Buffer.concat([head, ...parts]);
}

test("format 2: magic, version, zero, parts, then digests of content and blob and both lengths less one", (t) => {
  const bytes = listWith({});
  t.is(Buffer.from(bytes.subarray(0, 8)).toString("latin1"), "SKCL\u0002\0\0\0");
  t.is(Buffer.from(bytes.subarray(8, 40)).toString("hex"), A);
  t.is(Buffer.from(bytes.subarray(40, 72)).toString("hex"), C);
  t.deepEqual([...bytes.subarray(72, 76)], [0x03, 0xe7, 0x01, 0x2b]);
  t.is(Buffer.from(bytes.subarray(76, 140)).toString("hex"), B + B);
  t.is(bytes.byteLength, HEADER_BYTES + 2 * ENTRY_BYTES);
  t.deepEqual(chunkListParts(bytes), []);
  t.deepEqual(parseChunkList(bytes, 1_024), [
    { sha256: A, length: 1_000, blob: { sha256: C, length: 300 }, offset: 0 },
    { sha256: B, length: 24, blob: { sha256: B, length: 24 }, offset: 1_000 },
  ]);
});

test("format 1 is read: each chunk is its own blob", (t) => {
  const list = oldChunkList([
    { sha256: A, length: 1_000 },
    { sha256: B, length: 65_536 },
  ]);
  t.deepEqual(chunkListParts(list), []);
  t.deepEqual(parseChunkList(list, 66_536), [
    { sha256: A, length: 1_000, blob: { sha256: A, length: 1_000 }, offset: 0 },
    { sha256: B, length: 65_536, blob: { sha256: B, length: 65_536 }, offset: 1_000 },
  ]);
});

test("a list that lies inside a larger buffer is read at its own place", (t) => {
  const bytes = listWith({});
  const buffer = new Uint8Array(bytes.byteLength + 16);
  buffer.set(bytes, 9);
  t.is(parseChunkList(buffer.subarray(9, 9 + bytes.byteLength), 1_024).length, 2);
});

const REFUSED: readonly (readonly [string, Uint8Array])[] = [
  ["no bytes at all", new Uint8Array()],
  ["a header that is cut short", listWith({}).subarray(0, 7)],
  ["a header alone", listWith({}).subarray(0, 8)],
  ["another magic", listWith({ 0: 0x54 })],
  ["format version 0", listWith({ 4: 0 })],
  ["format version 3", listWith({ 4: 3 })],
  ["a reserved byte that is not zero", listWith({ 5: 1 })],
  ["a last entry that is cut short", listWith({}).subarray(0, HEADER_BYTES + 2 * ENTRY_BYTES - 1)],
  ["a chunk that is its own blob with another length", listWith({ 143: 24 })],
  ["parts whose names are cut short", listWith({ 7: 9 })],
  ["more parts than there can be", listWith({ 6: 1 })],
  ["in format 1, a chunk of no bytes", oldChunkList([{ sha256: A, length: 0 }])],
  ["in format 1, a chunk of 65,537 bytes", oldChunkList([{ sha256: A, length: 65_537 }])],
  ["in format 1, a chunk of four gigabytes", oldChunkList([{ sha256: A, length: 0xffffffff }])],
  [
    "in format 1, a reserved byte that is not zero",
    withByte(oldChunkList([{ sha256: A, length: 1_024 }]), 7, 1),
  ],
];

function withByte(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = byte;
  return copy;
}

for (const [name, bytes] of REFUSED) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => parseChunkList(bytes, 1_024), MALFORMED);
  });
}

const CONTRADICTIONS: readonly (readonly [string, ChunkEntry])[] = [
  ["another length", { sha256: A, length: 11, blob: { sha256: C, length: 5 } }],
  ["another blob", { sha256: A, length: 10, blob: { sha256: B, length: 5 } }],
  ["a blob of another length", { sha256: A, length: 10, blob: { sha256: C, length: 6 } }],
];

for (const [what, second] of CONTRADICTIONS) {
  test(`refuses one content with ${what} the second time`, (t) => {
    const first = { sha256: A, length: 10, blob: { sha256: C, length: 5 } };
    t.throws(() => parseChunkList(encodeChunkList([first, second]).head, 10 + second.length), MALFORMED);
    t.is(parseChunkList(encodeChunkList([first, first]).head, 20).length, 2);
  });
}

test("refuses one blob for two contents", (t) => {
  const two = [A, B].map((sha256) => ({ sha256, length: 10, blob: { sha256: C, length: 5 } }));
  t.throws(() => parseChunkList(encodeChunkList(two).head, 20), MALFORMED);
});

test("the lengths have to add up to the component's", (t) => {
  for (const length of [1_023, 1_025, 0]) {
    t.throws(() => parseChunkList(listWith({}), length), {
      instanceOf: OtaError,
      code: "delivery/length-mismatch",
    });
  }
});

test("what one message holds is one message; one chunk more, and the head names parts", (t) => {
  const fitting = encodeChunkList(chunks(963));
  t.is(fitting.parts.length, 0);
  t.true(fitting.head.byteLength <= MAX_PAYLOAD_BYTES);
  const { head, parts } = encodeChunkList(chunks(964));
  t.deepEqual(
    parts.map((part) => part.byteLength / ENTRY_BYTES),
    [963, 1],
  );
  t.is(head.byteLength, HEADER_BYTES + 2 * 36);
  t.deepEqual(
    chunkListParts(head),
    parts.map((part) => ({
      sha256: createHash("sha256").update(part).digest("hex"),
      length: part.byteLength,
    })),
  );
  t.is(parseChunkList(fileOf({ head, parts }), 964 * MAX_CHUNK_BYTES).length, 964);
});

test("the largest list goes in messages of at most 65,536 bytes, and one chunk more is refused", (t) => {
  const largest = encodeChunkList(chunks(MAX_CHUNKS));
  for (const message of [largest.head, ...largest.parts]) t.true(message.byteLength <= MAX_PAYLOAD_BYTES);
  t.is(fileOf(largest).byteLength, MAX_CHUNK_LIST_BYTES);
  t.is(parseChunkList(fileOf(largest), MAX_CHUNKS * MAX_CHUNK_BYTES).length, MAX_CHUNKS);
  t.throws(() => encodeChunkList(chunks(MAX_CHUNKS + 1)), MALFORMED);
});

const SPOILED: Readonly<Record<string, (file: Buffer) => Uint8Array>> = {
  "a part that is missing": (file) => file.subarray(0, -ENTRY_BYTES),
  "all parts missing": (file) => file.subarray(0, HEADER_BYTES + 2 * 36),
  "a byte in a part that is another one": (file) => withByte(file, 5_000, (file[5_000] ?? 0) ^ 1),
  "something behind the last part": (file) => Buffer.concat([file, Buffer.alloc(ENTRY_BYTES)]),
};

for (const [what, spoil] of Object.entries(SPOILED)) {
  test(`refuses a list in parts with ${what}`, (t) => {
    const file = fileOf(encodeChunkList(chunks(1_000, 100)));
    t.is(parseChunkList(file, 100_000).length, 1_000);
    t.throws(() => parseChunkList(spoil(file), 100_000), MALFORMED);
  });
}

test("refuses a part that is no number of entries, before anything of it is fetched", (t) => {
  const { head } = encodeChunkList(chunks(1_000, 100));
  for (const length of [0, 67, 69, 964 * ENTRY_BYTES, 0xffffffff]) {
    const changed = Buffer.from(head);
    changed.writeUInt32BE(length, HEADER_BYTES + 32);
    t.throws(() => chunkListParts(changed), MALFORMED);
  }
});

test("the writer refuses what the reader would", (t) => {
  for (const chunk of [
    { sha256: A.toUpperCase(), length: 1 },
    { sha256: "aa", length: 1 },
    { sha256: A, length: 0 },
    { sha256: A, length: 65_537 },
    { sha256: A, length: 1.5 },
    { sha256: A, length: 1, blob: { sha256: B, length: 0 } },
    { sha256: A, length: 1, blob: { sha256: "b", length: 1 } },
  ]) {
    t.throws(() => encodeChunkList([chunk]), MALFORMED);
  }
  t.throws(() => encodeChunkList([]), MALFORMED);
});

test("property: what is written is read again, with the offsets added", (t) => {
  const digest = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString("hex"));
  const length = fc.integer({ min: 1, max: MAX_CHUNK_BYTES });
  const chunk = fc.record({ sha256: digest, length, blob: fc.record({ sha256: digest, length }) });
  const lists = fc.uniqueArray(chunk, { minLength: 1, maxLength: 50, selector: ({ sha256 }) => sha256 });
  t.notThrows(() =>
    fc.assert(
      fc.property(lists, (written) => {
        const total = written.reduce((sum, { length }) => sum + length, 0);
        const read = parseChunkList(encodeChunkList(written).head, total);
        let offset = 0;
        for (const [index, { offset: at, ...entry }] of read.entries()) {
          if (at !== offset || JSON.stringify(entry) !== JSON.stringify(written[index])) return false;
          offset += entry.length;
        }
        return read.length === written.length && offset === total;
      }),
    ),
  );
});
