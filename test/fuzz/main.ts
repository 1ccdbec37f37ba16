/**
 * `npm run fuzz [-- --minutes 10] [--seed 1] [--round 17]`: looks for bytes that the loader does not survive.
 *
 * Generated components, whole and damaged, are decoded, validated, instantiated and called; anything but a typed error
 * is a finding, a hang, a crash and too much memory included. `--round` repeats a single round in this process and writes its
 * component to `--output`. Ends with 1 if something was found.
 */

import { writeFileSync } from "node:fs";
import { inspect, parseArgs } from "node:util";
import { roundInput, runRound } from "./round.ts";
import { compareVerdicts } from "./second-opinion.ts";
import { fuzz } from "./supervise.ts";

/** Of the time, so much goes to comparing verdicts with another validator. */
const COMPARISON_SHARE = 0.1;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    round: { type: "string" },
    output: { type: "string" },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(`error: --minutes ${values.minutes}: a number above 0, such as 10 or 0.5`);
  process.exit(2);
}
console.log(`seed ${seed}`);
if (values.round === undefined) await fuzzFor(minutes);
else await repeat(Number(values.round));

async function fuzzFor(duration: number): Promise<void> {
  const startMs = performance.now();
  const totalMs = duration * 60_000;
  const { rounds, ran, endless, findings } = await fuzz({
    seed,
    firstRound: 0,
    maxRounds: Number.MAX_SAFE_INTEGER,
    untilMs: startMs + totalMs * (1 - COMPARISON_SHARE),
    onFinding: ({ round, phase, what }) => {
      console.log(`found in round ${round} (--seed ${seed} --round ${round}), phase ${phase}: ${what}`);
    },
  });
  console.log(
    `${rounds} rounds, ${ran} ran, ${endless.length} ended by the watchdog in guest code [${endless.join(", ")}], ${findings.length} findings`,
  );
  for (const line of await compareVerdicts(seed, startMs + totalMs)) console.log(line);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

async function repeat(round: number): Promise<void> {
  if (values.output !== undefined) writeFileSync(values.output, (await roundInput(seed, round)).bytes);
  try {
    console.log(await runRound(seed, round, (phase) => console.log(phase)));
  } catch (error) {
    console.log(inspect(error));
    process.exitCode = 1;
  }
}
