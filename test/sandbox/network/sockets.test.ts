/** `wasi:sockets` 0.2 as Rust's standard library uses it: guests/sockets.rs against real servers on the loopback. */

import { connect } from "node:net";
import anyTest from "ava";
import { MAX_OPEN_SOCKETS } from "../../../sandbox/limits.ts";
import { grantsOf, runGuest, startGuest, tcpServer, udpEcho } from "../../support/network.ts";

/** Each starts a worker of its own. */
const test = anyTest.serial;

const EXITED = { kind: "exited", exitCode: 0 };

for (const host of ["127.0.0.1", "[::1]"]) {
  test(`a connection to ${host} carries bytes both ways and closes one way at a time`, async (t) => {
    const { port } = await tcpServer(
      t,
      (socket) => {
        let text = "";
        socket.on("data", (data) => {
          text += data;
        });
        socket.on("end", () => socket.end(text.toUpperCase()));
      },
      host.replace(/[[\]]/g, ""),
    );
    const { end, lines } = await runGuest(
      "sockets",
      ["tcp", `${host}:${port}`, "hello"],
      grantsOf([`${host}:*`]),
    );
    t.deepEqual(end, EXITED);
    t.deepEqual(lines.slice(0, 2), ["HELLO", `peer ${host}:${port} own ${host.replace(/[[\]]/g, "")}`]);
    t.is(lines[2], host === "127.0.0.1" ? "ttl 7" : undefined);
  });

  test(`datagrams go to ${host} and come back, to any place and to one`, async (t) => {
    const { port, received } = await udpEcho(t, host.replace(/[[\]]/g, ""));
    const to = `${host}:${port}`;
    const { lines } = await runGuest("sockets", ["udp", to, "ping"], grantsOf([`${host}:*/udp`]));
    t.deepEqual(lines, ["sent 4", `7 from ${to}: re:ping`, `connected to ${to}: re:again`]);
    t.deepEqual(received, ["ping", "again"]);
  });
}

test("a datagram that is longer than a reply of the channel arrives whole", async (t) => {
  const { port, received } = await udpEcho(t);
  const to = `127.0.0.1:${port}`;
  const { lines } = await runGuest("sockets", ["udp", to, "0123456789", "3000"], grantsOf([`${to}/udp`]));
  t.is(lines[1], `30003 from ${to}: re:${"0123456789".repeat(4).slice(0, 37)}`);
  t.is(received[0]?.length, 30_000);
});

test("a module listens where it may and serves a connection", async (t) => {
  const grants = grantsOf([], ["127.0.0.1:0"]);
  const { module, record } = startGuest("sockets", ["listen", "127.0.0.1:0"], grants);
  await record.first("log");
  const [, port = ""] = /^listening 127\.0\.0\.1:(\d+)$/.exec(record.of("log")[0]?.text ?? "") ?? [];
  const socket = connect({ host: "127.0.0.1", port: Number(port) });
  socket.end("x".repeat(100_000));
  let length = 0;
  for await (const data of socket) length += data.length;
  t.is(length, 100_000);
  t.deepEqual(await module.done, EXITED);
  t.is(record.of("log").at(-1)?.text, "closed");
});

test("a stop ends a module that waits for a connection", async (t) => {
  const { module, record } = startGuest(
    "sockets",
    ["listen", "127.0.0.1:0"],
    grantsOf([], ["*:*", "127.0.0.1:0"]),
  );
  await record.first("log");
  t.deepEqual(await module.stop(60_000), { kind: "stopped" });
});

const denied: Readonly<
  Record<string, readonly [connect: readonly string[], listen: readonly string[], args: readonly string[]]>
> = {
  "connect to another port": [["127.0.0.1:1"], [], ["tcp", "127.0.0.1:2", "x"]],
  "connect to another address": [["127.0.0.2:2"], [], ["tcp", "127.0.0.1:2", "x"]],
  "connect by TCP where UDP is granted": [["127.0.0.1:2/udp"], [], ["tcp", "127.0.0.1:2", "x"]],
  "send where TCP is granted": [["127.0.0.1:2"], [], ["udp", "127.0.0.1:2", "x"]],
  "look up a name of nobody's": [["example.org:1"], [], ["resolve", "evil.example.net"]],
  "listen at a port that is not granted": [["127.0.0.1:*"], ["127.0.0.1:8080"], ["listen", "127.0.0.1:8081"]],
  "listen everywhere where one address is granted": [
    ["127.0.0.1:*"],
    ["127.0.0.1:0"],
    ["listen", "0.0.0.0:0"],
  ],
  "connect at all with empty lists": [[], [], ["tcp", "127.0.0.1:2", "x"]],
  "resolve with empty lists": [[], [], ["resolve", "localhost"]],
};

for (const [what, [connecting, listening, args]] of Object.entries(denied)) {
  test(`a module may not ${what}`, async (t) => {
    const { end, lines } = await runGuest("sockets", args, grantsOf(connecting, listening));
    t.deepEqual(end, EXITED);
    t.is(lines.length, 1);
    t.regex(lines[0] ?? "", /^failed (PermissionDenied|Uncategorized)$/);
  });
}

test("what was not allowed is told in the module's log", async (t) => {
  const { warnings } = await runGuest("sockets", ["tcp", "127.0.0.1:2", "x"], grantsOf(["127.0.0.1:1"]));
  t.deepEqual(warnings, ["network: not granted: connecting to 127.0.0.1 port 2/tcp"]);
});

test("without a grant a component that imports sockets is refused", async (t) => {
  const { end } = await runGuest("sockets", ["tcp", "127.0.0.1:2", "x"], undefined);
  t.like(end, { kind: "failed", code: "sandbox/import-not-granted" });
});

test("a refused connection is told as such", async (t) => {
  const { server, port } = await tcpServer(t, () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
  const { lines } = await runGuest("sockets", ["tcp", `127.0.0.1:${port}`, "x"], grantsOf(["127.0.0.1:*"]));
  t.deepEqual(lines, ["failed ConnectionRefused"]);
});

test("localhost resolves to the loopback", async (t) => {
  const { lines } = await runGuest("sockets", ["resolve", "localhost"], grantsOf(["localhost:1"]));
  t.true(lines.length > 0);
  for (const line of lines) t.true(["127.0.0.1", "::1"].includes(line), line);
});

test("open sockets are limited, and one that is closed makes room", async (t) => {
  const { port } = await tcpServer(t, (socket) => socket.on("end", () => socket.end()).resume());
  const { lines } = await runGuest("sockets", ["many", `127.0.0.1:${port}`], grantsOf(["127.0.0.1:*"]));
  t.is(lines[0], `${MAX_OPEN_SOCKETS} open`);
  t.is(lines.length, 2);
});

test("what a far end does not read fills the kernel's buffers and the module's own, and no more", async (t) => {
  const before = process.memoryUsage().arrayBuffers;
  const { port } = await tcpServer(t, (socket) => socket.pause());
  const { module, record } = startGuest("sockets", ["flood", `127.0.0.1:${port}`], grantsOf(["127.0.0.1:*"]));
  await record.first("log");
  t.is(record.of("log")[0]?.text, "full true");
  t.true(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
  await module.done;
});
