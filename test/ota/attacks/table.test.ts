/** The table of attacks in docs/SECURITY.md and the tests of this folder say the same. */

import { access, readdir, readFile } from "node:fs/promises";
import test from "ava";
import { attackOf } from "../../../ota/errors.ts";

const HERE = new URL("./", import.meta.url);
const ROOT = new URL("../../../", HERE);

test("each attack has its test, each test its attack, and what the table names is there", async (t) => {
  const text = await readFile(new URL("docs/SECURITY.md", ROOT), "utf8");
  const section = text.split("## Attacks on updates")[1]?.split("And what has no name there")[0] ?? "";
  const rows = section
    .split("\n")
    .filter((line) => line.includes(".test.ts` |") || line.includes(".test.ts`;"));
  const named = rows.map((row) => /`([a-z-]+\.test\.ts)`/.exec(row)?.[1]);
  const files = (await readdir(HERE)).filter((name) => name.endsWith(".test.ts") && name !== "table.test.ts");
  t.deepEqual(named.toSorted(), files.toSorted());
  for (const [, path] of section.matchAll(/`((?:ota|agent|test)\/[\w/.-]+)`/g)) {
    await t.notThrowsAsync(access(new URL(path ?? "", ROOT)), path);
  }
  t.log(`${files.length} attacks by name`);
});

test("what an event calls an attack, an error without one does not", (t) => {
  t.is(attackOf("trust/rollback-attack"), "rollback");
  t.is(attackOf("stage/import-not-granted"), undefined);
  t.is(attackOf("constructor"), undefined);
});
