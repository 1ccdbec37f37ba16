/**
 * Sizes and durations as people write them in a manifest or a configuration: "4MiB", "30s".
 *
 * Whole numbers with one unit, nothing else: no fractions, no signs, no decimal kilobytes that could be meant
 * either way. Results are safe integers.
 */

const SIZE_UNITS_BYTES: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

const DURATION_UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** How to write a size, for error messages. */
export const SIZE_SYNTAX = 'a size such as "512KiB" or "4MiB" (B, KiB, MiB, GiB)';

/** How to write a duration, for error messages. */
export const DURATION_SYNTAX = 'a duration such as "500ms", "30s" or "5m" (ms, s, m, h, d)';

/** Bytes of a size such as "4MiB"; undefined if it is not written like one. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS_BYTES);
}

/** Milliseconds of a duration such as "30s"; undefined if it is not written like one. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATION_UNITS_MS);
}

/** A size for people: the largest unit that keeps it a short number, with at most one decimal ("4MiB", "1.5KiB"). */
export function formatSize(sizeBytes: number): string {
  return formatQuantity(sizeBytes, SIZE_UNITS_BYTES);
}

/** A duration for people ("500ms", "30s", "1.5h"). */
export function formatDuration(durationMs: number): string {
  return formatQuantity(durationMs, DURATION_UNITS_MS);
}

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^([0-9]{1,15})([A-Za-z]{1,3})$/.exec(text);
  const factor = units.get(match?.[2] ?? "");
  if (match === null || factor === undefined) {
    return undefined;
  }
  const quantity = Number(match[1]) * factor;
  return Number.isSafeInteger(quantity) ? quantity : undefined;
}

function formatQuantity(quantity: number, units: ReadonlyMap<string, number>): string {
  let best = `${quantity}`;
  for (const [unit, factor] of units) {
    if (factor === 1 || quantity >= factor) {
      best = `${Math.round((quantity / factor) * 10) / 10}${unit}`;
    }
  }
  return best;
}
