/**
 * The fuzzer's worker process: runs rounds one after the other and says on descriptor 3, before each phase, where it is,
 * so that the watchdog knows which round hung or crashed.
 *
 * Arguments: seed, first round, round to stop before. Lines: `at <round> <phase>`, `end <round> <result> <peak MiB>`,
 * `found <round> <phase> <JSON string>`.
 */

import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { type Phase, runRound } from "./round.ts";

const REPORT_DESCRIPTOR = 3;

/** Written at once, even if the process never gets back to its event loop. */
function report(line: string): void {
  writeSync(REPORT_DESCRIPTOR, `${line}\n`);
}

/** Peak resident memory of the process so far. */
function peakMiB(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

const [seed = 0, first = 0, end = 0] = process.argv.slice(2).map(Number);
for (let round = first; round < end; round += 1) {
  let phase: Phase = "assemble";
  try {
    const result = await runRound(seed, round, (entered) => {
      phase = entered;
      report(`at ${round} ${phase}`);
    });
    report(`end ${round} ${result} ${peakMiB()}`);
  } catch (error) {
    report(`found ${round} ${phase} ${JSON.stringify(inspect(error))}`);
    report(`end ${round} found ${peakMiB()}`);
  }
}
