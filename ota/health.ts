/**
 * Whether a trial was healthy: what the manifest requires, held against what the run has shown by the end of its window.
 *
 * - `alive`: it came alive and has not ended. A trap, an exit or an exceeded limit needs no window: it ends the trial at once.
 * - `telemetry`: it published at least once.
 * - `health`: its `health` export was asked, and the last answer was ok (a sensor may need a moment at first).
 */

import type { Failure } from "./install-types.ts";
import type { HealthRequirement, Manifest } from "./manifest.ts";
import type { ModuleFact } from "./runner.ts";
import { formatDuration } from "./units.ts";

/** What a run has shown so far. */
export type Health = {
  readonly alive: boolean;
  readonly telemetry: boolean;
  /** The last answer of `health`: ok, or what it said is wrong. */
  readonly answer: "none" | "ok" | { readonly wrong: string };
};

/** Nothing was seen yet. */
export const UNSEEN: Health = { alive: false, telemetry: false, answer: "none" };

/** Takes one fact into account. */
export function observe(health: Health, fact: ModuleFact): Health {
  switch (fact.kind) {
    case "alive":
      return { ...health, alive: true };
    case "telemetry":
      return { ...health, telemetry: true };
    case "health-ok":
      return { ...health, answer: "ok" };
    case "health-failed":
      return { ...health, answer: { wrong: fact.message } };
    case "trap":
    case "limit":
    case "exited":
      return { ...health, alive: false };
  }
}

/** The verdict at the end of the window: undefined when healthy, otherwise why not. */
export function judge(health: Health, requirements: Manifest["health"]): Failure | undefined {
  const shortcomings = requirements.require.flatMap((requirement) => shortcoming(health, requirement) ?? []);
  if (shortcomings.length === 0) {
    return undefined;
  }
  const window = formatDuration(requirements.windowMs);
  return { code: "trial/unhealthy", message: `${shortcomings.join(", ")} within its window of ${window}` };
}

function shortcoming(health: Health, requirement: HealthRequirement): string | undefined {
  switch (requirement) {
    case "alive":
      return health.alive ? undefined : "it did not come alive";
    case "telemetry":
      return health.telemetry ? undefined : "it published no telemetry";
    case "health":
      if (health.answer === "ok") {
        return undefined;
      }
      return health.answer === "none"
        ? "its health was not answered"
        : `its health says: ${health.answer.wrong}`;
  }
}

/** How a run ended, if the fact says that it did. In a trial the codes are the trial's, later the sandbox's own. */
export function endOf(fact: ModuleFact, isTrial: boolean): Failure | undefined {
  switch (fact.kind) {
    case "trap":
    case "limit": {
      const code = fact.kind === "trap" ? "trial/trap" : "trial/limit";
      return isTrial
        ? { code, message: `${fact.code}: ${fact.message}` }
        : { code: fact.code, message: fact.message };
    }
    case "exited":
      return { code: "trial/exited", message: `it exited by itself with code ${fact.exitCode}` };
    case "alive":
    case "telemetry":
    case "health-ok":
    case "health-failed":
      return undefined;
  }
}
