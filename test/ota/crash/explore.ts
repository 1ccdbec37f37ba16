/**
 * Runs something on a `VolatileDisk`, cuts the power after each single change, and looks at the disks that this may leave.
 *
 * Equal disks about which the device has promised the same are looked at once; all of them count as explored.
 */

import { createHash } from "node:crypto";
import type { Disk } from "../../../ota/disk.ts";
import { crashStates, randomFrom } from "../../support/crash-states.ts";
import type { VolatileDisk } from "../../support/volatile-disk.ts";

/** How much is looked at: a longer run by `SKERRY_CRASH_SAMPLES=500 SKERRY_CRASH_SEED=7 npx ava --timeout=30m test/ota/crash`. */
const USUAL_SAMPLES = 60;
const SAMPLES = Number(process.env["SKERRY_CRASH_SAMPLES"] ?? USUAL_SAMPLES);
export const IS_LONG_RUN = SAMPLES > USUAL_SAMPLES;
const MAX_EXHAUSTIVE = 512;
export const SEED = Number(process.env["SKERRY_CRASH_SEED"] ?? 1);

/** What the device has told the outside, which has to hold whenever it restarts: by name, in the scenario's words. */
export type Promises = Readonly<Record<string, string>>;

export type Scenario = {
  readonly name: string;
  /** A disk as it is before, of its own: what an earlier process left in its page cache is still there. */
  readonly base: () => Promise<VolatileDisk>;
  /** All that happens; tells what was promised as soon as it was. `used` is the disk as the process reaches it. */
  readonly run: (disk: VolatileDisk, promise: (promises: Promises) => void, used?: Disk) => Promise<void>;
  /** Restarts on what the power left; gives what is wrong with it, undefined if nothing is. */
  readonly check: (disk: VolatileDisk, promises: Promises) => Promise<string | undefined>;
  /** The part of it that says what the power left, without what can be done with it afterwards. */
  readonly checkBriefly: Scenario["check"];
};

export type Exploration = {
  /** Changes of the disk, each of which was a cut. */
  readonly cuts: number;
  /** Crash states, and how many different ones they were. */
  readonly explored: number;
  readonly distinct: number;
  /** What is wrong, with where the power went. */
  readonly failures: readonly string[];
};

export type ExploreOptions = {
  readonly samples?: number;
  /** Up to so many combinations of what reached the disk are all looked at. */
  readonly maxExhaustive?: number;
  readonly isSyncLeftOut?: (what: string) => boolean;
  /** Leaves out what takes most of the time. */
  readonly isBrief?: boolean;
  /** Stops looking at the first failure. */
  readonly firstFailure?: boolean;
};

type CrashState = { readonly disk: VolatileDisk; readonly promises: Promises; readonly at: string };

/** A copy of a disk on which everything is durable. */
export function copyOf(disk: VolatileDisk): VolatileDisk {
  return disk.powerCut({
    isNameChangeKept: () => true,
    sectorVersion: (count) => count,
    sizeVersion: (count) => count,
  });
}

export async function explore(scenario: Scenario, options: ExploreOptions = {}): Promise<Exploration> {
  const disk = await scenario.base();
  const random = randomFrom(SEED);
  const states = new Map<string, CrashState>();
  let promises: Promises = {};
  let cuts = 0;
  let explored = 0;
  const limits = {
    samples: options.samples ?? SAMPLES,
    maxExhaustive: options.maxExhaustive ?? MAX_EXHAUSTIVE,
  };
  const cut = (what: string): void => {
    cuts++;
    for (const left of crashStates(disk, random, limits)) {
      explored++;
      const key = digestOf(left, promises);
      if (!states.has(key)) states.set(key, { disk: left, promises, at: `change ${cuts} (${what})` });
    }
  };
  disk.isSyncLeftOut = options.isSyncLeftOut ?? disk.isSyncLeftOut;
  disk.onChange = cut;
  cut("before the first change");
  await scenario.run(disk, (more) => {
    promises = { ...promises, ...more };
  });
  cut("after the last change");
  const failures: string[] = [];
  const check = options.isBrief === true ? scenario.checkBriefly : scenario.check;
  for (const { disk: left, promises: promised, at } of states.values()) {
    const failure = await check(left, promised);
    if (failure !== undefined) failures.push(`${scenario.name}, power lost at ${at}: ${failure}`);
    if (failure !== undefined && options.firstFailure === true) break;
  }
  return { cuts, explored, distinct: states.size, failures };
}

function digestOf(disk: VolatileDisk, promises: Promises): string {
  const hash = createHash("sha256").update(JSON.stringify(promises));
  for (const [path, bytes] of [...disk.files()].sort(([one], [other]) => (one < other ? -1 : 1))) {
    hash.update(`\n${path} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex");
}
