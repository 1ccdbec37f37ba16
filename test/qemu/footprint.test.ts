/** What measures the footprint, without a machine: how it is asked for, how the guest's files are read, and what is printed. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { StateFigures } from "../../qemu/tiny/footprint.ts";
import { footprintJson, footprintTables } from "../../qemu/tiny/footprint-report.ts";
import { kibibytes, METHOD, median, parseProcessorSeconds } from "../../qemu/tiny/resting.ts";

const MAIN = fileURLToPath(new URL("../../qemu/main.ts", import.meta.url));

const REST = { availableKib: 50 * 1024, majorFaultsPerSecond: 0.013, samples: 60 };
const AGENT = {
  residentKib: 40_960,
  pssKib: 40_704,
  anonymousKib: 10_240,
  swappedKib: 0,
  processorSecondsPerHour: 90,
};
const FIGURES: readonly StateFigures[] = [
  { state: "no agent", rest: REST },
  {
    state: "agent",
    rest: { ...REST, agent: AGENT },
    costs: { referenceSeconds: 1, startSeconds: 3, installSeconds: {} },
  },
  {
    state: "agent, one",
    rest: { ...REST, agent: { ...AGENT, processorSecondsPerHour: 400 } },
    costs: { referenceSeconds: 2, startSeconds: 8, installSeconds: { "acme/one": 5 } },
  },
];

function refused(...argv: readonly string[]): string {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...argv], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return status === 2 ? (stderr.split("\n")[0] ?? "") : `exit code ${status}`;
}

test("a footprint is of tiny; its options go with it alone, and its times are numbers", (t) => {
  t.is(refused("pi", "--footprint"), "error: --footprint goes with tiny");
  t.is(refused("tiny", "--demo", "--json"), "error: --json goes with --footprint");
  t.is(refused("tiny", "--window", "60"), "error: --window goes with --footprint");
  t.is(refused("tiny", "--footprint", "--demo"), "error: --demo and --footprint: one of them");
  t.is(refused("tiny", "--footprint", "--cuts", "3"), "error: --cuts goes with powercut");
  t.is(refused("powercut", "--footprint"), "error: --footprint goes with a machine, not with powercut");
  t.regex(refused("tiny", "--footprint", "--warm-up", "1m"), /--warm-up takes a number/);
});

test("a process's time is read behind its name, whatever that is", (t) => {
  t.is(parseProcessorSeconds("7 (a) b (c)) S 1 7 7 0 -1 4 5 6 7 8 150 25 0 0 20 0 9"), 1.75);
  t.throws(() => parseProcessorSeconds("7 (node) S 1 7"), { message: /no times/ });
});

test("a line of smaps_rollup is read by its whole name", (t) => {
  const text = "Pss:  100 kB\nPss_Anon:  60 kB\nSwapPss:  0 kB";
  t.is(kibibytes(text, "Pss"), 100);
  t.throws(() => kibibytes(text, "Anonymous"), { message: /does not say Anonymous/ });
});

test("the median of an even count lies between the middle two", (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([4, 1, 2, 9]), 3);
});

test("memory is told of each state, times as multiples of those of node -e 0", (t) => {
  const printed = footprintTables(FIGURES, METHOD);
  t.true(printed.startsWith("Median of 60 samples, one each 10 s, after 300 s of warm-up:\n"));
  for (const row of [
    "| no agent | 50.0 | – | – | – | – | 0.01 |",
    "| agent | 50.0 | 39.8 | 40.0 | 10.0 | 0.0 | 0.01 |",
    "| the agent's start until it is connected | 3.5 |",
    "| an install of acme/one with its trial | 2.5 |",
    "| an hour at rest: agent | 90.0 |",
    "| an hour at rest: agent, one | 200 |",
  ]) {
    t.true(printed.split("\n").includes(row), row);
  }
});

test("as JSON each state is a line with all of its figures", (t) => {
  const lines = footprintJson(FIGURES).trimEnd().split("\n");
  t.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [...FIGURES],
  );
});
