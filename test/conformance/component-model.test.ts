/**
 * The Component Model's reference tests, as far as they concern WASI 0.2: every directive comes out right, or needs a
 * later feature that the list of scripts says it needs. The scripts are not part of this repository.
 */

import { existsSync, readFileSync } from "node:fs";
import test from "ava";
import { runScript } from "./script-runner.ts";

const SCRIPTS = new URL("../../../shared/conformance/", import.meta.url);
const LIST = new URL("phase1.txt", SCRIPTS);

/** One script of the list: how many of its directives are of the WASI 0.2 era, and how many it has in all. */
interface ListedScript {
  readonly path: string;
  readonly inScope: number;
  readonly total: number;
}

function listedScripts(list: string): ListedScript[] {
  const line = /^(component-model\/\S+\.wast)\s+# (\d+)\/(\d+) directives/gm;
  return Array.from(list.matchAll(line), ([, path = "", inScope, total]) => ({
    path,
    inScope: Number(inScope),
    total: Number(total),
  }));
}

if (existsSync(LIST)) {
  for (const { path, inScope, total } of listedScripts(readFileSync(LIST, "utf8"))) {
    test(path, async (t) => {
      const results = await runScript(readFileSync(new URL(path, SCRIPTS), "utf8"));
      t.is(results.length, total, "the script has the directives that the list says");
      const wrong = results.flatMap(({ directive, outcome }) =>
        outcome.kind === "wrong" ? [`line ${directive.line}, ${directive.keyword}: ${outcome.why}`] : [],
      );
      t.deepEqual(wrong, []);
      const later = results.filter(({ outcome }) => outcome.kind === "later").length;
      t.true(later <= total - inScope, `${later} directives were left for later, ${total - inScope} may be`);
    });
  }
} else {
  test("conformance scripts", (t) => {
    t.log("The Component Model's conformance scripts are not on this machine: their tests are left out.");
    t.pass();
  });
}
