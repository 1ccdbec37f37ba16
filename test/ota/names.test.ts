import test from "ava";

import {
  isDeviceId,
  isFleetName,
  isGroupName,
  isModuleName,
  isVersion,
  moduleOfTopicSegment,
  parseTargetPath,
  targetPath,
  topicSegment,
} from "../../ota/names.ts";

const HOSTILE = [
  "",
  "+",
  "#",
  "a/b/c",
  "..",
  "../a",
  "a\0",
  "a b",
  "a\n",
  "A",
  "é",
  "$SYS",
  "-a",
  "_a",
  ".a",
];

test("fleet, device and group names: what could be a separator, a wildcard or a parent folder is none", (t) => {
  for (const isName of [isFleetName, isDeviceId, isGroupName]) {
    for (const name of ["a", "0", "pi-01", "pi_01", "a".repeat(64)]) t.true(isName(name), name);
    for (const name of [...HOSTILE, "a/b", "a.b", "a".repeat(65)]) t.false(isName(name), name);
  }
});

test("module names have a publisher and a name", (t) => {
  for (const name of ["acme/thermo", "a/b", "a-1/b-2", `${"a".repeat(32)}/${"b".repeat(32)}`]) {
    t.true(isModuleName(name), name);
  }
  for (const name of [
    ...HOSTILE,
    "acme",
    "acme/",
    "/thermo",
    "a.b/c",
    "a_b/c",
    "a/..",
    `${"a".repeat(33)}/b`,
  ]) {
    t.false(isModuleName(name), name);
  }
});

test("versions are semantic versions without build metadata", (t) => {
  for (const version of ["0.0.0", "1.2.3", "10.20.30", "1.0.0-rc.1", "1.0.0-alpha-1.0a", "1.0.0--"]) {
    t.true(isVersion(version), version);
  }
  const long = `1.0.0-${"a".repeat(59)}`;
  for (const version of [
    ...HOSTILE,
    "1",
    "1.0",
    "1.0.0.0",
    "v1.0.0",
    "01.0.0",
    "1.0.0-",
    "1.0.0-01",
    "1.0.0-a..b",
    "1.0.0+b",
    "1.0.0-a/b",
    long,
  ]) {
    t.false(isVersion(version), version);
  }
});

test("a module's name becomes one segment and comes back", (t) => {
  t.is(topicSegment("acme/thermo"), "acme.thermo");
  t.is(moduleOfTopicSegment("acme.thermo"), "acme/thermo");
  for (const segment of ["acme", "acme/thermo", "a.b.c", "..", "+"])
    t.is(moduleOfTopicSegment(segment), undefined, segment);
});

test("a target path is taken apart only when each of its parts holds", (t) => {
  t.deepEqual(parseTargetPath("acme/thermo/1.0.0/module.toml"), {
    module: "acme/thermo",
    version: "1.0.0",
    file: "module.toml",
  });
  t.is(targetPath("acme/thermo", "1.0.0", "component.wasm"), "acme/thermo/1.0.0/component.wasm");
  for (const path of [
    "",
    "acme/thermo/1.0.0",
    "acme/thermo/1.0.0/other",
    "acme/thermo/1.0.0/component.wasm/",
    "/acme/thermo/1.0.0/component.wasm",
    "acme/../1.0.0/component.wasm",
    "acme/thermo/../component.wasm",
    "acme/thermo/1.0/component.wasm",
  ]) {
    t.is(parseTargetPath(path), undefined, path);
  }
});
