/** The agent's side of a module's network, faced with a worker that keeps to no rules. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import {
  MAX_DATAGRAM_BYTES,
  MAX_HEARD_SENDERS,
  MAX_HTTP_REQUESTS,
  MAX_LOOKUPS,
  MAX_NETWORK_PIECE_BYTES,
  MAX_OPEN_SOCKETS,
  MAX_PENDING_CONNECTIONS,
  MAX_QUEUED_DATAGRAMS,
  MAX_SOCKET_BUFFER_BYTES,
} from "../../../sandbox/limits.ts";
import type { Answer } from "../../../sandbox/network/handle.ts";
import { encodeHeaders, type HeaderField } from "../../../sandbox/network/header-block.ts";
import { NetworkCalls } from "../../../sandbox/network/network-calls.ts";
import { MalformedCall, parseNetworkCall } from "../../../sandbox/network/parse-network-call.ts";
import type { HttpRequestHead, NetworkCall, NetworkReply } from "../../../sandbox/network/protocol.ts";
import { grantsOf, tcpServer, udpEcho } from "../../support/network.ts";

const LOOPBACK = ["127.0.0.1:*", "127.0.0.1:*/udp"];
const WAIT_MS = 60_000;

function networkOf(t: ExecutionContext, connecting = LOOPBACK, listening: readonly string[] = []) {
  const refused: string[] = [];
  const calls = new NetworkCalls(grantsOf(connecting, listening), (what) => refused.push(what));
  t.teardown(() => calls.close());
  const ask = (call: NetworkCall, payload: Uint8Array = new Uint8Array(0)): Promise<Answer> =>
    calls.answer(call, payload);
  const head = async (call: NetworkCall, payload?: Uint8Array): Promise<NetworkReply> =>
    (await ask(call, payload)).head;
  const create = async (protocol: "tcp" | "udp"): Promise<number> => {
    const answer = await head({ op: "create", protocol, family: "ipv4" });
    return answer.tag === "opened" ? answer.id : t.fail(JSON.stringify(answer)) ? 0 : -1;
  };
  const until = async (id: number, interest: "read" | "write" | "done"): Promise<void> => {
    const answer = await head({ op: "wait", for: [{ id, interest }], timeoutMs: WAIT_MS });
    t.deepEqual(answer, { tag: "ready", ready: [true] }, `handle ${id} never became ready for "${interest}"`);
  };
  const connected = async (port: number): Promise<number> => {
    const id = await create("tcp");
    t.deepEqual(await head({ op: "connect", id, endpoint: at(port) }), { tag: "done" });
    await until(id, "done");
    t.like(await head({ op: "finish-connect", id }), { tag: "connected", remote: at(port) });
    return id;
  };
  return { calls, ask, head, create, until, connected, refused };
}

function at(port: number) {
  return { address: "127.0.0.1", port };
}

function error(code: string) {
  return { tag: "error", code };
}

function requestTo(port: number, parts: Partial<HttpRequestHead> = {}): NetworkCall & { op: "request" } {
  const timeouts = { connectTimeoutMs: WAIT_MS, firstByteTimeoutMs: WAIT_MS, betweenBytesTimeoutMs: WAIT_MS };
  const target = { scheme: "http", authority: `127.0.0.1:${port}`, pathWithQuery: "/" } as const;
  return { op: "request", head: { method: "GET", hasBody: false, ...target, ...timeouts, ...parts } };
}

function headers(...fields: readonly (readonly [string, string])[]): Uint8Array {
  return encodeHeaders(fields.map(([name, value]): HeaderField => [name, Buffer.from(value, "latin1")]));
}

/** An HTTP server that does what `serve` does with each connection's first request. */
async function silentServer(
  t: ExecutionContext,
  serve: (socket: Socket) => void = () => {},
): Promise<number> {
  const { port } = await tcpServer(t, (socket) => socket.once("data", () => serve(socket)).resume());
  return port;
}

test("sockets, lookups and requests are limited together", async (t) => {
  const { head } = networkOf(t, [...LOOPBACK, "localhost:1"]);
  for (let count = 0; count < MAX_OPEN_SOCKETS; count += 1) {
    const call: NetworkCall =
      count % 2 === 0
        ? { op: "create", protocol: "udp", family: "ipv6" }
        : { op: "resolve", name: "127.0.0.1" };
    t.like(await head(call), { tag: "opened" });
  }
  t.deepEqual(await head({ op: "create", protocol: "tcp", family: "ipv4" }), error("new-socket-limit"));
  t.deepEqual(await head({ op: "resolve", name: "localhost" }), error("new-socket-limit"));
  t.deepEqual(await head(requestTo(1)), { tag: "http-error", code: "connection-limit-reached" });
  t.deepEqual(await head({ op: "close", id: 1 }), { tag: "done" });
  t.like(await head({ op: "create", protocol: "tcp", family: "ipv4" }), { tag: "opened" });
});

test("requests in flight are limited", async (t) => {
  const port = await silentServer(t);
  const { head } = networkOf(t);
  for (let count = 0; count < MAX_HTTP_REQUESTS; count += 1)
    t.like(await head(requestTo(port)), { tag: "opened" });
  t.deepEqual(await head(requestTo(port)), { tag: "http-error", code: "connection-limit-reached" });
});

test("lookups under way are limited", async (t) => {
  const { head, until } = networkOf(t, ["localhost:1"]);
  const answers: NetworkReply[] = [];
  await Promise.all(
    Array.from({ length: MAX_LOOKUPS + 1 }, () => head({ op: "resolve", name: "localhost" })),
  );
  for (let id = 1; id <= MAX_LOOKUPS + 1; id += 1) {
    await until(id, "done");
    answers.push(await head({ op: "resolved", id }));
  }
  t.deepEqual(answers.at(-1), error("temporary-resolver-failure"));
  t.like(answers[0], { tag: "addresses" });
});

test("a call of what is not open, or of another kind, is refused", async (t) => {
  const { head, create } = networkOf(t);
  const udp = await create("udp");
  const tcp = await create("tcp");
  for (const call of [
    { op: "read", id: 77, maxBytes: 1 },
    { op: "read", id: udp, maxBytes: 1 },
    { op: "read", id: tcp, maxBytes: 1 },
    { op: "response", id: tcp, offset: 0 },
    { op: "accept", id: tcp },
    { op: "listen", id: tcp, backlog: 1 },
    { op: "receive", id: tcp, offset: 0 },
    { op: "send", id: udp, remote: at(1) },
    { op: "finish-connect", id: tcp },
  ] satisfies NetworkCall[]) {
    t.deepEqual(await head(call), error("invalid-state"), call.op);
  }
});

test("no more is taken than was permitted, and nothing more while that is on its way", async (t) => {
  const { port } = await tcpServer(t, (socket) => socket.pause());
  const { head, connected } = networkOf(t);
  const id = await connected(port);
  t.deepEqual(await head({ op: "check-write", id }), { tag: "permit", bytes: MAX_SOCKET_BUFFER_BYTES });
  const tooMuch = new Uint8Array(MAX_SOCKET_BUFFER_BYTES + 1);
  t.deepEqual(await head({ op: "write", id }, tooMuch), error("invalid-argument"));
  let answer = await head({ op: "write", id }, tooMuch.subarray(1));
  while (answer.tag === "done") {
    answer = await head({ op: "check-write", id });
    if (answer.tag === "permit" && answer.bytes > 0)
      answer = await head({ op: "write", id }, tooMuch.subarray(1));
  }
  t.deepEqual(answer, { tag: "permit", bytes: 0 });
});

test("what is written is sent, even if it is closed at once", async (t) => {
  const received = Promise.withResolvers<number>();
  const { port } = await tcpServer(t, (socket) => {
    let length = 0;
    socket.on("data", (data) => {
      length += data.length;
    });
    socket.on("end", () => received.resolve(length));
  });
  const { calls, head, connected } = networkOf(t);
  const id = await connected(port);
  await head({ op: "write", id }, new Uint8Array(MAX_SOCKET_BUFFER_BYTES));
  await calls.close();
  t.is(await received.promise, MAX_SOCKET_BUFFER_BYTES);
});

test("a read gives a piece at a time, and a far end that sends on is slowed down", async (t) => {
  const { port, sockets } = await tcpServer(t, (socket) => void socket.write(new Uint8Array(50_000_000)));
  const { ask, until, connected } = networkOf(t);
  const id = await connected(port);
  await until(id, "read");
  const { payload } = await ask({ op: "read", id, maxBytes: MAX_NETWORK_PIECE_BYTES });
  t.true(payload !== undefined && payload.byteLength > 0 && payload.byteLength <= MAX_NETWORK_PIECE_BYTES);
  const [socket] = sockets;
  t.true((socket?.writableLength ?? 0) > 0);
});

test("connections that wait to be accepted are limited, further ones are closed", async (t) => {
  const { head, create } = networkOf(t, [], ["127.0.0.1:0"]);
  const id = await create("tcp");
  const bound = await head({ op: "bind", id, endpoint: at(0) });
  const port = bound.tag === "bound" ? bound.local.port : 0;
  t.deepEqual(await head({ op: "listen", id, backlog: 1000 }), { tag: "done" });
  const clients = Array.from({ length: MAX_PENDING_CONNECTIONS + 5 }, () => connect(port, "127.0.0.1"));
  t.teardown(() => clients.map((client) => client.destroy()));
  for (const client of clients) client.on("error", () => {});
  let closedCount = 0;
  const closed = Promise.withResolvers<void>();
  for (const client of clients) {
    client.on("close", () => {
      closedCount += 1;
      if (closedCount === 5) closed.resolve();
    });
    client.resume();
  }
  await closed.promise;
  let accepted = 0;
  while ((await head({ op: "accept", id })).tag === "accepted") accepted += 1;
  t.is(accepted, MAX_PENDING_CONNECTIONS);
});

test("a connection that comes before the module listens is closed", async (t) => {
  const { head, create } = networkOf(t, [], ["127.0.0.1:0"]);
  const id = await create("tcp");
  const bound = await head({ op: "bind", id, endpoint: at(0) });
  const client = connect(bound.tag === "bound" ? bound.local.port : 0, "127.0.0.1");
  client.on("error", () => {});
  client.resume();
  await once(client, "close");
  t.deepEqual(await head({ op: "accept", id }), error("invalid-state"));
});

test("datagrams that nobody receives are held up to a bound", async (t) => {
  const { head, create, until } = networkOf(t);
  const far = createSocket("udp4");
  t.teardown(() => void far.close());
  const id = await create("udp");
  const bound = await head({ op: "bind", id, endpoint: at(0) });
  const port = bound.tag === "bound" ? bound.local.port : 0;
  for (let count = 0; count < MAX_QUEUED_DATAGRAMS * 3; count += 1) {
    const sent = Promise.withResolvers<void>();
    far.send("x", port, "127.0.0.1", () => sent.resolve());
    await sent.promise;
  }
  let received = 0;
  for (;;) {
    // The last of them is there when another one, sent afterwards, is.
    await until(id, "read");
    const answer = await head({ op: "receive", id, offset: 0 });
    if (answer.tag !== "datagram") break;
    received += 1;
    if (received >= MAX_QUEUED_DATAGRAMS) break;
  }
  t.is(received, MAX_QUEUED_DATAGRAMS);
  t.deepEqual(await head({ op: "receive", id, offset: 0 }), error("would-block"));
});

test("who sends a datagram to where the module listens may be answered, the latest ones, and nobody else", async (t) => {
  const { head, create, until } = networkOf(t, [], ["127.0.0.1:0/udp"]);
  const id = await create("udp");
  const bound = await head({ op: "bind", id, endpoint: at(0) });
  const port = bound.tag === "bound" ? bound.local.port : 0;
  const ports: number[] = [];
  for (let count = 0; count <= MAX_HEARD_SENDERS; count += 1) {
    const far = createSocket("udp4");
    t.teardown(() => void far.close());
    far.send("x", port, "127.0.0.1");
    await until(id, "read");
    const answer = await head({ op: "receive", id, offset: 0 });
    ports.push(answer.tag === "datagram" ? answer.remote.port : 0);
    if (count > 0) continue;
    const answered = once(far, "message");
    t.deepEqual(await head({ op: "send", id, remote: at(ports[0] ?? 0) }, Buffer.from("y")), { tag: "done" });
    t.is(String((await answered)[0]), "y");
  }
  const send = (to: number) => head({ op: "send", id, remote: at(to) }, Buffer.from("y"));
  t.deepEqual(await send(ports.at(-1) ?? 0), { tag: "done" });
  t.deepEqual(await send(ports[0] ?? 0), error("access-denied"));
  t.deepEqual(await send(port), error("access-denied"));
});

test("a datagram of a stranger does not arrive where only some may be heard", async (t) => {
  const { port } = await udpEcho(t);
  const { ask, head, create, until } = networkOf(t, [`127.0.0.1:${port}/udp`]);
  const stranger = createSocket("udp4");
  t.teardown(() => void stranger.close());
  const id = await create("udp");
  const bound = await head({ op: "bind", id, endpoint: at(0) });
  const sent = Promise.withResolvers<void>();
  stranger.send("evil", bound.tag === "bound" ? bound.local.port : 0, "127.0.0.1", () => sent.resolve());
  await sent.promise;
  t.deepEqual(await head({ op: "send", id, remote: at(port) }, Buffer.from("ping")), { tag: "done" });
  await until(id, "read");
  const { payload } = await ask({ op: "receive", id, offset: 0 });
  t.is(Buffer.from(payload ?? []).toString(), "re:ping");
});

test("a datagram that is too long, or goes where nobody allowed, is not sent", async (t) => {
  const { port, received } = await udpEcho(t);
  const { head, create, refused } = networkOf(t, [`127.0.0.1:${port}/udp`]);
  const id = await create("udp");
  await head({ op: "bind", id, endpoint: at(0) });
  const long = new Uint8Array(MAX_DATAGRAM_BYTES + 1);
  t.deepEqual(await head({ op: "send", id, remote: at(port) }, long), error("datagram-too-large"));
  t.deepEqual(
    await head({ op: "send", id, remote: at(port + 1) }, long.subarray(0, 1)),
    error("access-denied"),
  );
  t.deepEqual(await head({ op: "associate", id, remote: at(port + 1) }), error("access-denied"));
  t.deepEqual(await head({ op: "send", id, remote: null }, long.subarray(0, 1)), error("invalid-argument"));
  t.deepEqual(received, []);
  t.is(refused.length, 2);
});

test("a port that is in use, and an address that is not the device's, can't be bound", async (t) => {
  const { port } = await tcpServer(t, () => {});
  const { head, create } = networkOf(t, [], ["*:*"]);
  t.deepEqual(
    await head({ op: "bind", id: await create("tcp"), endpoint: at(port) }),
    error("address-in-use"),
  );
  const elsewhere = { address: "192.0.2.1", port: 0 };
  const id = await create("tcp");
  t.deepEqual(await head({ op: "bind", id, endpoint: elsewhere }), error("address-not-bindable"));
});

for (const address of ["127.1", "0x7f000001", "localhost", "::1", "127.0.0.1 ", "127.0.0.1%lo"]) {
  test(`"${address}" is no address`, async (t) => {
    const { head, create } = networkOf(t);
    const id = await create("tcp");
    t.deepEqual(await head({ op: "connect", id, endpoint: { address, port: 1 } }), error("invalid-argument"));
  });
}

test("a wait ends at its time, and at once for what is gone", async (t) => {
  const { head, connected } = networkOf(t);
  const { port } = await tcpServer(t, () => {});
  const id = await connected(port);
  const waited = await head({ op: "wait", for: [{ id, interest: "read" }], timeoutMs: 1 });
  t.deepEqual(waited, { tag: "ready", ready: [false] });
  const gone = await head({
    op: "wait",
    for: [
      { id: 99, interest: "read" },
      { id, interest: "read" },
    ],
    timeoutMs: WAIT_MS,
  });
  t.deepEqual(gone, { tag: "ready", ready: [true, false] });
});

test("a response that does not come, or does not go on, ends in its time", async (t) => {
  const silent = await silentServer(t);
  const { head, until } = networkOf(t);
  await head(requestTo(silent, { firstByteTimeoutMs: 20 }));
  await until(1, "done");
  t.deepEqual(await head({ op: "response", id: 1, offset: 0 }), {
    tag: "http-error",
    code: "HTTP-response-timeout",
  });
  const begun = await silentServer(
    t,
    (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
  );
  await head(requestTo(begun, { betweenBytesTimeoutMs: 20 }));
  await until(2, "done");
  await until(2, "read");
  const answer = await head({ op: "read", id: 2, maxBytes: 9 });
  t.deepEqual(answer, { tag: "http-error", code: "connection-read-timeout" });
});

const refusedRequests: Readonly<
  Record<string, readonly [parts: Partial<HttpRequestHead>, fields: Uint8Array, code: string]>
> = {
  "a Host of its own": [{}, headers(["Host", "evil"]), "HTTP-request-denied"],
  "a transfer coding of its own": [{}, headers(["transfer-encoding", "chunked"]), "HTTP-request-denied"],
  "a line's end in a value": [{}, headers(["x", "a\r\nHost: evil"]), "HTTP-request-denied"],
  "a line's end in a name": [{}, headers(["x\r\nHost", "evil"]), "HTTP-request-denied"],
  "two lengths": [{}, headers(["content-length", "1"], ["Content-Length", "2"]), "HTTP-request-body-size"],
  "a length that is none": [{}, headers(["content-length", "+1"]), "HTTP-request-body-size"],
  "a line's end in the path": [
    { pathWithQuery: "/ HTTP/1.1\r\nHost: evil" },
    headers(),
    "HTTP-request-URI-invalid",
  ],
  "a URL for a path": [{ pathWithQuery: "http://evil/" }, headers(), "HTTP-request-URI-invalid"],
  "a line's end in the method": [{ method: "GET /\r\n" }, headers(), "HTTP-request-method-invalid"],
  "a tunnel": [{ method: "connect" }, headers(), "HTTP-request-method-invalid"],
  "a user in the authority": [{ authority: "a@127.0.0.1:1" }, headers(), "HTTP-request-URI-invalid"],
  "port 0": [{ authority: "127.0.0.1:0" }, headers(), "HTTP-request-URI-invalid"],
  "headers that are none": [{}, Uint8Array.of(255, 255, 1, 0, 1), "HTTP-request-header-section-size"],
};

for (const [what, [parts, fields, code]] of Object.entries(refusedRequests)) {
  test(`a request with ${what} is refused on the agent's side`, async (t) => {
    const { head } = networkOf(t);
    t.deepEqual(await head(requestTo(1, parts), fields), { tag: "http-error", code });
  });
}

test("a far end may answer before there is a body", async (t) => {
  const port = await silentServer(t, (socket) => {
    socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  });
  const { head, until } = networkOf(t);
  await head(requestTo(port, { method: "POST", hasBody: true }));
  await until(1, "done");
  t.like(await head({ op: "response", id: 1, offset: 0 }), { tag: "response", status: 413 });
});

test("a far end that goes over to another protocol unasked is told as such", async (t) => {
  const port = await silentServer(t, (socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nmore");
  });
  const { head, until } = networkOf(t);
  await head(requestTo(port));
  await until(1, "done");
  t.deepEqual(await head({ op: "response", id: 1, offset: 0 }), {
    tag: "http-error",
    code: "HTTP-upgrade-failed",
  });
});

test("a length without a body, and a target that is neither path nor star, are not sent", async (t) => {
  const { ask } = networkOf(t);
  t.deepEqual((await ask(requestTo(1), headers(["content-length", "5"]))).head, {
    tag: "http-error",
    code: "HTTP-request-body-size",
  });
  t.deepEqual((await ask(requestTo(1, { pathWithQuery: "*a" }))).head, {
    tag: "http-error",
    code: "HTTP-request-URI-invalid",
  });
});

test("a body that is longer than it said ends the request", async (t) => {
  const server = createHttpServer((request) => request.resume());
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { head, until } = networkOf(t);
  const { port } = server.address() as AddressInfo;
  await head(requestTo(port, { method: "POST", hasBody: true }), headers(["content-length", "3"]));
  await until(1, "write");
  t.deepEqual(await head({ op: "write", id: 1 }, new Uint8Array(4)), {
    tag: "http-error",
    code: "HTTP-request-body-size",
  });
});

test("what was under way when the module ended leaves nothing open", async (t) => {
  const { calls, head, create } = networkOf(t, LOOPBACK, ["127.0.0.1:*", "127.0.0.1:*/udp"]);
  const far = await tcpServer(t, () => {});
  const [tcp, udp] = [await create("tcp"), await create("udp")];
  const free = await tcpServer(t, () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  free.server.close(() => resolve());
  await promise;
  const underWay = [
    head({ op: "bind", id: tcp, endpoint: at(free.port) }),
    head({ op: "bind", id: udp, endpoint: at(free.port) }),
    head(requestTo(far.port)),
  ];
  await calls.close();
  await Promise.all(underWay);
  const probe = connect(free.port, "127.0.0.1");
  const [error] = await once(probe, "error");
  t.is((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
  const again = createSocket("udp4");
  t.teardown(() => void again.close());
  again.bind({ port: free.port, address: "127.0.0.1", exclusive: true });
  await once(again, "listening");
  t.is(again.address().port, free.port);
});

const malformed: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  "no operation": {},
  "an unknown operation": { op: "raw-socket" },
  "a negative number": { op: "accept", id: -1 },
  "a port beyond the last": { op: "connect", id: 1, endpoint: { address: "127.0.0.1", port: 65_536 } },
  "an address without end": { op: "connect", id: 1, endpoint: { address: "1".repeat(46), port: 1 } },
  "a name without end": { op: "resolve", name: "a".repeat(254) },
  "a read beyond a reply": { op: "read", id: 1, maxBytes: MAX_NETWORK_PIECE_BYTES + 1 },
  "a wait for very much": { op: "wait", for: Array(65).fill({ id: 1, interest: "read" }), timeoutMs: 0 },
  "a wait without end": { op: "wait", for: [], timeoutMs: 1e9 },
  "a path without end": requestTo(1, { pathWithQuery: "/".repeat(8193) }),
  "an unknown scheme": requestTo(1, { scheme: "ftp" as "http" }),
};

for (const [what, call] of Object.entries(malformed)) {
  test(`${what} is no call of the network`, (t) => {
    t.throws(() => parseNetworkCall(call), { instanceOf: MalformedCall });
  });
}
