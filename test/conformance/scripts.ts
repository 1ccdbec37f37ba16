/**
 * Where conformance scripts are: the project's own, and the Component Model's, which are not part of this repository.
 */

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ScriptOptions } from "./script-runner.ts";

/** The project's own scripts, one for each group of rules. */
export const OWN_SCRIPTS = fileURLToPath(new URL("scripts/", import.meta.url));
/** How the project's own scripts are run. */
export const OWN_OPTIONS: ScriptOptions = { refusals: "loader" };
const REFERENCE = fileURLToPath(new URL("../../../shared/conformance/", import.meta.url));
const LIST = join(REFERENCE, "phase1.txt");

/** One script of the Component Model's: how many of its directives are of the WASI 0.2 era, and how many it has. */
export interface ReferenceScript {
  readonly path: string;
  /** Relative to the list. */
  readonly name: string;
  readonly inScope: number;
  readonly total: number;
}

/** The Component Model's scripts that concern WASI 0.2; `undefined` where they are not on this machine. */
export function referenceScripts(): ReferenceScript[] | undefined {
  if (!existsSync(LIST)) return undefined;
  const line = /^(component-model\/\S+\.wast)\s+# (\d+)\/(\d+) directives/gm;
  return Array.from(readFileSync(LIST, "utf8").matchAll(line), ([, name = "", inScope, total]) => ({
    path: join(REFERENCE, name),
    name,
    inScope: Number(inScope),
    total: Number(total),
  }));
}

/** The folder of all reference scripts, those of later features included; `undefined` where it is not there. */
export function referenceFolder(): string | undefined {
  const folder = join(REFERENCE, "component-model");
  return existsSync(folder) ? folder : undefined;
}

/** The scripts in a folder and those below it, or the file itself. */
export function scriptsIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".wast"))
    .sort()
    .map((name) => join(path, name));
}
