/** Reactors that call the host more often than they may, in real workers: ended by that limit's name if it is what took a call's time. */

import test from "ava";
import { componentFile, reactorText } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

const READ_FOR_EVER = "(loop $again (drop (call $read-sensor)) (br $again)) (i32.const 0)";
const READ_THREE_TIMES = `${"(drop (call $read-sensor)) ".repeat(3)} (i32.const 0)`;
const READ_ONCE_AND_COMPUTE = "(drop (call $read-sensor)) (loop $again (br $again)) (i32.const 0)";

for (const call of ["init", "onTimer"] as const) {
  test(`limit/host-call-rate: a reactor whose ${call} waits for it until its deadline is ended by that name`, async (t) => {
    const { module, record } = startRecorded({
      componentPath: await componentFile(reactorText({ [call]: READ_FOR_EVER })),
      world: "reactor",
      intervalMs: 10,
      limits: { callDeadlineMs: 5_000, startDeadlineMs: 5_000, hostCallsPerSecond: 0.1 },
    });
    const end = await module.done;
    t.like(end, { kind: "failed", code: "limit/host-call-rate" });
    t.regex(
      end.kind === "failed" ? end.message : "",
      /5000 ms, most of it waiting for its turn to call the host/,
    );
    t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/host-call-rate" }]);
  });
}

test("limit/deadline: waiting in an earlier call, or for a small part of one, is no reason", async (t) => {
  const { module, record } = startRecorded({
    componentPath: await componentFile(
      reactorText({ init: READ_THREE_TIMES, onTimer: READ_ONCE_AND_COMPUTE }),
    ),
    world: "reactor",
    intervalMs: 10,
    limits: { callDeadlineMs: 5_000, hostCallsPerSecond: 1 },
  });
  t.like(await module.done, { kind: "failed", code: "limit/deadline" });
  t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/host-call-rate" }]);
});
