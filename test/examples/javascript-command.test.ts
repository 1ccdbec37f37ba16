/** The command in JavaScript, built by its script with what `npm ci` installs, and run as its author would. */

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { skerry } from "../support/skerry-command.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const SUMMARY = join(EXAMPLES, "summary-js");

test("a command in JavaScript prints, sleeps, reads a sensor, publishes, and says by its exit code how it went", async (t) => {
  t.timeout(120_000);
  const folder = await mkdtemp(join(tmpdir(), "skerry-summary-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const component = join(folder, "summary.wasm");
  await promisify(execFile)(join(SUMMARY, "build.sh"), [component]);

  const device = ["--manifest", join(SUMMARY, "module.toml"), "--policy", join(EXAMPLES, "device.toml")];
  const environment = ["--env", "SAMPLES=3", "--env", "PERIOD_MS=10", "--env", "ROUNDS=2"];
  const run = (...args: string[]) => skerry(["module", "run", component, ...device, ...args]);
  const summary = await run(...environment);
  t.is(summary.code, 0, summary.stderr);
  t.regex(summary.stdout.toString(), /^(3 samples: 2\d\.\d\d ≤ 2\d\.\d\d ≤ 2\d\.\d\d Cel\n){2}$/);
  t.regex(summary.stderr, /^(published telemetry\/summary: \{"minimum":2[\d.]+,.*"unit":"Cel"\}\n){2}$/);

  // toFixed of what is no number: its own error, caught.
  const failed = await run("--env", "SAMPLES=-1", "--env", "ROUNDS=1");
  t.is(failed.code, 1);
  t.regex(failed.stdout.toString(), /^gave up: /);
});
