/** What a worker tells of its reactor. */

import test from "ava";
import { decodeFrame } from "../../sandbox/channel.ts";
import { createControlMemory } from "../../sandbox/control-block.ts";
import { ModuleSession } from "../../sandbox/module-session.ts";
import { startReactor } from "../../sandbox/run-reactor.ts";

/** The frames of a reactor that exports these functions, by interface. */
function toldBy(interfaces: Readonly<Record<string, object>>): unknown[] {
  const told: unknown[] = [];
  const session = new ModuleSession(
    { postMessage: (frame) => told.push(decodeFrame(frame).head) },
    createControlMemory(),
  );
  const exports = Object.keys(interfaces).map((name) => ({ name }));
  startReactor(session, { exports, instance: { exports: interfaces, memoryBytes: () => 0 } });
  return told;
}

const ok = () => undefined;
const LIFECYCLE = { "skerry:module/lifecycle@0.1.0": { init: ok, health: ok } };

test("a reactor without a timer's function is not to be woken by the timer", (t) => {
  t.deepEqual(toldBy(LIFECYCLE), [{ kind: "initializing" }, { kind: "running", hasTimer: false }]);
  const timed = toldBy({ ...LIFECYCLE, "skerry:module/timer-handler@0.1.0": { onTimer: ok } });
  t.deepEqual(timed.at(-1), { kind: "running", hasTimer: true });
});
