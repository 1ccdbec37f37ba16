import test from "ava";
import fc from "fast-check";
import { PacketGuard } from "../../agent/packet-guard.ts";

const MAX_BYTES = 1_000;

/** MQTT 3.1.1 §3.3: retained, QoS 1, packet identifier 7. */
function publish(topic: string, payloadBytes: number): Buffer {
  const topicBytes = Buffer.from(topic);
  const body = Buffer.concat([
    Buffer.of(topicBytes.length >> 8, topicBytes.length & 0xff),
    topicBytes,
    Buffer.of(0, 7),
    Buffer.alloc(payloadBytes),
  ]);
  return Buffer.concat([Buffer.of(0x33), ...remainingLength(body.length), body]);
}

function* remainingLength(value: number): Generator<Buffer> {
  for (let rest = value; ; rest >>= 7) {
    yield Buffer.of((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) return;
  }
}

/** A publish packet of exactly that many bytes. */
function publishOfSize(topic: string, sizeBytes: number): Buffer {
  const overhead = publish(topic, 500).length - 500;
  return publish(topic, sizeBytes - overhead);
}

test("packets up to the bound pass, whole or in pieces", (t) => {
  const stream = Buffer.concat([
    Buffer.from([0x20, 2, 0, 0]),
    publishOfSize("a/b", MAX_BYTES),
    Buffer.from([0xd0, 0]),
    publish("c", 0),
  ]);
  t.is(new PacketGuard(MAX_BYTES).inspect(stream), undefined);
  const guard = new PacketGuard(MAX_BYTES);
  for (const byte of stream) t.is(guard.inspect(Buffer.of(byte)), undefined);
});

test("a packet one byte over the bound is reported from its header, with its topic", (t) => {
  const packet = publishOfSize("image/targets", MAX_BYTES + 1);
  const guard = new PacketGuard(MAX_BYTES);
  t.deepEqual(guard.inspect(packet.subarray(0, 20)), { sizeBytes: MAX_BYTES + 1, topic: "image/targets" });
});

test("an oversized packet is found behind others, however the bytes are cut", (t) => {
  const before = publish("a", 300);
  const oversized = publish("poison/topic", 5_000);
  const stream = Buffer.concat([before, before, oversized]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: stream.length }), { maxLength: 30 }), (cuts) => {
      const guard = new PacketGuard(MAX_BYTES);
      const ends = [...new Set([...cuts, stream.length])].sort((a, b) => a - b);
      const found = ends.map((end, index) => guard.inspect(stream.subarray(ends[index - 1] ?? 0, end)));
      const reported = found.filter((each) => each !== undefined);
      return (
        reported.length === 1 &&
        reported[0]?.topic === "poison/topic" &&
        reported[0].sizeBytes === oversized.length
      );
    }),
  );
  t.pass();
});

test("an oversized packet that is no PUBLISH has no topic", (t) => {
  t.deepEqual(new PacketGuard(MAX_BYTES).inspect(Buffer.of(0x90, 0xff, 0xff, 0xff, 0x7f, 0, 3)), {
    sizeBytes: 268_435_460,
    topic: undefined,
  });
});

test("a topic over its own bound is not collected", (t) => {
  const guard = new PacketGuard(MAX_BYTES);
  t.deepEqual(guard.inspect(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0x61)), {
    sizeBytes: 268_435_460,
    topic: undefined,
  });
});

test("a length of five bytes is left to the parser, which refuses it", (t) => {
  const guard = new PacketGuard(MAX_BYTES);
  t.is(guard.inspect(Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x7f)), undefined);
});
