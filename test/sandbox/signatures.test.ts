/** What the host says that its interfaces are, against their WIT, its own functions, and components that say otherwise. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { decodeComponent } from "../../sandbox/component/decode.ts";
import { typeOfComponent } from "../../sandbox/component/validate.ts";
import type { ExportedInterface, HostInterface } from "../../sandbox/imports.ts";
import { findMisfits } from "../../sandbox/signatures/check.ts";
import type { InterfaceSignature } from "../../sandbox/signatures/notation.ts";
import { skerryDevice } from "../../sandbox/signatures/skerry-device.ts";
import { skerryModule } from "../../sandbox/signatures/skerry-module.ts";
import { wasiCli } from "../../sandbox/signatures/wasi-cli.ts";
import { wasiClocks } from "../../sandbox/signatures/wasi-clocks.ts";
import { wasiFilesystem } from "../../sandbox/signatures/wasi-filesystem.ts";
import { wasiHttp } from "../../sandbox/signatures/wasi-http.ts";
import { wasiIo } from "../../sandbox/signatures/wasi-io.ts";
import { wasiProposals } from "../../sandbox/signatures/wasi-proposals.ts";
import { wasiRandom } from "../../sandbox/signatures/wasi-random.ts";
import { wasiSockets } from "../../sandbox/signatures/wasi-sockets.ts";
import { startRecorded } from "../support/run-module.ts";
import { componentFromText } from "../support/wat.ts";
import { worldComponent } from "../support/world-component.ts";

/** The type says that none is left out. */
const written: Readonly<Record<HostInterface | ExportedInterface, InterfaceSignature>> = {
  ...{ ...skerryDevice, ...skerryModule, ...wasiCli, ...wasiClocks, ...wasiFilesystem },
  ...{ ...wasiHttp, ...wasiIo, ...wasiProposals, ...wasiRandom, ...wasiSockets },
};
const EXPORTED = [
  "wasi:cli/run",
  "skerry:module/lifecycle",
  "skerry:module/timer-handler",
  "skerry:module/message-handler",
];
const IMPORTED = Object.keys(written).filter((name) => !EXPORTED.includes(name));

test("each interface has the functions, types and resources of its WIT, and no others", async (t) => {
  const component = decodeComponent(await worldComponent(IMPORTED, EXPORTED));
  t.deepEqual(await findMisfits(component), []);
  const { imports, exports } = typeOfComponent(component);
  const names = new Map<string, { functions: string[]; resources: string[] }>();
  for (const [name, extern] of [...imports, ...exports]) {
    if (extern.sort !== "instance") continue;
    const members = [...extern.type.exports];
    const functions = members.filter(([, { sort }]) => sort === "func").map(([member]) => member);
    const resources = members
      .filter(([, member]) => member.sort === "type" && member.type.sort === "resource")
      .map(([member]) => member);
    names.set(name.split("@")[0] ?? "", { functions, resources });
  }
  for (const [name, signature] of Object.entries(written)) {
    t.deepEqual(Object.keys(signature.functions).sort(), names.get(name)?.functions.sort(), name);
    t.deepEqual(Object.keys(signature.resources).sort(), names.get(name)?.resources.sort(), name);
  }
});

test("the host has every function that is written down", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "skerry-signatures-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const componentPath = join(folder, "component.wasm");
  await writeFile(componentPath, await worldComponent(IMPORTED, ["wasi:cli/run"]));
  const network = { connect: [], listen: [] };
  const grants = {
    sensors: ["ambient"],
    serial: ["modbus0"],
    publish: ["telemetry/#"],
    network,
    storageBytes: 1,
  };
  const folders = [{ hostPath: folder, guestPath: "/data", quota: { maxBytes: 1, maxEntries: 1 } }];
  const { module } = startRecorded({ componentPath, grants, folders });
  // It came to its own function, which traps: nothing was missing when it was linked.
  t.like(await module.done, { kind: "trapped", code: "trap/wasm" });
});

const POLL = `(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))`;

const clock = (members: string, version = "0.2.3") =>
  `${POLL} (import "wasi:clocks/monotonic-clock@${version}" (instance
    (alias outer 1 $pollable (type $outer)) (export "pollable" (type $p (eq $outer))) ${members}))`;

const misfitsOf = async (definitions: string) => {
  const component = decodeComponent(await componentFromText(`(component ${definitions})`));
  return (await findMisfits(component)).map(({ kind, message }) => `${kind}: ${message}`);
};

const NAMED = "monotonic-clock@0.2.3 with another type than this agent has";

const cases: readonly (readonly [rule: string, definitions: string, expected: RegExp | undefined])[] = [
  [
    "what fits",
    clock(`(export "subscribe-duration" (func (param "when" u64) (result (own $p))))`),
    undefined,
  ],
  [
    "one interface in several versions, one after the other",
    `${POLL} (import "wasi:io/poll@0.2.9" (instance $later (export "pollable" (type $p (sub resource)))
        (export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))))`,
    undefined,
  ],
  [
    "another parameter's type",
    clock(`(export "subscribe-duration" (func (param "when" u32) (result (own $p))))`),
    new RegExp(
      `^import-type-mismatch: imports subscribe-duration of wasi:clocks/${NAMED}: parameter "when": expected u64, found u32; build`,
    ),
  ],
  [
    "another parameter's name",
    clock(`(export "subscribe-duration" (func (param "for" u64) (result (own $p))))`),
    /expected parameter "when", found "for"/,
  ],
  [
    "another number of parameters",
    clock(`(export "now" (func (param "zone" string) (result u64)))`),
    /imports now of .*: expected 0 parameters, found 1/,
  ],
  ["no result", clock(`(export "now" (func))`), /imports now of .*: expected a result, found none/],
  [
    "a function of a later version",
    clock(`(export "now-in" (func (param "zone" string) (result u64)))`, "0.2.99"),
    /^import-unknown: imports now-in of wasi:clocks\/monotonic-clock@0\.2\.99, which this agent does not have/,
  ],
  [
    "a name that every object has",
    clock(`(export "constructor" (func))`),
    /^import-unknown: imports constructor of /,
  ],
  [
    "a record's field with another name",
    `(import "wasi:clocks/wall-clock@0.2.0" (instance
      (type $fields (record (field "seconds" u64) (field "nanos" u32)))
      (export "datetime" (type $datetime (eq $fields)))
      (export "now" (func (result $datetime)))))`,
    /imports now of .*: expected field "nanoseconds", found "nanos"/,
  ],
  [
    "a case less in a variant",
    `(import "skerry:module/messaging@0.1.0" (instance
      (type $codes (enum "not-granted" "invalid-topic" "too-large" "rate-limited"))
      (export "error-code" (type $code (eq $codes)))
      (export "publish" (func (param "topic" string) (param "payload" (list u8)) (result (result (error $code)))))))`,
    /imports publish of skerry:module\/messaging@0\.1\.0 .*the labels of enum types differ/,
  ],
  [
    "a resource passed off as that of another interface",
    `(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $wrong))
    (import "wasi:clocks/monotonic-clock@0.2.3" (instance
      (alias outer 1 $wrong (type $outer)) (export "pollable" (type $p (eq $outer)))
      (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))`,
    /imports pollable of .*: resource types are not the same \("error" and "pollable"\)/,
  ],
  [
    "an export with another type",
    `(core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result u32) (canon lift (core func $i "run")))
    (instance $exported (export "run" (func $run)))
    (export "wasi:cli/run@0.2.4" (instance $exported))`,
    /^export-type-mismatch: exports run of wasi:cli\/run@0\.2\.4 with another type than this agent has: expected result, found u32/,
  ],
];

for (const [rule, definitions, expected] of cases) {
  test(`a component's types against the host's: ${rule}`, async (t) => {
    const misfits = await misfitsOf(definitions);
    if (expected === undefined) t.deepEqual(misfits, []);
    else t.regex(misfits[0] ?? "none", expected);
  });
}
