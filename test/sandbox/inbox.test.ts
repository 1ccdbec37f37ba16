/** The messages that wait for a module: their order and bounds. */

import test from "ava";
import { Inbox } from "../../sandbox/inbox.ts";
import { MAX_MESSAGE_BYTES, MAX_WAITING_MESSAGES } from "../../sandbox/limits.ts";

/** An inbox whose module answers when it is told to; `calls` are the topics that reached it. */
function inboxOf(messagesPerSecond = 1000): {
  inbox: Inbox;
  calls: string[];
  limited: string[];
  answer(error?: string): void;
} {
  const calls: string[] = [];
  const limited: string[] = [];
  const waiting: ((error: string | null) => void)[] = [];
  const inbox = new Inbox({
    messagesPerSecond,
    call: (topic) => {
      calls.push(topic);
      return new Promise((resolve) => waiting.push(resolve));
    },
    limited: (code, message) => limited.push(`${code}: ${message}`),
  });
  return { inbox, calls, limited, answer: (error) => waiting.shift()?.(error ?? null) };
}

const SOME = Buffer.from("some");

test("messages wait until the module runs, then come one at a time and in their order", async (t) => {
  const { inbox, calls, answer } = inboxOf();
  const first = inbox.deliver("message/a", SOME);
  const second = inbox.deliver("message/b", SOME);
  t.deepEqual(calls, []);
  inbox.open();
  t.deepEqual(calls, ["message/a"]);
  answer();
  t.deepEqual(await first, { kind: "handled" });
  t.deepEqual(calls, ["message/a", "message/b"]);
  answer("not like that");
  t.deepEqual(await second, { kind: "failed", message: "not like that" });
});

test("a message is a copy: what it came in may be used again", async (t) => {
  const payloads: string[] = [];
  const inbox = new Inbox({
    messagesPerSecond: 1,
    call: async (_topic, payload) => {
      payloads.push(Buffer.from(payload).toString());
      return null;
    },
    limited: () => undefined,
  });
  const buffer = Buffer.from("some");
  const delivery = inbox.deliver("message/a", buffer);
  buffer.fill("x");
  inbox.open();
  await delivery;
  t.deepEqual(payloads, ["some"]);
});

test("limit/message-queue: what does not fit in the queue is dropped, counted and answered at once", async (t) => {
  const { inbox, calls, limited } = inboxOf();
  inbox.open();
  // One is with the module, the others wait.
  for (let count = 0; count < 1 + MAX_WAITING_MESSAGES; count += 1) void inbox.deliver("message/a", SOME);
  t.like(await inbox.deliver("message/b", SOME), { kind: "dropped", code: "limit/message-queue" });
  t.like(await inbox.deliver("message/b", SOME), { kind: "dropped", code: "limit/message-queue" });
  t.deepEqual(calls, ["message/a"]);
  t.regex(limited[1] ?? "", /^limit\/message-queue: 2 messages to it dropped so far: at most 32 wait/);
});

test("limit/message-queue: the bytes that wait are bounded, too", async (t) => {
  const { inbox } = inboxOf();
  const large = Buffer.alloc(MAX_MESSAGE_BYTES);
  for (let count = 0; count < 7; count += 1) void inbox.deliver("message/a", large);
  t.like(await inbox.deliver("message/a", large), { kind: "dropped", code: "limit/message-queue" });
});

test("limit/message-rate: more per second than granted are dropped", async (t) => {
  const { inbox, limited } = inboxOf(2);
  void inbox.deliver("message/a", SOME);
  void inbox.deliver("message/a", SOME);
  t.like(await inbox.deliver("message/a", SOME), { kind: "dropped", code: "limit/message-rate" });
  t.regex(
    limited[0] ?? "",
    /^limit\/message-rate: 1 message to it dropped so far: at most 2 come per second$/,
  );
});

test("limit/message-size: a payload or topic beyond the bound is dropped, one at the bound is not", async (t) => {
  const { inbox, calls } = inboxOf();
  inbox.open();
  void inbox.deliver("message/a", Buffer.alloc(MAX_MESSAGE_BYTES));
  t.deepEqual(calls, ["message/a"]);
  for (const [topic, sizeBytes] of [
    ["message/a", MAX_MESSAGE_BYTES + 1],
    [`message/${"a".repeat(249)}`, 1],
  ] as const) {
    const delivery = await inbox.deliver(topic, Buffer.alloc(sizeBytes));
    t.like(delivery, { kind: "dropped", code: "limit/message-size" }, topic);
  }
});

for (const [topic, problem] of [
  ["", /is empty/],
  ["message/", /has an empty level/],
  ["/message/a", /has an empty level/],
  ["message//a", /has an empty level/],
  ["message/+", /holds a wildcard/],
  ["message/\0", /holds a control character/],
] as const) {
  test(`a message on the topic ${JSON.stringify(topic)} is refused for what is wrong with it, and is no limit`, async (t) => {
    const { inbox, calls, limited } = inboxOf();
    inbox.open();
    const delivery = await inbox.deliver(topic, SOME);
    t.is(delivery.kind, "refused");
    t.regex(delivery.kind === "refused" ? delivery.message : "", problem);
    t.deepEqual([calls, limited], [[], []]);
  });
}

test("the end of the module answers what waits, what it was called with, and what comes later", async (t) => {
  const { inbox, answer } = inboxOf();
  inbox.open();
  const inside = inbox.deliver("message/a", SOME);
  const waiting = inbox.deliver("message/b", SOME);
  inbox.end();
  answer("the module has ended");
  t.deepEqual(await Promise.all([inside, waiting, inbox.deliver("message/c", SOME)]), [
    { kind: "ended" },
    { kind: "ended" },
    { kind: "ended" },
  ]);
});
