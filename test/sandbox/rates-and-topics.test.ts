/** The small pure parts of the sandbox: rates, topics, log lines. */

import test from "ava";
import fc from "fast-check";
import { MAX_LOG_LINE_LENGTH, MAX_TOPIC_BYTES } from "../../sandbox/limits.ts";
import { TokenBucket } from "../../sandbox/token-bucket.ts";
import { isValidTopic, topicMatches } from "../../sandbox/topic-filter.ts";
import { LogLines } from "../../sandbox/wasi/log-lines.ts";

test("a bucket lets a burst pass, then its rate", (t) => {
  const bucket = new TokenBucket(10, 5, 0);
  t.deepEqual(
    Array.from({ length: 7 }, () => bucket.take(1, 0)),
    [true, true, true, true, true, false, false],
  );
  t.false(bucket.take(1, 99));
  t.true(bucket.take(1, 200));
});

test("a bucket never gives more than its burst and its rate, whenever it is asked", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 500 })), (pausesMs) => {
      const bucket = new TokenBucket(20, 4, 0);
      let nowMs = 0;
      let taken = 0;
      for (const pauseMs of pausesMs) {
        nowMs += pauseMs;
        taken += bucket.take(1, nowMs) ? 1 : 0;
      }
      return taken <= 4 + (nowMs * 20) / 1000;
    }),
  );
  t.pass();
});

test("a reserved token says how long to wait for it", (t) => {
  const bucket = new TokenBucket(10, 1, 0);
  t.is(bucket.reserve(1, 0), 0);
  t.is(bucket.reserve(1, 0), 100);
  t.is(bucket.reserve(1, 0), 200);
  t.is(bucket.reserve(1, 300), 0);
});

test("a clock that goes backwards gives no tokens", (t) => {
  const bucket = new TokenBucket(10, 1, 1000);
  t.true(bucket.take(1, 1000));
  t.false(bucket.take(1, 0));
});

for (const [filter, topic, matches] of [
  ["telemetry/temperature", "telemetry/temperature", true],
  ["telemetry/temperature", "telemetry/humidity", false],
  ["telemetry/#", "telemetry/a/b/c", true],
  ["telemetry/#", "telemetry", true],
  ["telemetry/#", "telemetryx/a", false],
  ["#", "anything/at/all", true],
  ["+/state", "pump/state", true],
  ["+/state", "pump/a/state", false],
  ["+", "pump/state", false],
  ["telemetry/+", "telemetry", false],
  ["#/telemetry", "a/telemetry", false],
  ["", "telemetry", false],
] as const) {
  test(`filter "${filter}" ${matches ? "grants" : "does not grant"} "${topic}"`, (t) => {
    t.is(topicMatches(filter, topic), matches);
  });
}

for (const [what, topic] of Object.entries({
  empty: "",
  "starting with a slash": "/a",
  "ending with a slash": "a/",
  "with an empty level": "a//b",
  "with a plus": "a/+/b",
  "with a hash": "a/#",
  "with a line break": "a\nb",
  "with NUL": "a\0b",
  "too long": "a".repeat(MAX_TOPIC_BYTES + 1),
  "too long in bytes": "é".repeat(MAX_TOPIC_BYTES / 2 + 1),
})) {
  test(`a topic is invalid: ${what}`, (t) => {
    t.false(isValidTopic(topic));
  });
}

test("a topic of the greatest length is valid", (t) => {
  t.true(isValidTopic("a".repeat(MAX_TOPIC_BYTES)));
  t.true(isValidTopic("telemetry/°C/é"));
});

function linesOf(...pieces: (string | Uint8Array)[]): { written: string[]; ended: string[] } {
  const emitted: string[] = [];
  const lines = new LogLines((line) => emitted.push(line));
  for (const piece of pieces) {
    lines.write(typeof piece === "string" ? Buffer.from(piece) : piece);
  }
  const written = [...emitted];
  lines.end();
  return { written, ended: emitted.slice(written.length) };
}

test("log lines end with their line break, however they were written", (t) => {
  t.deepEqual(linesOf("one\ntw", "o\r\n", "\nthr"), { written: ["one", "two", ""], ended: ["thr"] });
});

test("a character that is split between two writes stays whole", (t) => {
  t.deepEqual(linesOf(Uint8Array.of(0xc2), Uint8Array.of(0xb0, 0x43, 0x0a)).written, ["°C"]);
});

test("a line without end is cut instead of kept", (t) => {
  const { written, ended } = linesOf("x".repeat(MAX_LOG_LINE_LENGTH * 2 + 1), "y\n");
  t.deepEqual(
    [...written, ...ended].map((line) => line.length),
    [MAX_LOG_LINE_LENGTH, MAX_LOG_LINE_LENGTH, 1, 1],
  );
});
