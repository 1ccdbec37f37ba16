/**
 * The network's limits of time, against far ends that never answer: nothing ends before its time is over, and everything does then. The
 * timers are held; the sockets are real.
 */

import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { mock } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import anyTest, { type ExecutionContext } from "ava";
import { MAX_CONNECT_MS, MAX_LINGER_MS, MAX_LOOKUP_MS, MAX_LOOKUPS } from "../../../sandbox/limits.ts";
import { AllowList } from "../../../sandbox/network/allow-list.ts";
import type { NetworkContext } from "../../../sandbox/network/handle.ts";
import { NameLookup, Resolver } from "../../../sandbox/network/name-lookup.ts";
import { TcpConnection } from "../../../sandbox/network/tcp-connection.ts";
import { grantsOf, tcpServer } from "../../support/network.ts";

/** One after the other: the timers are the process's. */
const test = anyTest.serial;

/** How many turns of the event loop what is ready may take to be told. */
const TURNS = 50;

function holdTimers(t: ExecutionContext): void {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
}

function contextOf(): NetworkContext {
  const allowList = new AllowList(grantsOf(["127.0.0.1:*", "*.example.org:*"]));
  const resolver = new Resolver(allowList, () => {});
  const lookUp = (name: string) => resolver.lookUp(name);
  return { allowList, refused: () => {}, changed: () => {}, add: () => 1, lookUp };
}

test("MAX_CONNECT_MS: a connection that nobody takes is given up then, and its socket is gone", (t) => {
  holdTimers(t);
  const socket = new Socket();
  // It never learns where to go.
  socket.connect({ host: "silent.example.org", port: 1, lookup: () => {} });
  const connection = new TcpConnection(socket, contextOf());
  mock.timers.tick(MAX_CONNECT_MS - 1);
  t.deepEqual(connection.finishConnect().head, { tag: "error", code: "would-block" });
  t.false(connection.isReady("done"));
  mock.timers.tick(1);
  t.deepEqual(connection.finishConnect().head, { tag: "error", code: "timeout" });
  t.true(connection.isReady("done"));
  t.true(socket.destroyed);
});

test("MAX_LOOKUP_MS: a name that no resolver answers is given up then; its thread counts until it is done", async (t) => {
  const answers: ((addresses: { address: string; family: number }[]) => void)[] = [];
  const lookup = mock.method(dns, "lookup", () => new Promise((resolve) => answers.push(resolve)));
  syncBuiltinESMExports();
  t.teardown(() => {
    lookup.mock.restore();
    syncBuiltinESMExports();
  });
  holdTimers(t);
  const context = contextOf();
  const lookUp = (name: string) => new NameLookup(context, name);
  const failure = { tag: "error", code: "temporary-resolver-failure" };
  const silent = Array.from({ length: MAX_LOOKUPS }, (_, count) => lookUp(`silent-${count}.example.org`));
  while (answers.length < MAX_LOOKUPS) await nextTurn();
  mock.timers.tick(MAX_LOOKUP_MS - 1);
  await turns();
  t.true(silent.every((one) => !one.isReady("done")));
  mock.timers.tick(1);
  await turns();
  for (const one of silent) t.deepEqual(one.answer().head, failure);

  const next = lookUp("next.example.org");
  await turns();
  t.deepEqual(next.answer().head, failure);
  t.is(answers.length, MAX_LOOKUPS, "no further thread was asked");
  answers[0]?.([{ address: "192.0.2.1", family: 4 }]);
  await turns();
  const last = lookUp("last.example.org");
  while (answers.length <= MAX_LOOKUPS) await nextTurn();
  answers.at(-1)?.([{ address: "8.8.8.8", family: 4 }]);
  await turns();
  t.deepEqual(last.answer().head, { tag: "addresses", addresses: ["8.8.8.8"] });
});

test("MAX_LINGER_MS: what a far end does not take after a close is cut off then", async (t) => {
  // It reads nothing.
  const { port } = await tcpServer(t, (socket) => socket.pause());
  const connection = TcpConnection.connect({ address: "127.0.0.1", port }, undefined, contextOf());
  while (!connection.isReady("done")) await nextTurn();
  for (let isFull = false; !isFull; isFull = !connection.isReady("write")) {
    connection.write(new Uint8Array(16 * 1024));
    await turns();
  }
  holdTimers(t);
  let isClosed = false;
  const closing = connection.close().then(() => {
    isClosed = true;
  });
  mock.timers.tick(MAX_LINGER_MS - 1);
  await turns();
  t.false(isClosed);
  mock.timers.tick(1);
  await closing;
  t.true(isClosed);
});
