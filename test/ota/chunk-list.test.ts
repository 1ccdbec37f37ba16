import test from "ava";
import fc from "fast-check";

import { encodeChunkList, parseChunkList } from "../../ota/chunk-list.ts";
import { OtaError } from "../../ota/errors.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_PAYLOAD_BYTES } from "../../ota/limits.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const MALFORMED = { instanceOf: OtaError, code: "delivery/chunk-list-malformed" };

/** A list of two chunks, 1,000 and 24 bytes, with bytes replaced. */
function listWith(changes: Readonly<Record<number, number>>): Uint8Array {
  const bytes = encodeChunkList([
    { sha256: A, length: 1_000 },
    { sha256: B, length: 24 },
  ]);
  for (const [at, byte] of Object.entries(changes)) bytes[Number(at)] = byte;
  return bytes;
}

test("the format: magic, version, zeros, then digest and big-endian length per chunk", (t) => {
  const bytes = listWith({});
  t.is(Buffer.from(bytes.subarray(0, 8)).toString("latin1"), "SKCL\u0001\0\0\0");
  t.is(Buffer.from(bytes.subarray(8, 40)).toString("hex"), A);
  t.deepEqual([...bytes.subarray(40, 44)], [0, 0, 0x03, 0xe8]);
  t.is(bytes.byteLength, 8 + 2 * 36);
  t.deepEqual(parseChunkList(bytes, 1_024), [
    { sha256: A, length: 1_000, offset: 0 },
    { sha256: B, length: 24, offset: 1_000 },
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
  ["format version 2", listWith({ 4: 2 })],
  ["a reserved byte that is not zero", listWith({ 7: 1 })],
  ["a last entry that is cut short", listWith({}).subarray(0, 79)],
  ["a chunk of no bytes", listWith({ 42: 0, 43: 0 })],
  ["a chunk of 65,537 bytes", listWith({ 41: 1, 42: 0, 43: 1 })],
  ["a chunk of four gigabytes", listWith({ 40: 0xff, 41: 0xff })],
];

for (const [name, bytes] of REFUSED) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => parseChunkList(bytes, 1_024), MALFORMED);
  });
}

test("refuses one digest with two lengths, and takes it twice with one", (t) => {
  const twice = (second: number) =>
    encodeChunkList([
      { sha256: A, length: 10 },
      { sha256: A, length: second },
    ]);
  t.throws(() => parseChunkList(twice(11), 21), MALFORMED);
  t.is(parseChunkList(twice(10), 20).length, 2);
});

test("the lengths have to add up to the component's", (t) => {
  for (const length of [1_023, 1_025, 0]) {
    t.throws(() => parseChunkList(listWith({}), length), {
      instanceOf: OtaError,
      code: "delivery/length-mismatch",
    });
  }
});

test("the largest list fits into one payload and one chunk more is refused", (t) => {
  const chunks = (count: number) => Array(count).fill({ sha256: A, length: MAX_CHUNK_BYTES });
  const largest = encodeChunkList(chunks(MAX_CHUNKS));
  t.true(largest.byteLength <= MAX_PAYLOAD_BYTES);
  t.is(parseChunkList(largest, MAX_CHUNKS * MAX_CHUNK_BYTES).length, MAX_CHUNKS);
  t.throws(() => encodeChunkList(chunks(MAX_CHUNKS + 1)), MALFORMED);
  const longer = new Uint8Array(8 + 36 * (MAX_CHUNKS + 1));
  longer.set(largest);
  t.throws(() => parseChunkList(longer, 1), MALFORMED);
});

test("the writer refuses what the reader would", (t) => {
  for (const chunk of [
    { sha256: A.toUpperCase(), length: 1 },
    { sha256: "aa", length: 1 },
    { sha256: A, length: 0 },
    { sha256: A, length: 65_537 },
    { sha256: A, length: 1.5 },
  ]) {
    t.throws(() => encodeChunkList([chunk]), MALFORMED);
  }
  t.throws(() => encodeChunkList([]), MALFORMED);
});

test("property: what is written is read again, with the offsets added", (t) => {
  const digest = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString("hex"));
  const chunk = fc.record({ sha256: digest, length: fc.integer({ min: 1, max: MAX_CHUNK_BYTES }) });
  const lists = fc.uniqueArray(chunk, { minLength: 1, maxLength: 50, selector: ({ sha256 }) => sha256 });
  t.notThrows(() =>
    fc.assert(
      fc.property(lists, (chunks) => {
        const total = chunks.reduce((sum, { length }) => sum + length, 0);
        const parsed = parseChunkList(encodeChunkList(chunks), total);
        const last = parsed.at(-1);
        return (
          parsed.every(
            ({ sha256, length }, index) =>
              sha256 === chunks[index]?.sha256 && length === chunks[index]?.length,
          ) &&
          last !== undefined &&
          last.offset + last.length === total
        );
      }),
    ),
  );
});
