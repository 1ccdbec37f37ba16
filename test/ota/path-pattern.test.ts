/** PATHPATTERN: TUF 1.0.31 §4.5, with the specification's own examples. */

import { createHash } from "node:crypto";
import test from "ava";
import type { Delegation } from "../../ota/metadata.ts";
import { includesPath, matchesPattern } from "../../ota/path-pattern.ts";

for (const [pattern, matching, others] of [
  [
    "targets/*.tgz",
    ["targets/foo.tgz", "targets/bar.tgz", "targets/.tgz"],
    ["targets/foo.txt", "targets/a/b.tgz"],
  ],
  [
    "foo-version-?.tgz",
    ["foo-version-2.tgz", "foo-version-a.tgz"],
    ["foo-version-alpha.tgz", "foo-version-.tgz"],
  ],
  ["*.tgz", ["foo.tgz", "bar.tgz"], ["targets/foo.tgz"]],
  ["foo.tgz", ["foo.tgz"], ["foo_tgz", "xfoo.tgz", "foo.tgz/"]],
  [
    "acme/*/*/*",
    ["acme/thermo/1.0.0/component.wasm"],
    ["acme/thermo/1.0.0", "acmes/thermo/1.0.0/component.wasm"],
  ],
  ["*", ["a", ""], ["a/b"]],
  ["a*b*c", ["abc", "axxbyyc", "abcbc"], ["ab", "abcd", "acb"]],
] as const) {
  test(`§4.5: ${pattern} matches what it says`, (t) => {
    for (const path of matching) t.true(matchesPattern(pattern, path), path);
    for (const path of others) t.false(matchesPattern(pattern, path), path);
  });
}

test("a pattern of many stars that almost matches is judged, not backed out of exponentially", (t) => {
  t.false(matchesPattern(`${"*a".repeat(120)}b`, "a".repeat(250)));
});

test("§4.5: hash prefixes include the paths whose SHA-256 starts with one of them", (t) => {
  const path = "acme/thermo/1.0.0/component.wasm";
  const digest = createHash("sha256").update(path).digest("hex");
  const bins = (...prefixes: string[]): Delegation => ({
    name: "bin",
    keyIds: [],
    threshold: 1,
    terminating: true,
    hardware: undefined,
    matches: { kind: "hash-prefixes", prefixes },
  });
  const other = digest.startsWith("0") ? "1" : "0";
  t.true(includesPath(bins(other, digest.slice(0, 2)), path));
  t.true(includesPath(bins(digest), path));
  t.false(includesPath(bins(other), path));
  t.false(includesPath(bins(), path));
});
