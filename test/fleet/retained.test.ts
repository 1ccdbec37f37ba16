/** Reading retained messages from a broker that is slow, on a real Mosquitto behind a line that holds messages back. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import test, { type ExecutionContext } from "ava";
import { connectBroker } from "../../fleet/broker.ts";
import { readRetained } from "../../fleet/retained.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";

/** Types of MQTT control packets (MQTT 5.0 §2.1.2). */
const PUBLISH = 3;
const PINGREQ = 12;

interface Packet {
  readonly type: number;
  readonly bytes: Buffer;
}

/** The whole packets at the start of what came, and the rest (MQTT 5.0 §1.5.5, variable byte integer). */
function splitPackets(bytes: Buffer): { readonly packets: readonly Packet[]; readonly rest: Buffer } {
  const packets: Packet[] = [];
  for (let rest = bytes; ; ) {
    const digits = rest.subarray(1, 5).findIndex((byte) => byte < 128) + 1;
    const length = rest.subarray(1, 1 + digits).reduce((sum, byte, at) => sum + (byte & 127) * 128 ** at, 0);
    const end = 1 + digits + length;
    if (digits === 0 || rest.length < end) return { packets, rest };
    packets.push({ type: rest.readUInt8(0) >> 4, bytes: rest.subarray(0, end) });
    rest = rest.subarray(end);
  }
}

/**
 * The port of a line that holds the broker's messages back until the client pings, which it does after any while: as a broker does, or this process,
 * that gets no processor time.
 */
async function startStalledLine(t: ExecutionContext, brokerPort: number): Promise<number> {
  const server = createServer((near) => {
    const far = connect(brokerPort, "127.0.0.1");
    let sent: Buffer = Buffer.from("");
    let received: Buffer = Buffer.from("");
    let held: Buffer = Buffer.from("");
    let isStalled = true;
    near.on("data", (data: Buffer) => {
      const { packets, rest } = splitPackets(Buffer.concat([sent, data]));
      sent = rest;
      far.write(data);
      if (!packets.some(({ type }) => type === PINGREQ)) return;
      isStalled = false;
      near.write(held);
      held = Buffer.from("");
    });
    far.on("data", (data: Buffer) => {
      const { packets, rest } = splitPackets(Buffer.concat([received, data]));
      received = rest;
      for (const { type, bytes } of packets) {
        if (isStalled && type === PUBLISH) held = Buffer.concat([held, bytes]);
        else near.write(bytes);
      }
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on("error", () => undefined);
      socket.on("close", () => other.destroy());
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

for (const marker of ["demo/1", undefined]) {
  const how = marker === undefined ? "without a marker" : "with a marker";
  test(`what a slow broker holds is read, however long it is silent: ${how}`, async (t) => {
    if (!requireTool(t, "mosquitto")) return;
    const broker = await startMosquitto();
    t.teardown(broker.dispose);
    const writer = await connectBroker({ url: broker.url });
    // More than the 20 that Mosquitto has under way to one client.
    const topics = Array.from({ length: 50 }, (_each, index) => `demo/${index}`);
    for (const topic of topics) await writer.publishRetained(topic, Buffer.from(topic));
    await writer.end();

    const url = `mqtt://127.0.0.1:${await startStalledLine(t, broker.port)}`;
    const reader = await connectBroker({ url });
    const read = new Set<string>();
    await readRetained(reader, { filters: topics.filter((topic) => topic !== marker), marker }, (topic) =>
      read.add(topic),
    );
    await reader.end();
    t.is(read.size, topics.length - (marker === undefined ? 0 : 1));
  });
}

test("what is published meanwhile puts the end of reading off no further, and is passed over", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const url = broker.url;
  const [reader, writer] = [await connectBroker({ url }), await connectBroker({ url })];
  await writer.publishRetained("demo/marker", Buffer.from("retained"));
  await writer.publishRetained("demo/one", Buffer.from("retained"));
  let isRead = false;
  // The marker too: its topic is written anew by each `skerry sync`.
  const busy = (async () => {
    const request = { responseTopic: "demo/reply", correlationData: Buffer.from("1") };
    for (let round = 0; !isRead; round++) {
      await writer.send(round % 2 === 0 ? "demo/two" : "demo/marker", Buffer.from("live"), request);
    }
  })();
  const read: string[] = [];
  await readRetained(reader, { filters: ["demo/#"], marker: "demo/marker" }, (topic, payload) =>
    read.push(`${topic} ${Buffer.from(payload)}`),
  ).finally(() => {
    isRead = true;
  });
  await busy;
  await Promise.all([reader.end(), writer.end()]);
  t.deepEqual(read, ["demo/one retained"]);
});
