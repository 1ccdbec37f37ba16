/**
 * An agent that keeps dying, perhaps by a module that takes the whole process with it, gets no update while it does: it dies before it hears of
 * one. So its runs are counted in the state file, and after several in a row that ended unasked soon after their start the modules start later, the
 * later the more there were.
 *
 * A run that ended with the machine (another boot began since) was most likely ended by a lack of power, which waiting does not mend; but a module can
 * make a machine reset, too. Such ends count until modules start a minute later, and no further: a device behind a switch loses a minute at most.
 */
import { OtaError } from "../ota/errors.ts";
import type { Store } from "../ota/store.ts";
import { formatDuration } from "../ota/units.ts";
import { AgentError } from "./errors.ts";
import {
  CRASH_LOOP_DELAY_MAX_MS,
  CRASH_LOOP_DELAY_MIN_MS,
  CRASH_LOOP_RUNS,
  LASTING_RUN_MS,
} from "./limits.ts";

export interface AgentRun {
  /** How long committed modules wait before they start, in milliseconds. */
  readonly startDelayMs: number;
  /** To be told where they have to wait. */
  readonly problem: AgentError | undefined;
  /** The agent ends as it should. */
  end(): Promise<void>;
}

/** Counts this run, in the machine's boot of this id, before anything of it can kill the agent. */
export async function beginRun(store: Store, bootId: string): Promise<AgentRun> {
  const endedWithMachine = store.bootId !== bootId;
  const uncleanEnds = endedWithMachine ? Math.min(store.uncleanEnds, CRASH_LOOP_RUNS) : store.uncleanEnds;
  await quietly(store.beginRun(uncleanEnds + 1, bootId));
  const startDelayMs = delayAfter(uncleanEnds);
  const timer = setTimeout(() => void quietly(store.endRun()), startDelayMs + LASTING_RUN_MS).unref();
  return {
    startDelayMs,
    problem: startDelayMs === 0 ? undefined : crashLoop(uncleanEnds, startDelayMs),
    end: () => {
      clearTimeout(timer);
      return quietly(store.endRun());
    },
  };
}

/** How long committed modules wait after so many runs in a row that ended unasked, in milliseconds; doubles with each. */
export function delayAfter(uncleanEnds: number): number {
  if (uncleanEnds < CRASH_LOOP_RUNS) return 0;
  return Math.min(CRASH_LOOP_DELAY_MAX_MS, CRASH_LOOP_DELAY_MIN_MS * 2 ** (uncleanEnds - CRASH_LOOP_RUNS));
}

function crashLoop(uncleanEnds: number, delayMs: number): AgentError {
  const message =
    `the agent ended at least ${uncleanEnds} times in a row without being stopped, each time soon after its start: modules start in ` +
    `${formatDuration(delayMs)}, so that another version can be assigned before. Look at the device's log, memory and power supply; ` +
    'the command "restart" starts a module at once';
  return new AgentError("agent/crash-loop", message);
}

/** A disk that refuses is no reason not to run: the run is not counted then. */
async function quietly(write: Promise<void>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!(error instanceof OtaError)) throw error;
  }
}
