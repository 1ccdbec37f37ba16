/** The same warning again and again: told at growing distances, and once when it is over. */

import test from "ava";
import {
  MAX_REPEATED_TEXTS,
  REPEATED_WARNING_CAP_MS,
  REPEATED_WARNING_PAUSE_MS,
} from "../../agent/limits.ts";
import { deviceWarnings, RepeatedWarnings } from "../../agent/repeated-warnings.ts";
import { openDevices } from "../../devices/registry.ts";

const POLL_MS = 500;
const DAY_MS = 86_400_000;

/** Warnings whose lines are kept, each with its level. */
function recorded(): { readonly warnings: RepeatedWarnings; readonly lines: string[] } {
  const lines: string[] = [];
  return { warnings: new RepeatedWarnings((level, text) => lines.push(`${level}: ${text}`)), lines };
}

test("what fails at each poll is told at once, then at distances that double up to the longest", (t) => {
  const told: number[] = [];
  let nowMs = 0;
  const warnings = new RepeatedWarnings(() => told.push(nowMs));
  for (; nowMs < DAY_MS; nowMs += POLL_MS) warnings.failed("on-timer", "on-timer: unavailable", nowMs);
  const distances = told.slice(1).map((each, index) => each - (told[index] ?? 0));
  t.deepEqual(
    distances.slice(0, 4),
    [1, 2, 4, 8].map((times) => times * REPEATED_WARNING_PAUSE_MS),
  );
  t.is(Math.max(...distances), REPEATED_WARNING_CAP_MS);
});

test("a line that comes again says how often it was left out", (t) => {
  const { warnings, lines } = recorded();
  for (let nowMs = 0; nowMs <= REPEATED_WARNING_PAUSE_MS; nowMs += REPEATED_WARNING_PAUSE_MS / 4)
    warnings.failed("on-timer", "unavailable", nowMs);
  t.deepEqual(lines, ["warning: unavailable", "warning: unavailable (and 3 times since it was told)"]);
});

test("that it works again is told once, and a failure long after that at once", (t) => {
  const { warnings, lines } = recorded();
  warnings.succeeded("on-timer", 0);
  warnings.failed("on-timer", "unavailable", 1);
  warnings.failed("on-timer", "unavailable", 2);
  warnings.succeeded("on-message", 3);
  t.is(lines.length, 1);
  warnings.succeeded("on-timer", 4);
  warnings.succeeded("on-timer", 5);
  warnings.failed("on-timer", "unavailable", DAY_MS);
  t.deepEqual(lines, ["warning: unavailable", "info: on-timer works again", "warning: unavailable"]);
});

test("what fails and works in turns is told once a minute", (t) => {
  const { warnings, lines } = recorded();
  const minutes = 10;
  for (let nowMs = 0; nowMs < minutes * REPEATED_WARNING_PAUSE_MS; nowMs += POLL_MS) {
    warnings.failed("on-timer", "unavailable", nowMs);
    warnings.succeeded("on-timer", nowMs);
  }
  t.is(lines.length, 2 * minutes);
});

test("another text is told at once; of endless texts those beyond the first few are told as one", (t) => {
  const { warnings, lines } = recorded();
  for (let index = 0; index < 100; index++) warnings.failed("on-timer", `at ${index}`, index);
  t.is(lines.length, MAX_REPEATED_TEXTS + 1);
  t.true(lines.includes("warning: at 1"));
});

test("a sensor that is out is told once for all its readings, with its module, and that it is back", async (t) => {
  const lines: string[] = [];
  const log = (level: string, text: string, details = {}) =>
    void lines.push(`${level}: ${text} ${JSON.stringify(details)}`);
  const sensor = { driver: "hwmon", chip: "lm75", channel: "temp1", device: undefined } as const;
  const policy = { sensors: new Map([["ambient", sensor]]), serialPorts: new Map(), grants: [] };
  const warnings = deviceWarnings(log, () => 0);
  const devices = await openDevices(policy, { ...warnings, hwmonFolder: "/skerry-none" });
  const module = devices.forModule("acme/thermo", { sensors: ["ambient"], serial: [] });
  for (let poll = 0; poll < 5; poll++) await module.readSensor("ambient");
  t.is(lines.length, 1);
  t.regex(lines[0] ?? "", /^warning: .*ambient.* \{"module":"acme\/thermo"\}$/);
  warnings.onSuccess("acme/thermo", "reading sensor ambient");
  t.is(lines[1], 'info: reading sensor ambient works again {"module":"acme/thermo"}');
});
