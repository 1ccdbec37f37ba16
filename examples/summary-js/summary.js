/** A command in JavaScript: takes some samples of a sensor, publishes and prints their minimum, mean and maximum, and begins anew. */

import { open } from "skerry:device/sensor@0.1.0";
import { publish } from "skerry:module/messaging@0.1.0";
import { getEnvironment } from "wasi:cli/environment@0.2.12";
import { getStdout } from "wasi:cli/stdout@0.2.12";
import { subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.12";

/** UTF-8: QuickJS has no TextEncoder. */
function encode(text) {
  const escaped = encodeURIComponent(text);
  return Uint8Array.from(escaped.match(/%..|./g) ?? [], (part) =>
    part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0),
  );
}

/** There is no console: a line on stdout is a line of the module's log. One write takes at most 4096 bytes. */
function print(text) {
  const bytes = encode(`${text}\n`);
  const stdout = getStdout();
  for (let from = 0; from < bytes.length; from += 4096)
    stdout.blockingWriteAndFlush(bytes.subarray(from, from + 4096));
}

/** There is no setTimeout: the clock's own wait. A u64 is a plain number here. */
function sleep(milliseconds) {
  subscribeDuration(milliseconds * 1_000_000).block();
}

function sample(sensor, count, periodMs) {
  const readings = [];
  while (readings.length < count) {
    if (readings.length > 0) sleep(periodMs);
    readings.push(sensor.read());
  }
  const values = readings.map(({ value }) => value);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { minimum: Math.min(...values), mean, maximum: Math.max(...values), unit: readings[0].unit };
}

export const run = {
  run() {
    const environment = new Map(getEnvironment());
    const count = Number(environment.get("SAMPLES") ?? 10);
    const periodMs = Number(environment.get("PERIOD_MS") ?? 1000);
    const rounds = Number(environment.get("ROUNDS") ?? Number.POSITIVE_INFINITY);
    try {
      const sensor = open("ambient");
      for (let round = 0; round < rounds; round += 1) {
        const { minimum, mean, maximum, unit } = sample(sensor, count, periodMs);
        publish("telemetry/summary", encode(JSON.stringify({ minimum, mean, maximum, unit })));
        print(`${count} samples: ${minimum.toFixed(2)} ≤ ${mean.toFixed(2)} ≤ ${maximum.toFixed(2)} ${unit}`);
      }
    } catch (error) {
      // What an import answers as its error has a payload. To throw nothing ends the command with exit code 1; an Error would trap.
      print(`gave up: ${error.payload ?? error}`);
      throw undefined;
    }
  },
};
