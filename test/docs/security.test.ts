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
  "fleet/limits.ts",
];
const constantsOf = (path: string): string[] =>
  [...textOf(path).matchAll(/^export const ([A-Z0-9_]+)/gm)].map(([, name = ""]) => name);

/** All values of a limit by its name: some folders have one of the same name. */
async function valuesOfLimits(): Promise<(name: string) => readonly number[]> {
  const modules: Record<string, unknown>[] = await Promise.all(
    LIMITS.map((path) => import(new URL(path, root).href)),
  );
  return (name) => modules.map((limits) => limits[name]).filter((value) => typeof value === "number");
}

/** How a table may write a limit, by the unit that its name ends in. */
function figuresOf(name: string, value: number): string[] {
  const inUnits = (units: Record<string, number>): string[] =>
    Object.entries(units).map(([unit, size]) => `${value / size} ${unit}`);
  const plain = value.toLocaleString("en-GB");
  if (name.endsWith("_MS")) return inUnits({ ms: 1, s: 1_000, min: 60_000, h: 3_600_000 });
  if (name.endsWith("_MIB")) return [`${value} MiB`];
  // MAX_STRING_BYTES is one byte less than the power of two that a reader wants to see.
  const bytes = value + (value % 2);
  if (/_BYTES(_PER_SECOND)?$/.test(name)) return [plain, `${bytes / 1024} KiB`, `${bytes / 1024 ** 2} MiB`];
  if (name.endsWith("_LOG")) return [`${2 ** value / 1024} KiB`];
  return [plain, `2^${Math.log2(value)}`];
}

/** Whether a figure stands in the text, not as a part of another. */
function saidIn(text: string, figure: string): boolean {
  const at = text.indexOf(figure);
  if (at < 0) return false;
  const isPart = /[\d.,]/.test(text[at - 1] ?? "") || /\d/.test(text[at + figure.length] ?? "");
  return !isPart || saidIn(text.slice(at + 1), figure);
}

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

test("every figure of a limit is the constant's that stands beside it", async (t) => {
  const values = await valuesOfLimits();
  const cells = [...document.matchAll(/^\|[^|]*\|([^|]*`[A-Z][A-Z0-9_]+`[^|]*)\|.*\|$/gm)].map(
    ([, cell = ""]) => cell,
  );
  t.true(cells.length > 60);
  const untrue = cells.flatMap((cell) =>
    [...cell.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`/g)]
      .map(([, name = ""]) => name)
      .filter(
        (name) =>
          !values(name)
            .flatMap((value) => figuresOf(name, value))
            .some((figure) => saidIn(cell, figure)),
      )
      .map((name) => `${name} is ${values(name).join(" or ")}, the table says ${cell.trim()}`),
  );
  t.deepEqual(untrue, []);
});

test("each thing has one row, in one table", (t) => {
  const firsts = [...document.matchAll(/^\| (?!limit |attack |---)([^|]+) \|.*\|$/gm)].map(
    ([, first = ""]) => first,
  );
  t.true(firsts.length > 100);
  t.deepEqual(
    firsts.filter((first, index) => firsts.indexOf(first) !== index),
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
