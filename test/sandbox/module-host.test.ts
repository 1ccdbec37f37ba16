/** Modules that behave, badly or well, in real workers: how each ends, and that nobody else notices. */

import anyTest, { type ExecutionContext } from "ava";
import { MAX_FUNCTION_BYTES } from "../../sandbox/component/limits.ts";
import { MAX_START_BYTES, MAX_TABLE_ELEMENTS } from "../../sandbox/limits.ts";
import type { ModuleEnd } from "../../sandbox/module-spec.ts";
import { commandText, componentFile, reactorText } from "../support/modules.ts";
import { type ModuleRecord, type StartOptions, startRecorded } from "../support/run-module.ts";

/** One after the other: each starts threads that use a whole core, and deadlines should not depend on the neighbours. */
const test = anyTest.serial;

const FOREVER = "(loop $again (br $again))";
const HOUR = "(i64.const 3600000000000)";
/** Long enough for any test, so that what ends a module is never this. */
const NEVER_MS = 3_600_000;

async function runText(
  text: string,
  options: Omit<StartOptions, "componentPath"> = {},
): Promise<{ end: ModuleEnd; record: ModuleRecord }> {
  const { module, record } = startRecorded({ ...options, componentPath: await componentFile(text) });
  return { end: await module.done, record };
}

function failedWith(t: ExecutionContext, end: ModuleEnd, code: string): void {
  t.is(end.kind === "failed" ? end.code : JSON.stringify(end), code);
}

test("a command ends with the code that run returns", async (t) => {
  t.deepEqual((await runText(commandText("(i32.const 0)"))).end, { kind: "exited", exitCode: 0 });
  t.deepEqual((await runText(commandText("(i32.const 1)"))).end, { kind: "exited", exitCode: 1 });
});

test("a module that is told more than one message holds is not started, and its thread is taken away", async (t) => {
  const { end } = await runText(commandText("(i32.const 0)"), {
    env: { NAME: "x".repeat(MAX_START_BYTES) },
  });
  failedWith(t, end, "sandbox/worker-failed");
  t.regex(end.kind === "failed" ? end.message : "", /did not start: .* bytes; 131072 are the most/);
});

test("exit ends a command at once, with its code", async (t) => {
  const { end, record } = await runText(
    commandText(`(call $exit (i32.const 1)) (call $print (i32.const 64) (i32.const 6)) (i32.const 0)`),
  );
  t.deepEqual(end, { kind: "exited", exitCode: 1 });
  t.deepEqual(record.of("log"), []);
});

test("what a module prints becomes log lines, a last one without its end as well", async (t) => {
  const { record } = await runText(
    commandText(
      `(call $print (i32.const 64) (i32.const 6)) (call $print (i32.const 64) (i32.const 4)) (i32.const 0)`,
    ),
  );
  t.deepEqual(
    record.of("log").map(({ level, text }) => [level, text]),
    [
      ["info", "hello"],
      ["info", "hell"],
    ],
  );
});

test("a module reads a sensor and publishes, each once", async (t) => {
  const names: string[] = [];
  const { end, record } = await runText(
    commandText(`(i32.or (call $read-sensor) (call $publish (i32.const 64) (i32.const 5)))`),
    {
      services: {
        readSensor: async (name) => {
          names.push(name);
          return { tag: "ok", value: { value: -3.25, unit: "Cel", timeNs: 1n } };
        },
      },
    },
  );
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(names, ["ambient"]);
  t.deepEqual(record.of("published"), [{ event: "published", topic: "telemetry/x", payload: "hello" }]);
});

test("a topic that is not granted is refused by the agent's side", async (t) => {
  // 1: error code 0, "not-granted"
  const body = `(call $exit (i32.ne (call $publish (i32.const 64) (i32.const 5)) (i32.const 1))) (i32.const 1)`;
  const grants = { sensors: ["ambient"], serial: [], publish: ["alarms/#"] };
  const { end, record } = await runText(commandText(body), { grants });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(record.of("published"), []);
});

test("a service that rejects is a failed call for the module and a line in its log", async (t) => {
  // 3: error code 2, "failed"
  const body = `(call $exit (i32.ne (call $read-sensor) (i32.const 3))) (i32.const 1)`;
  const { end, record } = await runText(commandText(body), {
    services: { readSensor: () => Promise.reject(new Error("bus is on fire")) },
  });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.like(record.of("log"), [{ level: "warning", text: "read-sensor failed: bus is on fire" }]);
});

test("a trap ends the module with its code and the wasm stack", async (t) => {
  const { end } = await runText(commandText("unreachable"));
  t.like(end, { kind: "trapped", code: "trap/wasm" });
  t.regex(end.kind === "trapped" ? end.stack : "", /wasm-function/);
});

test("a stack that runs out traps, the agent's stays", async (t) => {
  const { end } = await runText(
    commandText(
      "(call $deeper (i32.const 0))",
      "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))",
    ),
  );
  t.like(end, { kind: "trapped", code: "trap/stack-overflow" });
});

test("a command that computes without end is ended by its deadline", async (t) => {
  const { end } = await runText(commandText(`${FOREVER} (i32.const 0)`), { limits: { callDeadlineMs: 200 } });
  failedWith(t, end, "limit/deadline");
});

test("a command that sleeps longer than its deadline is not hung", async (t) => {
  const { end } = await runText(commandText("(call $sleep (i64.const 900000000)) (i32.const 0)"), {
    limits: { callDeadlineMs: 300 },
  });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
});

test("a start function that loops is ended by the start's deadline", async (t) => {
  const text = commandText("(i32.const 0)", `(func $main ${FOREVER}) (start $main)`);
  const { end, record } = await runText(text, { limits: { startDeadlineMs: 1000 } });
  failedWith(t, end, "limit/deadline");
  t.deepEqual(record.of("running"), []);
});

test("an init that loops is ended by the start's deadline, not by that of a call", async (t) => {
  const { end, record } = await runText(reactorText({ init: `${FOREVER} (i32.const 0)` }), {
    world: "reactor",
    limits: { callDeadlineMs: 100, startDeadlineMs: 1000 },
  });
  failedWith(t, end, "limit/deadline");
  t.like(end, { message: "init took longer than 1000 ms" });
  t.deepEqual(record.of("running"), []);
});

test("an on-timer that loops is ended by its deadline", async (t) => {
  const { end, record } = await runText(reactorText({ onTimer: `${FOREVER} (i32.const 0)` }), {
    world: "reactor",
    intervalMs: 10,
    limits: { callDeadlineMs: 100 },
  });
  failedWith(t, end, "limit/deadline");
  t.is(record.of("running").length, 1);
});

test("a health that loops is unhealthy, and ended by its deadline", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(reactorText({ health: `${FOREVER} (i32.const 0)` })),
    world: "reactor",
  });
  await record.first("running");
  t.like(await module.health(100), { healthy: false });
  failedWith(t, await module.done, "limit/deadline");
});

test("a reactor that sleeps in on-timer beyond its deadline is ended", async (t) => {
  const { end } = await runText(reactorText({ onTimer: `(call $sleep ${HOUR}) (i32.const 0)` }), {
    world: "reactor",
    intervalMs: 10,
    limits: { callDeadlineMs: 100 },
  });
  failedWith(t, end, "limit/deadline");
});

test("an init that answers with an error ends the module with its text", async (t) => {
  const { end } = await runText(reactorText({ init: "(i32.const 16)" }), { world: "reactor" });
  failedWith(t, end, "sandbox/init-failed");
  t.regex(end.kind === "failed" ? end.message : "", /not well/);
});

test("an on-timer that answers with an error is reported, the module lives on", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(reactorText({ onTimer: "(i32.const 16)" })),
    world: "reactor",
    intervalMs: 5,
  });
  await record.first("call-failed", 3);
  t.is(record.of("call-failed")[0]?.message, "not well");
  t.deepEqual(await module.health(NEVER_MS), { healthy: true });
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
});

test("a trap in on-timer ends the reactor", async (t) => {
  const { end } = await runText(reactorText({ onTimer: "unreachable" }), { world: "reactor", intervalMs: 5 });
  t.like(end, { kind: "trapped", code: "trap/wasm" });
});

test("health answers what the module says, several questions at once as well", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(reactorText({ health: "(i32.const 16)" })),
    world: "reactor",
    intervalMs: 1,
  });
  t.deepEqual(await module.health(NEVER_MS), { healthy: false, reason: "the module is starting" });
  await record.first("running");
  const answers = await Promise.all([
    module.health(NEVER_MS),
    module.health(NEVER_MS),
    module.health(NEVER_MS),
  ]);
  t.deepEqual(answers, Array(3).fill({ healthy: false, reason: "not well" }));
  await module.stop(NEVER_MS);
  t.deepEqual(await module.health(NEVER_MS), { healthy: false, reason: "the module has ended" });
});

test("memory without end: growing fails at the limit, and the module decides what then", async (t) => {
  // Grows until it fails, then exits 0 if 32 pages (2 MiB) were not exceeded.
  const body = `(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (i32.gt_u (memory.size) (i32.const 32))`;
  const { end } = await runText(commandText(body), { limits: { memoryBytes: 2 * 1024 * 1024 } });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
});

test("a component that needs more memory than granted is refused", async (t) => {
  const text = commandText("(i32.const 0)").replace(
    '(memory (export "memory") 1)',
    '(memory (export "memory") 64)',
  );
  const { end, record } = await runText(text, { limits: { memoryBytes: 2 * 1024 * 1024 } });
  failedWith(t, end, "limit/memory");
  t.deepEqual(record.of("running"), []);
});

test("tables without end: growing them fails at the limit, all together", async (t) => {
  // Grows both until it fails, then exits 0 if they do not exceed the limit together.
  const body = `
    (loop $more (br_if $more (i32.ne (table.grow $one (ref.null func) (i32.const 1000)) (i32.const -1))))
    (loop $more (br_if $more (i32.ne (table.grow $other (ref.null extern) (i32.const 1000)) (i32.const -1))))
    (i32.gt_u (i32.add (table.size $one) (table.size $other)) (i32.const ${MAX_TABLE_ELEMENTS}))`;
  const { end } = await runText(commandText(body, "(table $one 1 funcref) (table $other 1 externref)"));
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
});

test("memory that has grown to its limit is reported once, and growing it goes on failing", async (t) => {
  const body = `(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (call $print (i32.const 64) (i32.const 6)) (call $print (i32.const 64) (i32.const 6)) (i32.const 0)`;
  const { end, record } = await runText(commandText(body));
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/memory" }]);
});

test("memory that was all there from the start is no news", async (t) => {
  const body = "(call $print (i32.const 64) (i32.const 6)) (i32.const 0)";
  const { end, record } = await runText(commandText(body), { limits: { memoryBytes: 65_536 } });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(record.of("limited"), []);
});

test("timers without end: each is a handle, and the worker's heap or the handles run out, not the agent", async (t) => {
  // A reactor's timers are no different from a command's; all of them are in its own worker.
  const { end } = await runText(
    reactorText({ onTimer: `(loop $again (drop (call $host-subscribe ${HOUR})) (br $again)) (i32.const 0)` }),
    { world: "reactor", intervalMs: 1 },
  );
  failedWith(t, end, "limit/heap");
});

test("a component whose check would keep the engine busy is refused by its worker, which nothing could interrupt", async (t) => {
  const { end } = await runText(commandText("(i32.const 0)", `(func ${"nop ".repeat(MAX_FUNCTION_BYTES)})`));
  failedWith(t, end, "sandbox/component-refused");
  t.regex(end.kind === "failed" ? end.message : "", /component\/limit-exceeded/);
});

test("a flood of log lines is cut to its rate and reported once", async (t) => {
  const body = `(local $i i32) (loop $again
    (call $print (i32.const 64) (i32.const 6))
    (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000)))) (i32.const 0)`;
  const { end, record } = await runText(commandText(body), { limits: { logLinesPerSecond: 5 } });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.true(record.of("log").length >= 10 && record.of("log").length < 5000);
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/log-rate" }]);
});

test("a flood of host calls is slowed down and reported once", async (t) => {
  const body = `(local $i i32) (loop $again
    (drop (call $read-sensor))
    (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30)))) (i32.const 0)`;
  const { end, record } = await runText(commandText(body), { limits: { hostCallsPerSecond: 20 } });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/host-call-rate" }]);
});

test("a flood of messages is answered rate-limited", async (t) => {
  // 4: error code 3, "rate-limited"
  const body = `(loop $again
    (br_if $again (i32.ne (call $publish (i32.const 64) (i32.const 5)) (i32.const 4)))) (i32.const 0)`;
  const { end, record } = await runText(commandText(body), { limits: { messagesPerSecond: 2 } });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.true(record.of("published").length >= 2);
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/publish-rate" }]);
});

test("sensors opened without end are the module's end", async (t) => {
  const { end } = await runText(
    commandText("(loop $again (drop (call $open-sensor)) (br $again)) (i32.const 0)"),
  );
  failedWith(t, end, "limit/handles");
  t.regex(end.kind === "failed" ? (end.stack ?? "") : "", /wasm-function/);
});

test("host objects without end fill the worker's heap, not the agent's", async (t) => {
  const body = "(loop $again (drop (call $host-subscribe (i64.const 1))) (br $again)) (i32.const 0)";
  const { end } = await runText(commandText(body), { limits: { heapMiB: 16 } });
  failedWith(t, end, "limit/heap");
});

test("stop wakes a module that sleeps", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(commandText(`(call $sleep ${HOUR}) (i32.const 0)`)),
  });
  await record.first("running");
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
});

test("stop wakes a module that waits for a sensor", async (t) => {
  const asked = Promise.withResolvers<void>();
  const { module } = startRecorded({
    componentPath: await componentFile(commandText("(call $read-sensor)")),
    services: {
      readSensor: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    },
  });
  await asked.promise;
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
});

test("stop ends a module that spins, after its grace", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(commandText(`${FOREVER} (i32.const 0)`)),
    limits: { callDeadlineMs: NEVER_MS },
  });
  await record.first("running");
  t.deepEqual(await module.stop(20), { kind: "stopped" });
  t.deepEqual(await module.stop(20), { kind: "stopped" });
});

test("stop while starting ends the module", async (t) => {
  const { module } = startRecorded({ componentPath: await componentFile(reactorText({})), world: "reactor" });
  t.deepEqual(await module.stop(NEVER_MS), { kind: "stopped" });
});

test("modules that hang, trap and flood leave the others and the agent's thread alone", async (t) => {
  const good = startRecorded({
    componentPath: await componentFile(
      reactorText({ onTimer: "(drop (call $publish (i32.const 64) (i32.const 5))) (i32.const 0)" }),
    ),
    world: "reactor",
    intervalMs: 20,
    limits: { messagesPerSecond: 1000 },
  });
  await good.record.first("published");
  const sleeping = startRecorded({
    componentPath: await componentFile(commandText(`(call $sleep ${HOUR}) (i32.const 0)`)),
  });
  const spinning = await runText(commandText(`${FOREVER} (i32.const 0)`), {
    limits: { callDeadlineMs: 200 },
  });
  const trapping = await runText(commandText("unreachable"));
  failedWith(t, spinning.end, "limit/deadline");
  t.is(trapping.end.kind, "trapped");
  await good.record.first("published", good.record.of("published").length + 3);
  t.deepEqual(await sleeping.module.stop(NEVER_MS), { kind: "stopped" });
  t.deepEqual(await good.module.stop(NEVER_MS), { kind: "stopped" });
});
