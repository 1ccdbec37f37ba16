import test from "ava";
import { endOf, judge, observe, UNSEEN } from "../../ota/health.ts";
import type { ModuleFact } from "../../ota/runner.ts";

const EVERYTHING = { windowMs: 10_000, require: ["alive", "telemetry", "health"] } as const;
const ALIVE: ModuleFact = { kind: "alive" };
const TELEMETRY: ModuleFact = { kind: "telemetry" };
const OK: ModuleFact = { kind: "health-ok" };
const WRONG: ModuleFact = { kind: "health-failed", message: "no sensor" };

for (const [what, facts, message] of [
  ["all three are seen", [ALIVE, TELEMETRY, OK], undefined],
  ["the last answer of health is ok", [ALIVE, WRONG, TELEMETRY, OK], undefined],
  ["nothing came alive", [TELEMETRY, OK], "it did not come alive within its window of 10s"],
  ["it published nothing", [ALIVE, OK], "it published no telemetry within its window of 10s"],
  ["health was never answered", [ALIVE, TELEMETRY], "its health was not answered within its window of 10s"],
  [
    "the last answer of health is not ok",
    [ALIVE, TELEMETRY, OK, WRONG],
    "its health says: no sensor within its window of 10s",
  ],
  [
    "nothing was seen",
    [],
    "it did not come alive, it published no telemetry, its health was not answered within its window of 10s",
  ],
  [
    "it ended",
    [ALIVE, TELEMETRY, OK, { kind: "exited", exitCode: 0 }],
    "it did not come alive within its window of 10s",
  ],
] as const satisfies readonly (readonly [string, readonly ModuleFact[], string | undefined])[]) {
  test(`a trial is ${message === undefined ? "healthy" : "unhealthy"} when ${what}`, (t) => {
    const verdict = judge(facts.reduce<typeof UNSEEN>(observe, UNSEEN), EVERYTHING);
    t.deepEqual(verdict, message === undefined ? undefined : { code: "trial/unhealthy", message });
  });
}

test("what is not required is not missed", (t) => {
  t.is(judge(observe(UNSEEN, ALIVE), { windowMs: 1_000, require: ["alive"] }), undefined);
});

test("traps, limits and exits end a run; in a trial under the trial's codes", (t) => {
  const trap: ModuleFact = { kind: "trap", code: "trap/wasm", message: "unreachable" };
  t.deepEqual(endOf(trap, true), { code: "trial/trap", message: "trap/wasm: unreachable" });
  t.deepEqual(endOf(trap, false), { code: "trap/wasm", message: "unreachable" });
  t.is(endOf({ kind: "limit", code: "limit/memory", message: "2 MiB" }, true)?.code, "trial/limit");
  t.is(endOf({ kind: "exited", exitCode: 3 }, true)?.code, "trial/exited");
  t.is(endOf(ALIVE, true), undefined);
});
