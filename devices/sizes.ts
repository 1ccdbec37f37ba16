/** Sizes as people write them in the policy. */

const KIB = 1024;
const MIB = 1024 ** 2;

export const SIZE_UNITS_BYTES: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", KIB],
  ["MiB", MIB],
]);

/** A size for a message, rounded to one decimal of the largest unit that fits: "4MiB", "1.5KiB". */
export function formatSize(sizeBytes: number): string {
  for (const [unit, factor] of [...SIZE_UNITS_BYTES].reverse()) {
    if (sizeBytes >= factor) return `${Math.round((sizeBytes / factor) * 10) / 10}${unit}`;
  }
  return `${sizeBytes}B`;
}
