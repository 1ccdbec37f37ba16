/** docs/SECURITY.md names files, tests, constants and codes: what it names has to be there, and what there is has to be named. */

import { existsSync, readFileSync } from "node:fs";
import test from "ava";

const root = new URL("../../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

const document = textOf("docs/SECURITY.md");
/** What stands between backticks in a table's row. */
const named = [...document.matchAll(/^\|.*\|$/gm)].flatMap(([row]) =>
  [...row.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
);

const LIMITS = [
  "ota/limits.ts",
  "sandbox/component/limits.ts",
  "sandbox/component/abi/limits.ts",
  "sandbox/limits.ts",
  "agent/limits.ts",
  "devices/limits.ts",
];
const constantsOf = (path: string): string[] =>
  [...textOf(path).matchAll(/^export const ([A-Z0-9_]+)/gm)].map(([, name = ""]) => name);

test("every file and folder that a table names is there", (t) => {
  const paths = named.filter((name) => /^[a-z]+\/.*(\.ts|\/)$/.test(name));
  t.true(paths.length > 100);
  t.deepEqual(
    paths.filter((path) => !existsSync(new URL(path, root))),
    [],
  );
});

test("every row of a limit names what enforces it, and a test", (t) => {
  const limits = document.slice(document.indexOf("\n## Limits\n"));
  const rows = [...limits.matchAll(/^\| (?!limit |---).*\|$/gm)].map(([row]) => row);
  t.true(rows.length > 60);
  const lacking = rows.filter((row) => {
    const [enforcedBy = "", tests = ""] = row.split("|").slice(-3);
    return !/`[a-z]+\/.*\.ts`/.test(enforcedBy) || !/`test\/.*\.test\.ts`/.test(tests);
  });
  t.deepEqual(lacking, []);
});

test("every constant that a table names is one of the limits", (t) => {
  const known = new Set(LIMITS.flatMap(constantsOf));
  const constants = named.filter((name) => /^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.test(name));
  t.true(constants.length > 60);
  t.deepEqual(
    constants.filter((name) => !known.has(name)),
    [],
  );
});

test("every default of a running module's limits is in the tables", (t) => {
  const defaults = constantsOf("sandbox/limits.ts").filter((name) => name.startsWith("DEFAULT_"));
  t.true(defaults.length > 8);
  // Memory's is told by the grant's.
  const missing = defaults.filter((name) => !named.includes(name) && name !== "DEFAULT_MEMORY_BYTES");
  t.deepEqual(missing, []);
});

test("every limit's code is in the tables, and every code of a limit there exists", (t) => {
  const codes = [...textOf("sandbox/errors.ts").matchAll(/"(limit\/[a-z-]+)"/g)].map(([, code = ""]) => code);
  const listed = named.filter((name) => name.startsWith("limit/"));
  t.deepEqual([...new Set(listed)].sort(), [...new Set(codes)].sort());
});
