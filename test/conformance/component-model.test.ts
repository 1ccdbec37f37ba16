/**
 * The conformance scripts: the project's own, of which every directive passes, and the Component Model's reference
 * tests, as far as they concern WASI 0.2: every directive passes, or needs a later feature that the list of scripts
 * says it needs. The latter are not part of this repository.
 */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import test from "ava";
import { failureLines, tally } from "./report.ts";
import { runScript } from "./script-runner.ts";
import { OWN_OPTIONS, OWN_SCRIPTS, referenceScripts, scriptsIn } from "./scripts.ts";

// unsupported.test.ts has the one of which no directive passes.
const own = scriptsIn(OWN_SCRIPTS).filter((path) => basename(path) !== "unsupported.wast");
for (const path of own) {
  test(basename(path), async (t) => {
    const results = await runScript(readFileSync(path, "utf8"), OWN_OPTIONS);
    t.true(results.length > 0);
    t.deepEqual(failureLines(basename(path), results), []);
    t.deepEqual([...tally(results).missing.keys()], []);
  });
}

const listed = referenceScripts();
for (const { path, name, inScope, total } of listed ?? []) {
  test(name, async (t) => {
    const results = await runScript(readFileSync(path, "utf8"));
    t.is(results.length, total, "the script has the directives that the list says");
    t.deepEqual(failureLines(name, results), []);
    const later = results.filter(({ outcome }) => outcome.kind === "not supported").length;
    t.true(later <= total - inScope, `${later} directives were left for later, ${total - inScope} may be`);
  });
}

if (listed === undefined) {
  test("the Component Model's conformance scripts", (t) => {
    t.log("The Component Model's conformance scripts are not on this machine: their tests are left out.");
    t.pass();
  });
}
