/** What a module's worker has open of the system's when the module is ended. */

import { readdirSync, readlinkSync } from "node:fs";
import test from "ava";
import { componentFile, reactorText } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

const RANDOM_FOR_EVER = reactorText(
  { onTimer: "(loop $again (call $random (i64.const 50000) (i32.const 2048)) (br $again)) (i32.const 0)" },
  "",
  {
    definitions: `
      (import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
      (core func $random-bytes (canon lower (func $random "get-random-bytes") (memory $mem) (realloc $realloc)))
      (core instance $device (export "random" (func $random-bytes)))`,
    coreImports: '(import "device" "random" (func $random (param i64 i32)))',
    coreInstances: '(with "device" (instance $device))',
  },
);
/** It is in the middle of a read about every second time that it is ended. */
const ENDS = 8;

function openRandomDevices(): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === "/dev/urandom";
    } catch {
      return false;
    }
  }).length;
}

test("a module that is ended in the middle of reading random bytes leaves no descriptor open", async (t) => {
  const before = openRandomDevices();
  for (let end = 0; end < ENDS; end += 1) {
    const { module } = startRecorded({
      componentPath: await componentFile(RANDOM_FOR_EVER),
      world: "reactor",
      intervalMs: 10,
      limits: { callDeadlineMs: 300 },
    });
    t.like(await module.done, { kind: "failed", code: "limit/deadline" });
  }
  t.is(openRandomDevices(), before);
});
