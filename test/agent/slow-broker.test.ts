/** A real broker behind a line that drips: the link sees that a message has begun, and the download names what keeps it from ending. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { fetchRelease } from "../../ota/delivery.ts";
import { OtaError } from "../../ota/errors.ts";
import { DELIVERY_IDLE_TIMEOUT_MS } from "../../ota/limits.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { openStore } from "../../ota/store.ts";
import { temporaryFolder } from "../support/folders.ts";
import { HeldClock } from "../support/held-clock.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { makeRelease } from "../support/releases.ts";
import { requireTool } from "../support/tools.ts";
import { brokerAt, isConnected, makeLink, makeOperator, PREFIX } from "./link-support.ts";

/** An answer to SUBSCRIBE or UNSUBSCRIBE: it may be on its way when the line clogs, and the device asks for nothing more before it is there. */
const MAX_ANSWER_BYTES = 64;

interface DrippingLine {
  readonly port: number;
  /** From the next message on one more byte at a time reaches the device, each when it is asked for. */
  clog(): void;
  /** Lets `count` bytes through. */
  drip(count: number): Promise<void>;
  /** Everything passes again. */
  open(): void;
}

async function startDrippingLine(t: ExecutionContext, targetPort: number): Promise<DrippingLine> {
  let held: Buffer | undefined;
  let device: Socket | undefined;
  let arrived = Promise.withResolvers<void>();
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    device = near;
    near.pipe(far);
    far.on("data", (chunk: Buffer) => {
      const isAnswer = held?.length === 0 && chunk.length <= MAX_ANSWER_BYTES;
      if (held === undefined || isAnswer) near.write(chunk);
      else held = Buffer.concat([held, chunk]);
      arrived.resolve();
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on("error", () => undefined);
      socket.on("close", () => other.destroy());
    }
    t.teardown(() => near.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    clog() {
      held ??= Buffer.alloc(0);
    },
    async drip(count) {
      while (held !== undefined && held.length < count) {
        arrived = Promise.withResolvers();
        await arrived.promise;
      }
      device?.write(held?.subarray(0, count) ?? Buffer.alloc(0));
      held = held?.subarray(count);
    },
    open() {
      device?.write(held ?? Buffer.alloc(0));
      held = undefined;
    },
  };
}

test("a broker that drips is told apart from one that is silent, and the next attempt gets what is missing", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const made = makeRelease("1.0.0", { component: randomBytes(300_000), chunkBytes: 50_000 });
  const { client } = await makeOperator(t, broker.url, []);
  for (const [digest, payload] of made.blobs) {
    await client.publishAsync(`${PREFIX}blob/${digest}`, Buffer.from(payload), { qos: 1, retain: true });
  }
  const line = await startDrippingLine(t, broker.port);
  const { link, states } = makeLink(t, brokerAt(line.port));
  link.start();
  await states.next(isConnected);
  const clock = new HeldClock();
  const store = await openStore(createNodeDisk(), await temporaryFolder(t));
  const progress: number[] = [];
  const clogged = Promise.withResolvers<void>();
  const fetch = (): Promise<void> =>
    fetchRelease(made.release, {
      store,
      source: link.blobs,
      clock,
      signal: new AbortController().signal,
      onProgress: ({ received }) => {
        progress.push(received);
        if (progress.length > 1) return;
        // The lists are there: the line is clogged before the first chunk.
        line.clog();
        clogged.resolve();
      },
    });
  const slow = fetch();
  const outcome = t.throwsAsync(slow, { instanceOf: OtaError, code: "delivery/slow-retrieval" });
  await clogged.promise;
  await line.drip(2_000);
  while (link.blobs.isReceiving?.() !== true) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(DELIVERY_IDLE_TIMEOUT_MS);
  const error = await outcome;
  t.regex(error?.message ?? "", /slow retrieval, no message came to its end in 30000 ms/);
  line.open();
  await fetch();
  t.is(progress.at(-1), 300_000);
  t.true(await store.hasVersion(made.release));
});
