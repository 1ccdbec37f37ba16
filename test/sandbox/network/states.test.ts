/** The states of `wasi:sockets` 0.2's sockets, whatever the network answers: called the way the linker calls them. */

import test, { type ExecutionContext } from "ava";
import type { HostCall, HostReply } from "../../../sandbox/channel.ts";
import { createControlMemory } from "../../../sandbox/control-block.ts";
import { ModuleSession } from "../../../sandbox/module-session.ts";
import { monotonicMs } from "../../../sandbox/monotonic-time.ts";
import type { NetworkCall, NetworkReply } from "../../../sandbox/network/protocol.ts";
import { createPolling } from "../../../sandbox/wasi/poll.ts";
import type { IpSocketAddress } from "../../../sandbox/wasi/sockets/addresses.ts";
import { NetworkClient } from "../../../sandbox/wasi/sockets/client.ts";
import { createSockets } from "../../../sandbox/wasi/sockets/sockets.ts";

const ENDS = { local: { address: "10.0.0.1", port: 40_000 }, remote: { address: "10.0.0.2", port: 80 } };

/** An agent that allows everything: each operation succeeds, unless `answers` says otherwise. */
function network(answers: Partial<Record<NetworkCall["op"], () => NetworkReply>> = {}) {
  const asked: NetworkCall[] = [];
  let lastId = 0;
  const defaults: Partial<Record<NetworkCall["op"], () => NetworkReply>> = {
    create: () => ({ tag: "opened", id: ++lastId }),
    bind: () => ({ tag: "bound", local: ENDS.local }),
    associate: () => ({ tag: "bound", local: ENDS.local }),
    "finish-connect": () => ({ tag: "connected", ...ENDS }),
    accept: () => ({ tag: "accepted", id: ++lastId, ...ENDS }),
    wait: () => ({ tag: "ready", ready: [true] }),
  };
  const session = new ModuleSession({ postMessage: () => {} }, createControlMemory());
  const call = (request: HostCall): { head: HostReply; payload: Uint8Array } => {
    if (request.call !== "network") throw new Error(request.call);
    asked.push(request.request);
    const { op } = request.request;
    const reply = (answers[op] ?? defaults[op])?.() ?? { tag: "done" };
    return { head: { tag: "network", reply }, payload: new Uint8Array(0) };
  };
  const polling = createPolling(session);
  const client = new NetworkClient({ call, enterHost: () => {} }, polling);
  const interfaces = createSockets(client);
  return {
    asked,
    polling,
    network: interfaces["wasi:sockets/instance-network"].instanceNetwork(),
    tcp: () => interfaces["wasi:sockets/tcp-create-socket"].createTcpSocket("ipv4"),
    udp: () => interfaces["wasi:sockets/udp-create-socket"].createUdpSocket("ipv4"),
    resolve: interfaces["wasi:sockets/ip-name-lookup"].resolveAddresses,
  };
}

function ipv4(text: string, port: number): IpSocketAddress {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return { tag: "ipv4", val: { port, address: [a, b, c, d] } };
}

const MAPPED: IpSocketAddress = {
  tag: "ipv6",
  val: { port: 1, flowInfo: 0, address: [0, 0, 0, 0, 0, 0xffff, 0x0a00, 2], scopeId: 0 },
};

function fails(t: ExecutionContext, code: string, call: () => unknown): void {
  t.like(t.throws(call), { payload: code });
}

const there = ipv4("10.0.0.2", 80);
const here = ipv4("0.0.0.0", 0);

test("an unbound TCP socket has no address, nothing to finish, and does not listen", (t) => {
  const { tcp } = network();
  const socket = tcp();
  fails(t, "invalid-state", () => socket.localAddress());
  fails(t, "invalid-state", () => socket.remoteAddress());
  fails(t, "invalid-state", () => socket.startListen());
  fails(t, "invalid-state", () => socket.accept());
  fails(t, "invalid-state", () => socket.shutdown("both"));
  for (const finish of ["finishBind", "finishConnect", "finishListen"] as const) {
    fails(t, "not-in-progress", () => socket[finish]());
  }
  t.false(socket.isListening());
  t.is(socket.addressFamily(), "ipv4");
});

test("binding is in progress until it is finished, once", (t) => {
  const { tcp, network: net } = network();
  const socket = tcp();
  socket.startBind(net, here);
  fails(t, "concurrency-conflict", () => socket.startBind(net, here));
  fails(t, "concurrency-conflict", () => socket.startConnect(net, there));
  fails(t, "invalid-state", () => socket.localAddress());
  socket.finishBind();
  fails(t, "not-in-progress", () => socket.finishBind());
  fails(t, "invalid-state", () => socket.startBind(net, here));
  t.deepEqual(socket.localAddress(), ipv4("10.0.0.1", 40_000));
});

test("a bind that failed can be tried again", (t) => {
  let count = 0;
  const { tcp, network: net } = network({
    bind: () => {
      count += 1;
      return count === 1 ? { tag: "error", code: "address-in-use" } : { tag: "bound", local: ENDS.local };
    },
  });
  const socket = tcp();
  fails(t, "address-in-use", () => socket.startBind(net, here));
  socket.startBind(net, here);
  socket.finishBind();
});

test("a connection is in progress until it is there, and gives its streams once", (t) => {
  let isThere = false;
  const { tcp, network: net } = network({
    "finish-connect": () => (isThere ? { tag: "connected", ...ENDS } : { tag: "error", code: "would-block" }),
  });
  const socket = tcp();
  socket.startConnect(net, there);
  fails(t, "would-block", () => socket.finishConnect());
  fails(t, "concurrency-conflict", () => socket.startConnect(net, there));
  fails(t, "concurrency-conflict", () => socket.startListen());
  isThere = true;
  t.is(socket.finishConnect().length, 2);
  fails(t, "not-in-progress", () => socket.finishConnect());
  fails(t, "invalid-state", () => socket.startConnect(net, there));
  fails(t, "invalid-state", () => socket.startListen());
  fails(t, "invalid-state", () => socket.setListenBacklogSize(1n));
  t.deepEqual(socket.remoteAddress(), there);
});

test("a connection that failed leaves a closed socket", (t) => {
  const { tcp, network: net } = network({
    "finish-connect": () => ({ tag: "error", code: "connection-refused" }),
  });
  const socket = tcp();
  socket.startConnect(net, there);
  fails(t, "connection-refused", () => socket.finishConnect());
  fails(t, "invalid-state", () => socket.startConnect(net, there));
  fails(t, "invalid-state", () => socket.localAddress());
});

test("a socket listens when it is bound, and gives connections with its options", (t) => {
  const { tcp, network: net } = network();
  const socket = tcp();
  socket.setHopLimit(7);
  socket.startBind(net, here);
  socket.finishBind();
  socket.setListenBacklogSize(1000n);
  socket.startListen();
  t.false(socket.isListening());
  socket.finishListen();
  t.true(socket.isListening());
  fails(t, "invalid-state", () => socket.startConnect(net, there));
  const [accepted] = socket.accept();
  t.is(accepted.hopLimit(), 7);
  t.deepEqual(accepted.remoteAddress(), there);
  fails(t, "invalid-state", () => accepted.startListen());
});

const wrongPlaces: Readonly<Record<string, IpSocketAddress>> = {
  "another family": {
    tag: "ipv6",
    val: { port: 1, flowInfo: 0, address: [1, 0, 0, 0, 0, 0, 0, 1], scopeId: 0 },
  },
  "an IPv4-mapped address": MAPPED,
  "the unspecified address": ipv4("0.0.0.0", 80),
  "port 0": ipv4("10.0.0.2", 0),
  everyone: ipv4("255.255.255.255", 80),
  "a group": ipv4("224.0.0.1", 80),
};

for (const [what, place] of Object.entries(wrongPlaces)) {
  test(`TCP does not connect to ${what}, and the agent is not asked`, (t) => {
    const { tcp, network: net, asked } = network();
    const socket = tcp();
    fails(t, "invalid-argument", () => socket.startConnect(net, place));
    t.deepEqual(
      asked.map(({ op }) => op),
      ["create"],
    );
    socket.startConnect(net, there);
  });
}

for (const what of ["another family", "an IPv4-mapped address", "everyone", "a group"]) {
  test(`TCP is not bound to ${what}`, (t) => {
    const { tcp, network: net } = network();
    fails(t, "invalid-argument", () => tcp().startBind(net, wrongPlaces[what] ?? here));
  });
}

test("options that are 0 are refused, others kept, at least about", (t) => {
  const { tcp } = network();
  const socket = tcp();
  for (const name of [
    "setKeepAliveIdleTime",
    "setKeepAliveInterval",
    "setReceiveBufferSize",
    "setSendBufferSize",
  ] as const) {
    fails(t, "invalid-argument", () => socket[name](0n));
    socket[name](2n ** 64n - 1n);
  }
  fails(t, "invalid-argument", () => socket.setListenBacklogSize(0n));
  fails(t, "invalid-argument", () => socket.setKeepAliveCount(0));
  fails(t, "invalid-argument", () => socket.setHopLimit(0));
  socket.setKeepAliveEnabled(true);
  socket.setHopLimit(255);
  socket.setKeepAliveIdleTime(1n);
  t.true(socket.keepAliveEnabled());
  t.is(socket.hopLimit(), 255);
  t.is(socket.keepAliveIdleTime(), 1_000_000_000n);
  t.true(socket.receiveBufferSize() > 0n);
});

test("a socket is closed when it and both of its streams are dropped, in any order", (t) => {
  const { tcp, network: net, asked } = network();
  const socket = tcp();
  socket.startConnect(net, there);
  const [input, output] = socket.finishConnect();
  socket[Symbol.dispose]();
  input[Symbol.dispose]?.();
  t.false(asked.some(({ op }) => op === "close"));
  output[Symbol.dispose]?.();
  t.deepEqual(asked.at(-1), { op: "close", id: 1 });
});

test("a stream says once why it failed, and is closed afterwards", (t) => {
  const { tcp, network: net } = network({ read: () => ({ tag: "error", code: "connection-reset" }) });
  const socket = tcp();
  socket.startConnect(net, there);
  const [input] = socket.finishConnect();
  t.like(
    t.throws(() => input.read(1n), { any: true }),
    { tag: "last-operation-failed" },
  );
  t.deepEqual(t.throws(() => input.read(1n), { any: true }) as unknown, { tag: "closed" });
});

test("a poll of a socket and a timer is one wait, as long as the timer", (t) => {
  const { udp, network: net, asked, polling } = network();
  const socket = udp();
  socket.startBind(net, here);
  socket.finishBind();
  const [incoming] = socket.stream(undefined);
  const startMs = monotonicMs();
  const timer = polling.timer(startMs + 20_000);
  t.deepEqual([...polling.poll.poll([timer, incoming.subscribe(), incoming.subscribe()])], [1, 2]);
  const waits = asked.filter((call) => call.op === "wait");
  t.is(waits.length, 1);
  t.deepEqual(waits[0]?.for, [{ id: 1, interest: "read" }]);
  // By the worker's own clock, which is not the process's.
  const timeoutMs = waits[0]?.timeoutMs ?? 0;
  t.true(timeoutMs <= 20_000 && timeoutMs >= 20_000 - (monotonicMs() - startMs), `${timeoutMs}`);
});

test("a poll looks without waiting when something else is ready already", (t) => {
  const { udp, network: net, asked, polling } = network({ wait: () => ({ tag: "ready", ready: [false] }) });
  const socket = udp();
  socket.startBind(net, here);
  socket.finishBind();
  const [incoming] = socket.stream(undefined);
  t.deepEqual([...polling.poll.poll([incoming.subscribe(), polling.always()])], [1]);
  t.like(asked.at(-1), { op: "wait", timeoutMs: 0 });
});

test("a UDP socket has streams when it is bound", (t) => {
  const { udp, network: net } = network();
  const socket = udp();
  fails(t, "invalid-state", () => socket.stream(undefined));
  fails(t, "invalid-state", () => socket.localAddress());
  fails(t, "not-in-progress", () => socket.finishBind());
  socket.startBind(net, here);
  fails(t, "concurrency-conflict", () => socket.startBind(net, here));
  socket.finishBind();
  fails(t, "invalid-state", () => socket.startBind(net, here));
  fails(t, "invalid-state", () => socket.remoteAddress());
  fails(t, "invalid-argument", () => socket.stream(ipv4("0.0.0.0", 1)));
  fails(t, "invalid-argument", () => socket.stream(ipv4("10.0.0.2", 0)));
  t.is(socket.stream(there).length, 2);
  t.deepEqual(socket.remoteAddress(), there);
});

test("datagrams are sent as permitted, to the one place of a connected socket", (t) => {
  const { udp, network: net, asked } = network();
  const socket = udp();
  socket.startBind(net, here);
  socket.finishBind();
  const [incoming, outgoing] = socket.stream(there);
  const datagram = { data: Uint8Array.of(1), remoteAddress: undefined };
  t.throws(() => outgoing.send([datagram]), { message: /permitted/ });
  const permit = Number(outgoing.checkSend());
  t.throws(() => outgoing.send(Array(permit + 1).fill(datagram)), { message: /permitted/ });
  t.is(outgoing.send([datagram, { ...datagram, remoteAddress: there }]), 2n);
  t.is(outgoing.send([]), 0n);
  fails(t, "invalid-argument", () => outgoing.send([{ ...datagram, remoteAddress: ipv4("10.0.0.3", 80) }]));
  t.deepEqual(asked.filter(({ op }) => op === "send").length, 2);
  t.deepEqual(incoming.receive(0n), []);
  socket.stream(undefined);
  fails(t, "invalid-state", () => outgoing.checkSend());
  fails(t, "invalid-state", () => incoming.receive(1n));
});

for (const name of ["", "a b", "a/b", ".", "1.2.3", "0x7f.1", "1".repeat(64), "[::1]", "127.0.0.1:80"]) {
  test(`"${name}" is no name to look up`, (t) => {
    const { resolve, network: net, asked } = network({ resolve: () => ({ tag: "opened", id: 1 }) });
    fails(t, "invalid-argument", () => resolve(net, name));
    t.deepEqual(asked, []);
  });
}

test("a name in Unicode is looked up as IDNA writes it", (t) => {
  const { resolve, network: net, asked } = network({ resolve: () => ({ tag: "opened", id: 1 }) });
  resolve(net, "Bücher.example");
  t.deepEqual(asked, [{ op: "resolve", name: "xn--bcher-kva.example" }]);
});

test("what a component declares as a network, and is none, is not taken for one", (t) => {
  const { tcp } = network();
  t.throws(() => tcp().startBind({}, here), { instanceOf: TypeError });
});
