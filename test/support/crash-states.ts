/**
 * What a power cut may leave of a `VolatileDisk`: every combination where there are few, otherwise the extremes and samples by a seeded
 * generator, so that a failure can be repeated by its seed.
 */

import type { Choice, Undecided, VolatileDisk } from "./volatile-disk.ts";

export type CrashStateLimits = {
  /** Up to so many combinations are all tried. */
  readonly maxExhaustive: number;
  /** Of more than that so many are, beside the extremes. */
  readonly samples: number;
};

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Disks that a power cut at this moment may leave. */
export function* crashStates(
  disk: VolatileDisk,
  random: () => number,
  { maxExhaustive, samples }: CrashStateLimits,
): Generator<VolatileDisk> {
  const undecided = disk.undecided();
  const combinations = countCombinations(undecided);
  if (combinations <= maxExhaustive) {
    for (let index = 0; index < combinations; index++) yield disk.powerCut(nthChoice(index));
    return;
  }
  for (const extreme of EXTREMES) yield disk.powerCut(extreme);
  for (let sample = 0; sample < samples; sample++) yield disk.powerCut(randomChoice(random));
}

function countCombinations({ nameChanges, files }: Undecided): number {
  let combinations = 2 ** nameChanges;
  for (const { pendingSectors, pendingSizes } of files) {
    combinations *= pendingSizes.length + 1;
    for (const versions of pendingSectors.values()) combinations *= versions.length + 1;
  }
  return combinations;
}

/** The digits of `index`, each in the base of its question; the questions come in the same order each time. */
function nthChoice(index: number): Choice {
  let rest = index;
  const digit = (base: number): number => {
    const value = rest % base;
    rest = Math.floor(rest / base);
    return value;
  };
  return {
    isNameChangeKept: () => digit(2) === 1,
    sectorVersion: (count) => digit(count + 1),
    sizeVersion: (count) => digit(count + 1),
  };
}

const nothing = (): number => 0;
const newest = (count: number): number => count;

/** Names, data and sizes, each lost or kept as a whole. */
const EXTREMES: readonly Choice[] = [false, true].flatMap((isNameChangeKept) =>
  [nothing, newest].flatMap((sectorVersion) =>
    [nothing, newest].map((sizeVersion) => ({
      isNameChangeKept: () => isNameChangeKept,
      sectorVersion,
      sizeVersion,
    })),
  ),
);

/** Often nearly all or nearly none: what breaks things is one thing missing. */
const LIKELIHOODS = [0.03, 0.3, 0.5, 0.7, 0.97];

function randomChoice(random: () => number): Choice {
  const pickOne = <T>(items: readonly T[], fallback: T): T =>
    items[Math.floor(random() * items.length)] ?? fallback;
  const names = pickOne(LIKELIHOODS, 0.5);
  const data = pickOne(LIKELIHOODS, 0.5);
  const version = (count: number): number => (random() < data ? count : Math.floor(random() * (count + 1)));
  return { isNameChangeKept: () => random() < names, sectorVersion: version, sizeVersion: version };
}
