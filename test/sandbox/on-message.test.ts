/** Reactors that are told something, in their workers. */

import anyTest from "ava";
import { componentFile, reactorText } from "../support/modules.ts";
import { type StartOptions, startRecorded } from "../support/run-module.ts";

const test = anyTest.serial;

const NEVER_MS = 3_600_000;
const ECHO = `(drop (call $publish (local.get $payload) (local.get $length))) (i32.const 0)`;
const ECHO_TOPIC = `(drop (call $publish (local.get $topic) (local.get $topic-length))) (i32.const 0)`;

async function start(onMessage: string | undefined, options: Partial<StartOptions> = {}) {
  const componentPath = await componentFile(reactorText(onMessage === undefined ? {} : { onMessage }));
  return startRecorded({ componentPath, world: "reactor", ...options });
}

test("on-message gets topic and payload", async (t) => {
  for (const [body, expected] of [
    [ECHO, "21.5"],
    [ECHO_TOPIC, "message/set/point"],
  ] as const) {
    const { module, record } = await start(body);
    // Before it runs: it waits.
    t.deepEqual(await module.deliver("message/set/point", Buffer.from("21.5")), { kind: "handled" });
    t.deepEqual(record.of("published"), [{ event: "published", topic: "telemetry/x", payload: expected }]);
    await module.stop(NEVER_MS);
  }
});

test("an error of on-message is answered and told, and the module stays alive", async (t) => {
  const { module, record } = await start("(i32.const 16)");
  t.deepEqual(await module.deliver("message/a", Buffer.from("x")), { kind: "failed", message: "not well" });
  t.deepEqual(record.of("call-failed"), [{ event: "call-failed", call: "on-message", message: "not well" }]);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  await module.stop(NEVER_MS);
});

test("a reactor without the handler, as older ones are, runs; a message to it fails by name", async (t) => {
  const { module } = await start(undefined);
  const delivery = await module.deliver("message/a", Buffer.from("x"));
  t.regex(delivery.kind === "failed" ? delivery.message : delivery.kind, /skerry:module\/message-handler/);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  await module.stop(NEVER_MS);
});

test("an on-message that loops is ended by its deadline, and the sender is told", async (t) => {
  const { module } = await start("(loop $again (br $again)) (i32.const 0)", {
    limits: { callDeadlineMs: 200 },
  });
  t.deepEqual(await module.deliver("message/a", Buffer.from("x")), { kind: "ended" });
  const end = await module.done;
  t.like(end, { kind: "failed", code: "limit/deadline" });
  t.regex(end.kind === "failed" ? end.message : "", /^on-message took longer/);
});

test("a trap in on-message ends the module", async (t) => {
  const { module } = await start("unreachable");
  t.deepEqual(await module.deliver("message/a", Buffer.from("x")), { kind: "ended" });
  t.like(await module.done, { kind: "trapped", code: "trap/wasm" });
});

test("a stream of messages does not keep the timer and the health checks from their turn", async (t) => {
  const componentPath = await componentFile(
    reactorText({ onTimer: "(i32.const 16)", onMessage: "(i32.const 0)" }),
  );
  const { module, record } = startRecorded({
    ...{ componentPath, world: "reactor", intervalMs: 10 },
    limits: { receivedMessagesPerSecond: 1_000_000 },
  });
  await record.first("running");
  let timerCame = false;
  const timer = record.first("call-failed", 3).then(() => {
    timerCame = true;
  });
  // As soon as one is handled two are there: the queue is never empty.
  const flood = async (): Promise<void> => {
    while (!timerCame) await module.deliver("message/a", Buffer.from("x"));
  };
  await Promise.all([flood(), flood(), timer]);
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  await module.stop(NEVER_MS);
});

test("limit/message-queue: a module that takes its time loses messages, and the observer is told once", async (t) => {
  const { module, record } = await start("(call $sleep (i64.const 50000000)) (i32.const 0)");
  const sent = Array.from({ length: 45 }, () => module.deliver("message/a", Buffer.from("x")));
  const kinds = (await Promise.all(sent)).map(({ kind }) => kind);
  t.is(kinds.filter((kind) => kind === "dropped").length, 45 - 32);
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/message-queue" }]);
  await module.stop(NEVER_MS);
});
