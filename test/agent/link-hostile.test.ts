/** Brokers that are old, or send what they should not. */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";
import test, { type ExecutionContext } from "ava";
import { MAX_PACKET_BYTES } from "../../agent/limits.ts";
import {
  Arrivals,
  brokerAt,
  COMMAND,
  isConnected,
  makeLink,
  makeOperator,
  OWN,
  PREFIX,
} from "./link-support.ts";

/** A server on a free port. `hangUp` closes its connections: a broker that acknowledges nothing would keep the link's stop waiting. */
async function listen(
  t: ExecutionContext,
  onSocket: (socket: Socket) => void,
): Promise<{ port: number; hangUp(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.teardown(hangUp);
  return { port: (server.address() as AddressInfo).port, hangUp };
}

/** A broker that speaks MQTT 3.1.1 only. */
async function startAedes(t: ExecutionContext): Promise<{ url: string; port: number }> {
  const aedes = await Aedes.createBroker();
  t.teardown(() => new Promise<void>((resolve) => aedes.close(() => resolve())));
  const { port } = await listen(t, aedes.handle);
  return { url: `mqtt://127.0.0.1:${port}`, port };
}

/** Protocol version of a CONNECT packet: after "MQTT" with its length (MQTT 5 §3.1.2.2). */
function protocolVersionOf(connect: Buffer): number | undefined {
  return connect[connect.indexOf("MQTT") + "MQTT".length];
}

const CONNACK_3_1_1 = Buffer.of(0x20, 2, 0, 0);
const CONNACK_5 = Buffer.of(0x20, 3, 0, 0, 0);

test("a broker without MQTT 5 is spoken to in 3.1.1", async (t) => {
  const broker = await startAedes(t);
  const { client, seen } = await makeOperator(t, broker.url, [`${OWN}event`]);
  const { link, states } = makeLink(t, brokerAt(broker.port));
  const commands = new Arrivals<string>();
  link.subscribeCommands(({ payload }) => commands.add(payload.toString()));
  link.start();
  t.like(await states.next(), { kind: "connected", protocolVersion: 4 });
  link.publish("event", `${OWN}event`, "1", Buffer.from("correlation data that 3.1.1 does not have"));
  t.is((await seen.next()).text, "1");
  await client.publishAsync(COMMAND, "ping", { qos: 1 });
  t.is(await commands.next(), "ping");
});

test("a broker that closes on MQTT 5 without a word is spoken to in 3.1.1", async (t) => {
  const { port, hangUp } = await listen(t, (socket) => {
    socket.once("data", (connect) => {
      if (protocolVersionOf(connect) === 4) socket.write(CONNACK_3_1_1);
      else socket.destroy();
    });
  });
  const { link, states } = makeLink(t, brokerAt(port));
  link.start();
  t.like(await states.next(), { kind: "connected", protocolVersion: 4 });
  hangUp();
});

test("in 3.1.1 too a session is resumed", async (t) => {
  const broker = await startAedes(t);
  const { client } = await makeOperator(t, broker.url, []);
  const first = makeLink(t, brokerAt(broker.port));
  first.link.subscribeCommands(() => undefined);
  first.link.start();
  await first.states.next(isConnected);
  await first.link.stop();
  await client.publishAsync(COMMAND, "while away", { qos: 1 });

  const second = makeLink(t, brokerAt(broker.port));
  const commands = new Arrivals<string>();
  second.link.subscribeCommands(({ payload }) => commands.add(payload.toString()));
  second.link.start();
  t.like(await second.states.next(isConnected), { sessionPresent: true });
  t.is(await commands.next(), "while away");
});

test("an oversized retained message is not read, its subscription left out, and the rest of the link lives on", async (t) => {
  const broker = await startAedes(t);
  const { client } = await makeOperator(t, broker.url, []);
  const poisoned = `${PREFIX}image/targets`;
  await client.publishAsync(poisoned, Buffer.alloc(4 * 1_048_576), { qos: 1, retain: true });
  await client.publishAsync(`${PREFIX}director/targets`, "good", { qos: 1, retain: true });

  const { link, states } = makeLink(t, brokerAt(broker.port));
  const metadata = new Arrivals<string>();
  const commands = new Arrivals<string>();
  link.subscribeMetadata((repository, file, payload) => {
    t.true(payload.length < MAX_PACKET_BYTES);
    metadata.add(`${repository} ${file}`);
  });
  link.subscribeCommands(({ payload }) => commands.add(payload.toString()));
  link.start();
  await states.next(isConnected);
  const broken = await states.next();
  t.like(broken, { kind: "disconnected", reason: { code: "link/oversized-packet" } });
  t.true(broken.kind === "disconnected" && broken.reason.message.includes(poisoned));

  // The broker held the message for the old session too: it is gone with it.
  t.like(await states.next(), { kind: "connected", sessionPresent: false });
  t.is(await metadata.next((file) => file.startsWith("director")), "director targets");
  await client.publishAsync(COMMAND, "ping", { qos: 1 });
  t.is(await commands.next(), "ping");
});

test("a packet that announces 256 MiB ends the connection before it is sent", async (t) => {
  const { port } = await listen(t, (socket) => {
    socket.once("data", () => {
      socket.write(CONNACK_5);
      socket.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61));
    });
  });
  const { link, states } = makeLink(t, brokerAt(port));
  link.start();
  const { reason } = (await states.next((state) => state.kind === "disconnected")) as { reason: Error };
  t.like(reason, { code: "link/oversized-packet" });
  t.regex(reason.message, /268435460 bytes/);
});

test("bytes that are no MQTT end the connection with a typed error, and the link tries again", async (t) => {
  let connections = 0;
  const { port } = await listen(t, (socket) => {
    connections += 1;
    socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const { link, states } = makeLink(t, brokerAt(port));
  link.start();
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/protocol-error" } });
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/protocol-error" } });
  t.true(connections >= 4, "both versions, twice");
});

test("a message on a topic that means nothing here is not handed to anybody", async (t) => {
  const publish = (topic: string): Buffer =>
    Buffer.concat([Buffer.of(0x30, topic.length + 3, 0, topic.length), Buffer.from(topic), Buffer.of(0)]);
  const { port, hangUp } = await listen(t, (socket) => {
    socket.once("data", () => {
      socket.write(CONNACK_5);
      socket.write(publish("elsewhere"));
      socket.write(publish(`${PREFIX}device/pi-02/command`));
      socket.write(publish(COMMAND));
    });
  });
  const { link, states } = makeLink(t, brokerAt(port));
  const commands = new Arrivals<string>();
  link.subscribeCommands(() => commands.add("one"));
  link.subscribeMetadata(() => t.fail());
  link.start();
  await states.next(isConnected);
  t.is(await commands.next(), "one");
  hangUp();
});
