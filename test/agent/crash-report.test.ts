import test from "ava";
import { type Crash, crashReport, crashSummary, RecentLines } from "../../agent/crash-report.ts";
import { CRASH_LOG_LINES } from "../../agent/limits.ts";

const stack = Array.from({ length: 20 }, (_, index) => `f${index} (wasm-function[${index}]:0x1)`).join("\n");
const trap: Crash = { kind: "trapped", code: "trap/wasm", message: "unreachable", stack };
const limit: Crash = { kind: "failed", code: "limit/deadline", message: "took too long" };

test("a report keeps the last lines of the log only", (t) => {
  const log = new RecentLines();
  for (let line = 0; line < 1000; line += 1) log.add("info", `line ${line}`);
  const report = crashReport("acme/a@1.0.0", trap, log);
  t.is(report.length, 1 + 20 + 1 + CRASH_LOG_LINES);
  t.is(report.at(-1), "    info: line 999");
  t.is(report.at(-CRASH_LOG_LINES), `    info: line ${1000 - CRASH_LOG_LINES}`);
});

test("a summary fits an event, however long names and lines are", (t) => {
  const log = new RecentLines();
  for (let line = 0; line < 10; line += 1) log.add("error", '"\n'.repeat(1000));
  t.true(crashSummary(trap, log).length < 1024);
  t.regex(crashSummary(trap, log), /^unreachable; at f0 .* < f4 [^<]*; last log lines: /);
});

test("a limit has no stack to tell", (t) => {
  t.deepEqual(crashReport("acme/a@1.0.0", limit, new RecentLines()), [
    "acme/a@1.0.0 was ended: took too long (limit/deadline)",
  ]);
  t.is(crashSummary(limit, new RecentLines()), "took too long");
});
