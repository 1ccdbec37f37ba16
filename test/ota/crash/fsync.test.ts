/**
 * Each sync in the code, left out, loses something: the exploration of crash states finds out. So it can fail, and no sync is there in
 * vain (flash wears out, and a sync takes a device tens of milliseconds).
 */

import test from "ava";
import { explore, type Scenario } from "./explore.ts";
import { CORE_SCENARIOS, killedBefore } from "./scenarios.ts";

/** Of the calls of one sync, the last ones at which an agent is killed. */
const KILLED_AT_CALLS = 8;

/** What a fault breaks is seen at once. */
const FAULTY = { samples: 8, maxExhaustive: 32, isBrief: true, firstFailure: true };

/** Where a sync was asked for, and of what: `syncDirectory /state/versions in Store.promote`. */
function siteOf(what: string): string | undefined {
  // A module's files are its own concern: these are the test's.
  if (/\/data\/acme\.thermo(\/|$)/.test(what)) return undefined;
  const frames = new Error().stack?.split("\n").filter((line) => !line.includes("/test/")) ?? [];
  const caller = /at (?:async )?([^ (]+) \(.*\/ota\/[a-z-]+\.ts/.exec(frames.join("\n"))?.[1];
  return `${nameless(what)} in ${caller ?? "a function without a name"}`;
}

/** The same for every release and either generation of the state. */
function nameless(what: string): string {
  return what
    .replaceAll(/[0-9a-f]{64}/g, "<digest>")
    .replaceAll(/-[0-9a-f]{16}/g, "")
    .replace(/state\.[01]/, "state.N")
    .replace(/trust\/(image|director)/, "trust/<repository>");
}

async function sitesOf(scenario: Scenario): Promise<ReadonlySet<string>> {
  const sites = new Set<string>();
  const isSyncLeftOut = (what: string): boolean => {
    const site = siteOf(what);
    if (site !== undefined) sites.add(site);
    return false;
  };
  await explore(
    { ...scenario, check: async () => undefined },
    { samples: 0, maxExhaustive: 0, isSyncLeftOut },
  );
  return sites;
}

async function findFailure(site: string, scenarios: readonly Scenario[]): Promise<string | undefined> {
  for (const scenario of [...scenarios, ...scenarios.flatMap((each) => killedAtCallsOf(each, site))]) {
    const isSyncLeftOut = (what: string): boolean => siteOf(what) === site;
    const { failures } = await explore(scenario, { ...FAULTY, isSyncLeftOut });
    if (failures[0] !== undefined) return failures[0];
  }
  return undefined;
}

/** What a killed agent was about to sync it leaves to the next one. */
function killedAtCallsOf(scenario: Scenario, site: string): Scenario[] {
  const call = site.slice(0, site.indexOf(" in "));
  return Array.from({ length: KILLED_AT_CALLS }, (_, index) => {
    let left = KILLED_AT_CALLS - index;
    return killedBefore(
      scenario,
      `call ${left} of ${call}`,
      (each) => nameless(each) === call && --left === 0,
    );
  });
}

test("every sync that is left out is caught", async (t) => {
  // A minute on an idle machine.
  t.timeout(600_000);
  const scenariosBySite = new Map<string, Scenario[]>();
  for (const scenario of CORE_SCENARIOS) {
    for (const site of await sitesOf(scenario)) {
      scenariosBySite.set(site, [...(scenariosBySite.get(site) ?? []), scenario]);
    }
  }
  const uncaught: string[] = [];
  for (const [site, scenarios] of scenariosBySite) {
    const failure = await findFailure(site, scenarios);
    if (failure === undefined) uncaught.push(site);
    else t.log(`without ${site}: ${failure}`);
  }
  t.deepEqual(uncaught, []);
  t.true(scenariosBySite.size > 10);
});
