/** examples/wit.ts and examples/component.ts: what an author sees who mistypes something. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "ava";

const examples = join(import.meta.dirname, "../../examples");
const core = join(examples, "wit.ts");
const world = join(examples, "thermo-c/thermo.wit");

for (const [what, tool, args, said] of [
  ["no arguments", "component.ts", [], /^error: usage: node examples\/component\.ts <core\.wasm> .*\n$/],
  ["no arguments", "wit.ts", [], /^error: usage: node examples\/wit\.ts <world\.wit>\n$/],
  ["a file that is not there", "wit.ts", ["nowhere.wit"], /^error: .*no such file.*'nowhere\.wit'\n$/],
  [
    "a file that is no core module",
    "component.ts",
    [core, world, "thermo", "x.wasm"],
    /^error: .*magic.*\n$/,
  ],
] as const) {
  test(`${tool} with ${what} says so in one line, and fails`, (t) => {
    const { status, stderr } = spawnSync(process.execPath, [join(examples, tool), ...args], {
      encoding: "utf8",
    });
    t.regex(stderr, said);
    t.is(status, 1);
  });
}
