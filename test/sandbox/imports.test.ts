/** Which imports and exports a module may and must have, decided by name before it runs. */

import test from "ava";
import { checkExports, exportName, hostInterface, planImports } from "../../sandbox/imports.ts";
import type { ModuleGrants } from "../../sandbox/module-spec.ts";

const nothing: ModuleGrants = { sensors: [], serial: [], publish: [] };
const everything: ModuleGrants = {
  sensors: ["ambient"],
  serial: ["modbus0"],
  publish: ["telemetry/#"],
  network: { connect: [], listen: [] },
};

function named(...names: string[]) {
  return names.map((name) => ({ name }));
}

test("clocks, random, io, cli and an empty file system are there without a grant", (t) => {
  const imports = named(
    "wasi:clocks/monotonic-clock@0.2.0",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:random/random@0.2.3",
    "wasi:random/insecure-seed@0.2.3",
    "wasi:io/poll@0.2.6",
    "wasi:cli/terminal-stdout@0.2.6",
    "wasi:filesystem/types@0.2.6",
    "wasi:filesystem/preopens@0.2.6",
  );
  t.deepEqual(planImports(imports, nothing).missing, []);
});

test("any 0.2.x of one package is satisfied, two of them at once as well", (t) => {
  const imports = named("wasi:io/streams@0.2.0", "wasi:io/streams@0.2.9", "wasi:io/streams@0.2.12345");
  t.deepEqual(planImports(imports, nothing).missing, []);
});

for (const version of ["0.1.0", "0.3.0", "1.2.0", "0.2", "0.2.0-rc-2023-11-10", "0.2.01", "0.2.x", ""]) {
  test(`wasi:io/streams@${version} is unknown`, (t) => {
    const { missing } = planImports(named(`wasi:io/streams@${version}`), everything);
    t.like(missing, [{ name: `wasi:io/streams@${version}`, reason: "unknown" }]);
  });
}

for (const name of [
  "wasi:sockets/tcp@0.3.0",
  "wasi:sockets/raw@0.2.0",
  "wasi:http/incoming-handler@0.2.0",
  "wasi:cli/run@0.2.0",
  "skerry:device/sensor@0.2.0",
  "skerry:device/sensor",
  "evil:io/streams@0.2.0",
  "streams",
  "constructor",
  "wasi:io/streams@0.2.0@0.2.0",
]) {
  test(`${name} is unknown, whatever is granted`, (t) => {
    const { missing } = planImports(named(name), everything);
    t.like(missing, [{ name, reason: "unknown" }]);
    t.true(missing[0]?.message.includes(name));
    t.is(hostInterface(name), undefined);
  });
}

const gated: Readonly<Record<string, ModuleGrants>> = {
  "skerry:device/sensor@0.1.0": { ...nothing, sensors: ["ambient"] },
  "skerry:device/serial@0.1.0": { ...nothing, serial: ["modbus0"] },
  "skerry:module/messaging@0.1.3": { ...nothing, publish: ["telemetry/#"] },
  "wasi:sockets/tcp@0.2.9": { ...nothing, network: { connect: [], listen: [] } },
};

for (const [name, grants] of Object.entries(gated)) {
  test(`${name} needs a grant of its own kind`, (t) => {
    t.deepEqual(planImports(named(name), grants).missing, []);
    t.like(planImports(named(name), nothing).missing, [{ name, reason: "not-granted" }]);
    for (const [other, otherGrants] of Object.entries(gated)) {
      if (other !== name) {
        t.like(planImports(named(name), otherGrants).missing, [{ name, reason: "not-granted" }]);
      }
    }
  });
}

test("every missing import is listed, in the component's order", (t) => {
  const imports = named("wasi:http/types@0.3.0", "wasi:io/poll@0.2.0", "skerry:device/serial@0.1.0");
  const { missing } = planImports(imports, nothing);
  t.deepEqual(
    missing.map(({ name, reason }) => [name, reason]),
    [
      ["wasi:http/types@0.3.0", "unknown"],
      ["skerry:device/serial@0.1.0", "not-granted"],
    ],
  );
});

test("sockets are there only for a module that was granted the network, whatever it may reach", (t) => {
  const imports = named("wasi:sockets/tcp@0.2.0", "wasi:sockets/network@0.2.3");
  t.deepEqual(planImports(imports, everything).missing, []);
  const { missing } = planImports(imports, nothing);
  t.is(missing.length, 2);
  for (const { reason, message } of missing) {
    t.is(reason, "not-granted");
    t.regex(message, /no network is granted/);
  }
});

test("a command has to export wasi:cli/run of any 0.2.x", (t) => {
  t.deepEqual(checkExports(named("wasi:cli/run@0.2.12"), "command"), []);
  t.deepEqual(checkExports(named("wasi:cli/run@0.3.0"), "command"), ["wasi:cli/run"]);
  t.deepEqual(checkExports(named("skerry:module/lifecycle@0.1.0"), "command"), ["wasi:cli/run"]);
});

test("a reactor has to export its lifecycle, its timer handler is optional", (t) => {
  t.deepEqual(checkExports(named("skerry:module/lifecycle@0.1.0"), "reactor"), []);
  t.deepEqual(checkExports(named("skerry:module/timer-handler@0.1.0"), "reactor"), [
    "skerry:module/lifecycle",
  ]);
});

test("an export is found under its exact name", (t) => {
  const exports = named("init", "skerry:module/lifecycle@0.1.7");
  t.is(exportName(exports, "skerry:module/lifecycle"), "skerry:module/lifecycle@0.1.7");
  t.is(exportName(exports, "wasi:cli/run"), undefined);
});
