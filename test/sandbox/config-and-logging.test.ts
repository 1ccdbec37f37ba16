/** Proposals of WASI in a worker: wasi:config's values and wasi:logging's lines. */

import test from "ava";
import { configCommandText } from "../support/config-module.ts";
import { componentFile } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

const GRANTS = { sensors: [], serial: [], publish: [] };

async function linesOf(body: string, config?: Readonly<Record<string, string>>) {
  const componentPath = await componentFile(configCommandText(body));
  const grants = config === undefined ? GRANTS : { ...GRANTS, config };
  const { module, record } = startRecorded({ componentPath, grants });
  const end = await module.done;
  return { end, lines: record.of("log").map(({ level, text }) => `${level} ${text}`) };
}

test("wasi:config tells a module its values, and of others that there are none", async (t) => {
  const { end, lines } = await linesOf("", { setpoint: "21.5" });
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.deepEqual(lines, ["info setpoint: 21.5"]);
  t.deepEqual((await linesOf("", { "set-point": "21.5" })).lines, ["info setpoint: none"]);
  t.deepEqual((await linesOf("")).lines, ["info setpoint: none"]);
});

test("wasi:logging: each level is one of the log's, a level of its own and the context stand before the text, lines are lines", async (t) => {
  const levels = [0, 3, 5].map(
    (level) => `(call $log (i32.const ${level}) (i32.const 0) (i32.const 0) (i32.const 128) (i32.const 12))`,
  );
  const { lines } = await linesOf(levels.join("\n"));
  t.deepEqual(lines, [
    "info setpoint: none",
    ...["info trace: first", "info second"],
    ...["warning first", "warning second"],
    ...["error critical: first", "error second"],
  ]);
});

test("limit/log-rate: a flood through wasi:logging is cut like that of stdout", async (t) => {
  const flood = `(loop $again (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 128) (i32.const 5)) (br $again))`;
  const componentPath = await componentFile(configCommandText(flood));
  const { module, record } = startRecorded({ componentPath, grants: GRANTS });
  await record.first("limited");
  t.like(record.of("limited")[0], { code: "limit/log-rate" });
  await module.stop(0);
});
