import test from "ava";
import { coversFilter, topicFilterProblem } from "../../devices/topic-filter.ts";

const covered: readonly (readonly [wide: string, narrow: string])[] = [
  ["telemetry/#", "telemetry/temperature"],
  ["telemetry/#", "telemetry"],
  ["telemetry/#", "telemetry/#"],
  ["telemetry/#", "telemetry/+/state"],
  ["#", "anything/at/all"],
  ["#", "#"],
  ["+/state", "pump/state"],
  ["+/state", "+/state"],
  ["a/+/c", "a/b/c"],
  ["a/+/#", "a/b"],
];
for (const [wide, narrow] of covered) {
  test(`MQTT 5 §4.7.1: ${wide} covers ${narrow}`, (t) => t.true(coversFilter(wide, narrow)));
}

const notCovered: readonly (readonly [wide: string, narrow: string])[] = [
  ["telemetry/#", "telemetryx"],
  ["telemetry/temperature", "telemetry/#"],
  ["telemetry/+", "telemetry/#"],
  ["telemetry/+", "telemetry"],
  ["telemetry/+", "telemetry/a/b"],
  ["a/b", "a/+"],
  ["+", "#"],
  ["a/+/#", "a"],
  ["a/b/c", "a/b"],
];
for (const [wide, narrow] of notCovered) {
  test(`MQTT 5 §4.7.1: ${wide} does not cover ${narrow}`, (t) => t.false(coversFilter(wide, narrow)));
}

for (const filter of ["telemetry/#", "+", "#", "a/+/b", "grüße/+"]) {
  test(`${filter} is a topic filter`, (t) => t.is(topicFilterProblem(filter), undefined));
}

const refused = [
  "",
  "a//b",
  "/a",
  "a/",
  "a/#/b",
  "a#",
  "a/b+",
  "a\u0000b",
  "a/\n",
  "a".repeat(257),
  `${"a/".repeat(40)}a`,
];
for (const filter of refused) {
  test(`${JSON.stringify(filter).slice(0, 20)} is no topic filter`, (t) => {
    t.is(typeof topicFilterProblem(filter), "string");
  });
}
