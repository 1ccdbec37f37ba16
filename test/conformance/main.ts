/**
 * `npm run conformance [-- [--host module.js] [script or folder]…]`: runs WebAssembly scripts with components against the loader.
 *
 * Without arguments: the project's own scripts, and the Component Model's where they are on this machine. `--host` names an ES
 * module whose exports are what components of the scripts may import. Ends with 1 if a directive failed, with 2 if
 * the arguments are wrong.
 */

import { existsSync, readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { countLine, failureLines, featureLines, type Tally, tally, total } from "./report.ts";
import { runScript, type ScriptOptions } from "./script-runner.ts";
import { OWN_OPTIONS, OWN_SCRIPTS, referenceFolder, scriptsIn } from "./scripts.ts";

interface Suite {
  readonly title: string;
  readonly path: string;
  readonly options: ScriptOptions;
}

/** The project's own suites, or those that were asked for. */
async function suites(paths: readonly string[], host: string | undefined): Promise<Suite[]> {
  const hostImports = host === undefined ? {} : { ...(await import(pathToFileURL(resolve(host)).href)) };
  if (paths.length > 0) {
    const options = { hostImports, refusals: "any" as const };
    return paths.map((path) => ({ title: path, path, options }));
  }
  const own = { title: "the project's own scripts", path: OWN_SCRIPTS, options: OWN_OPTIONS };
  const reference = referenceFolder();
  if (reference !== undefined)
    return [own, { title: "the Component Model's scripts", path: reference, options: {} }];
  console.log("The Component Model's own scripts are not on this machine: they are left out.");
  return [own];
}

async function runSuite({ title, path, options }: Suite): Promise<Tally> {
  console.log(title);
  const tallies: Tally[] = [];
  for (const script of scriptsIn(path)) {
    const shown = script === path ? basename(script) : relative(path, script);
    tallies.push(await report(script, shown, options));
  }
  return total(tallies);
}

async function report(path: string, shown: string, options: ScriptOptions): Promise<Tally> {
  try {
    const results = await runScript(readFileSync(path, "utf8"), options);
    const counted = tally(results);
    console.log(`  ${shown.padEnd(52)} ${countLine(counted)}`);
    for (const line of [...failureLines(path, results), ...featureLines(counted)]) console.log(line);
    return counted;
  } catch (error) {
    console.log(`  ${shown.padEnd(52)} the script can't be read: ${error}`);
    return { passed: 0, failed: 1, missing: new Map() };
  }
}

const { values, positionals } = parseArgs({
  options: { host: { type: "string" } },
  allowPositionals: true,
});
const absent = positionals.find((path) => !existsSync(join(path)));
if (absent !== undefined) {
  console.error(`${absent} is not there; name a script or a folder of scripts`);
  process.exitCode = 2;
} else {
  const tallies: Tally[] = [];
  for (const suite of await suites(positionals, values.host)) tallies.push(await runSuite(suite));
  const all = total(tallies);
  console.log(`in total: ${countLine(all)}`);
  for (const line of featureLines(all)) console.log(line);
  process.exitCode = all.failed === 0 ? 0 : 1;
}
