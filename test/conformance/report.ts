/** The conformance command's report: per script and in total passed, failed, not supported and the features missing. */

import type { DirectiveResult } from "./script-runner.ts";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** How many directives need each missing feature. */
  readonly missing: ReadonlyMap<string, number>;
}

/** Counts the outcomes of a script. */
export function tally(results: readonly DirectiveResult[]): Tally {
  const missing = new Map<string, number>();
  let passed = 0;
  for (const { outcome } of results) {
    if (outcome.kind === "passed") passed += 1;
    if (outcome.kind === "not supported")
      missing.set(outcome.feature, (missing.get(outcome.feature) ?? 0) + 1);
  }
  return { passed, failed: results.length - passed - sum(missing), missing };
}

/** The sum over several scripts. */
export function total(tallies: readonly Tally[]): Tally {
  const missing = new Map<string, number>();
  for (const one of tallies) {
    for (const [feature, count] of one.missing) missing.set(feature, (missing.get(feature) ?? 0) + count);
  }
  return {
    passed: tallies.reduce((all, one) => all + one.passed, 0),
    failed: tallies.reduce((all, one) => all + one.failed, 0),
    missing,
  };
}

/** `110 passed, 0 failed, 3 not supported`. */
export function countLine({ passed, failed, missing }: Tally): string {
  return `${passed} passed, ${failed} failed, ${sum(missing)} not supported`;
}

/** One line for each missing feature, the most wanted first. */
export function featureLines({ missing }: Tally): string[] {
  return Array.from(missing)
    .sort(([, left], [, right]) => right - left)
    .map(([feature, count]) => `    ${String(count).padStart(4)} not supported: ${feature}`);
}

/** One line for each directive that failed. */
export function failureLines(path: string, results: readonly DirectiveResult[]): string[] {
  return results.flatMap(({ directive: { line, keyword }, outcome }) =>
    outcome.kind === "failed" ? [`    failed: ${path}:${line} ${keyword}: ${outcome.why}`] : [],
  );
}

function sum(counts: ReadonlyMap<string, number>): number {
  return Array.from(counts.values()).reduce((all, one) => all + one, 0);
}
