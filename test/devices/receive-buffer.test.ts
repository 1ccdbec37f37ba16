import test from "ava";
import fc from "fast-check";
import { MAX_SERIAL_BUFFER_BYTES } from "../../devices/limits.ts";
import { ReceiveBuffer } from "../../devices/receive-buffer.ts";

test("gives bytes in their order, however they came and are taken", (t) => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ minLength: 1, maxLength: 3_000 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 5_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = new ReceiveBuffer("port");
      let expected = Buffer.alloc(0);
      for (const one of steps) {
        if ("push" in one) {
          if (expected.length + one.push.length > MAX_SERIAL_BUFFER_BYTES) continue;
          buffer.push(one.push);
          expected = Buffer.concat([expected, one.push]);
        } else {
          t.deepEqual(Buffer.from(buffer.take(one.take)), expected.subarray(0, one.take));
          expected = expected.subarray(one.take);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("holds exactly its bound; one byte more drops everything and is told once", (t) => {
  const buffer = new ReceiveBuffer("serial port a");
  buffer.push(new Uint8Array(MAX_SERIAL_BUFFER_BYTES).fill(1));
  buffer.push(Uint8Array.of(2));
  buffer.push(Uint8Array.of(3, 4));
  t.throws(() => buffer.take(10), { code: "device/overrun", message: /serial port a: 16385 bytes/ });
  t.deepEqual(buffer.take(10), Uint8Array.of(3, 4));
  t.deepEqual(buffer.take(10), new Uint8Array(0));
  buffer.push(new Uint8Array(MAX_SERIAL_BUFFER_BYTES));
  t.is(buffer.take(MAX_SERIAL_BUFFER_BYTES).length, MAX_SERIAL_BUFFER_BYTES);
});

test("what was pushed is a copy: the caller may use its memory again", (t) => {
  const buffer = new ReceiveBuffer("port");
  const bytes = Uint8Array.of(1, 2, 3);
  buffer.push(bytes);
  bytes.fill(9);
  t.deepEqual(buffer.take(3), Uint8Array.of(1, 2, 3));
});

test("a wait ends with the bytes, and at once if some are there", async (t) => {
  const buffer = new ReceiveBuffer("port");
  const arrival = buffer.arrival(60_000);
  buffer.push(Uint8Array.of(7));
  await arrival;
  await buffer.arrival(60_000);
  t.deepEqual(buffer.take(10), Uint8Array.of(7));
});

test("a wait ends when its time has passed, and when it is woken", async (t) => {
  const buffer = new ReceiveBuffer("port");
  await buffer.arrival(0);
  await buffer.arrival(5);
  const arrival = buffer.arrival(60_000);
  buffer.wake();
  await arrival;
  t.is(buffer.take(1).length, 0);
});
