/** WASI 0.2 as a module's worker supplies it, called the way the linker calls it. */

import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { decodeFrame, type WorkerStart } from "../../sandbox/channel.ts";
import { AgentControl, createControlMemory } from "../../sandbox/control-block.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import { WASI_INTERFACES } from "../../sandbox/imports.ts";
import { MAX_RANDOM_BYTES, RANDOM_MEMORY_DIVISOR } from "../../sandbox/limits.ts";
import { LogRate } from "../../sandbox/log-rate.ts";
import { ModuleOver, ModuleSession } from "../../sandbox/module-session.ts";
import { createClocks, type WallClock } from "../../sandbox/wasi/clocks.ts";
import { createWasiHost } from "../../sandbox/wasi/host.ts";
import { createPolling } from "../../sandbox/wasi/poll.ts";
import { createRandom } from "../../sandbox/wasi/random.ts";
import { createStdio, ModuleLog } from "../../sandbox/wasi/stdio.ts";

const start: WorkerStart = {
  name: "acme/test",
  componentPath: "",
  world: "command",
  env: { THERMO_PERIOD_MS: "10", EMPTY: "" },
  args: ["--verbose"],
  folders: [],
  stdio: "log",
  grants: { sensors: [], serial: [], publish: [] },
  memoryBytes: 1024,
  logLinesPerSecond: 100,
  logBytesPerSecond: 10_000,
  writtenBytesPerSecond: 1024 ** 3,
};

function newSession() {
  const messages: unknown[] = [];
  const memory = createControlMemory();
  const session = new ModuleSession(
    { postMessage: (frame) => messages.push(decodeFrame(frame).head) },
    memory,
  );
  return { session, messages, agent: new AgentControl(memory) };
}

function clocksOf(session: ModuleSession) {
  const polling = createPolling(session);
  return { polling, ...createClocks(session, polling) };
}

test("every interface that is always granted is there", async (t) => {
  const host = await createWasiHost(newSession().session, start, true);
  for (const name of WASI_INTERFACES) {
    t.true(Object.keys(host.interfaces[name]).length > 0, name);
  }
});

test("the file system's types are loaded only for components that import them", async (t) => {
  const host = await createWasiHost(newSession().session, start, false);
  t.deepEqual(Object.keys(host.interfaces["wasi:filesystem/types"]), []);
});

test("the environment is the manifest's, nothing of the host's", async (t) => {
  const { interfaces } = await createWasiHost(newSession().session, start, false);
  const environment = interfaces["wasi:cli/environment"];
  const asked = (name: string) => Reflect.apply(Reflect.get(environment, name), environment, []);
  t.deepEqual(asked("getEnvironment"), [
    ["THERMO_PERIOD_MS", "10"],
    ["EMPTY", ""],
  ]);
  t.deepEqual(asked("getArguments"), ["acme/test", "--verbose"]);
});

test("there is not a single folder", async (t) => {
  const { interfaces } = await createWasiHost(newSession().session, start, true);
  const preopens = interfaces["wasi:filesystem/preopens"];
  t.deepEqual(Reflect.apply(Reflect.get(preopens, "getDirectories"), preopens, []), []);
});

test("the monotonic clock rises and counts in nanoseconds", (t) => {
  const { monotonicClock } = clocksOf(newSession().session);
  const before = process.hrtime.bigint();
  const first = monotonicClock.now();
  monotonicClock.subscribeDuration(5_000_000n).block();
  const passed = monotonicClock.now() - first;
  t.true(passed >= 5_000_000n);
  t.true(passed <= process.hrtime.bigint() - before);
});

test("the wall clock tells the host's time", (t) => {
  const { wallClock } = clocksOf(newSession().session);
  const before = Math.floor(Date.now() / 1000);
  const { seconds, nanoseconds } = wallClock.now();
  t.true(Number(seconds) >= before && nanoseconds >= 0 && nanoseconds < 1e9);
});

function wallNs(wallClock: WallClock): bigint {
  const { seconds, nanoseconds } = wallClock.now();
  return seconds * 1_000_000_000n + BigInt(nanoseconds);
}

test("the wall clock counts within the system's millisecond, and never back", (t) => {
  const { wallClock } = clocksOf(newSession().session);
  let last = 0n;
  for (let count = 0; count < 10_000; count += 1) {
    const beforeMs = BigInt(Date.now());
    const now = wallNs(wallClock);
    t.true(now >= beforeMs * 1_000_000n && now < (BigInt(Date.now()) + 1n) * 1_000_000n);
    t.true(now >= last);
    last = now;
  }
});

test("the wall clock is not behind the times of files just written", (t) => {
  const { wallClock } = clocksOf(newSession().session);
  const folder = mkdtempSync(join(tmpdir(), "skerry-clock-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "file");
  for (let count = 0; count < 200; count += 1) {
    writeFileSync(path, String(count));
    const { mtimeNs } = statSync(path, { bigint: true });
    t.true(wallNs(wallClock) >= mtimeNs);
  }
});

test("the wall clock follows the system's when that is set", (t) => {
  const { wallClock } = clocksOf(newSession().session);
  const systemNow = Date.now;
  const before = wallNs(wallClock);
  try {
    for (const [hours, shifted] of [
      [1, 3_600_000_000_000n],
      [-1, -3_600_000_000_000n],
    ] as const) {
      Date.now = () => systemNow() + hours * 3_600_000;
      const passed = wallNs(wallClock) - before - shifted;
      t.true(passed > -1_000_000n && passed < 60_000_000_000n);
    }
  } finally {
    Date.now = systemNow;
  }
});

test("a timer is not ready before its time, and block returns when it is", (t) => {
  const { monotonicClock } = clocksOf(newSession().session);
  const untilNs = monotonicClock.now() + 20_000_000n;
  const timer = monotonicClock.subscribeInstant(untilNs);
  t.false(timer.ready());
  timer.block();
  t.true(timer.ready());
  t.true(monotonicClock.now() >= untilNs);
});

test("a timer of no time, and one in the past, are ready at once", (t) => {
  const { monotonicClock } = clocksOf(newSession().session);
  t.true(monotonicClock.subscribeDuration(0n).ready());
  t.true(monotonicClock.subscribeInstant(0n).ready());
});

test("the longest duration does not wrap around", (t) => {
  const { monotonicClock } = clocksOf(newSession().session);
  t.false(monotonicClock.subscribeDuration(2n ** 64n - 1n).ready());
});

test("poll answers the indices that are ready, after the first of them", (t) => {
  const { polling, monotonicClock } = clocksOf(newSession().session);
  const late = monotonicClock.subscribeDuration(3_600_000_000_000n);
  const soon = monotonicClock.subscribeDuration(10_000_000n);
  const now = monotonicClock.subscribeDuration(0n);
  t.deepEqual([...polling.poll.poll([late, soon, now])], [2]);
  t.deepEqual([...polling.poll.poll([late, soon])], [1]);
  t.deepEqual([...polling.poll.poll([soon, late, now, now])], [0, 2, 3]);
});

test("poll of very many waits for the first of them", (t) => {
  const { polling, monotonicClock } = clocksOf(newSession().session);
  const late = Array<ReturnType<typeof polling.timer>>(300_000).fill(
    monotonicClock.subscribeDuration(3_600_000_000_000n),
  );
  t.deepEqual([...polling.poll.poll([...late, monotonicClock.subscribeDuration(10_000_000n)])], [300_000]);
});

test("poll of nothing is the guest's error", (t) => {
  const { polling } = clocksOf(newSession().session);
  t.throws(() => polling.poll.poll([]), { message: /empty list/ });
});

test("a stop ends a block, and every later call", (t) => {
  const { session, agent } = newSession();
  const { monotonicClock, polling } = clocksOf(session);
  const timer = monotonicClock.subscribeDuration(3_600_000_000_000n);
  agent.requestStop();
  t.throws(() => timer.block(), { instanceOf: ModuleOver });
  t.throws(() => polling.poll.poll([timer]), { instanceOf: ModuleOver });
  t.throws(() => monotonicClock.now(), { instanceOf: ModuleOver });
  t.deepEqual(session.end, { kind: "stopped" });
});

test("every call of the host feeds the watchdog", (t) => {
  const { session, agent } = newSession();
  const { monotonicClock } = clocksOf(session);
  const before = agent.activityCount();
  monotonicClock.now();
  t.true(agent.activityCount() > before);
  t.false(agent.isWaiting());
});

test("random bytes come in the length asked for, and differ", (t) => {
  const { random, insecure } = createRandom(newSession().session, start.memoryBytes);
  t.is(random.getRandomBytes(0n).byteLength, 0);
  t.is(random.getRandomBytes(100_000n).byteLength, 100_000);
  t.notDeepEqual(random.getRandomBytes(32n), random.getRandomBytes(32n));
  t.not(insecure.getInsecureRandomU64(), insecure.getInsecureRandomU64());
});

test("random bytes: the more memory a module has, the more it may ask for at once", (t) => {
  const { random } = createRandom(newSession().session, MAX_RANDOM_BYTES * RANDOM_MEMORY_DIVISOR + 1600);
  t.is(random.getRandomBytes(BigInt(MAX_RANDOM_BYTES + 100)).byteLength, MAX_RANDOM_BYTES + 100);
  t.throws(() => random.getRandomBytes(BigInt(MAX_RANDOM_BYTES + 101)), { code: "limit/memory" });
});

test("random bytes without bound are refused", (t) => {
  const { random } = createRandom(newSession().session, start.memoryBytes);
  for (const length of [BigInt(MAX_RANDOM_BYTES) + 1n, 2n ** 64n - 1n]) {
    t.throws(() => random.getRandomBytes(length), { instanceOf: SandboxError, code: "limit/memory" });
  }
});

test("stdin is closed", (t) => {
  const { session } = newSession();
  const stdin = createStdio(
    session,
    new ModuleLog(session, new LogRate(10, 1000)),
    createPolling(session),
  ).stdin.getStdin();
  const thrown = t.throws(() => stdin.blockingRead(10n), { any: true });
  t.deepEqual(thrown as unknown, { tag: "closed" });
});

test("stdout outlives the streams that were got and dropped before, as Rust's standard library does", (t) => {
  const { session, messages } = newSession();
  const { stdout } = createStdio(
    session,
    new ModuleLog(session, new LogRate(10, 1000)),
    createPolling(session),
  );
  for (const text of ["one\n", "two\n"]) {
    const stream = stdout.getStdout();
    stream.blockingWriteAndFlush(Buffer.from(text));
    stream[Symbol.dispose]?.();
  }
  t.like(messages, [
    { kind: "log", level: "info", text: "one" },
    { kind: "log", level: "info", text: "two" },
  ]);
});

test("a flush does not break a line in two", (t) => {
  const { session, messages } = newSession();
  const stderr = createStdio(
    session,
    new ModuleLog(session, new LogRate(10, 1000)),
    createPolling(session),
  ).stderr.getStderr();
  stderr.blockingWriteAndFlush(Buffer.from("one "));
  stderr.blockingWriteAndFlush(Buffer.from("line\n"));
  t.deepEqual(messages, [{ kind: "log", level: "error", text: "one line" }]);
});

test("log lines beyond the rate are dropped in the worker already, and counted", (t) => {
  const { session, messages } = newSession();
  const log = new ModuleLog(session, new LogRate(1, 1000));
  for (let line = 0; line < 1000; line += 1) {
    log.line("info", "flood");
  }
  t.deepEqual(messages.slice(0, 3), [
    { kind: "log", level: "info", text: "flood" },
    { kind: "log", level: "info", text: "flood" },
    { kind: "log-dropped", lines: 1 },
  ]);
  t.true(messages.length < 10);
});
