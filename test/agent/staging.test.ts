/** How much of a component staging takes, and takes up: what the module was granted, and never more than the agent can hold. */

import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { MAX_STAGED_COMPONENT_BYTES, STAGED_SLACK_BYTES } from "../../agent/limits.ts";
import { checkStaged } from "../../agent/staging.ts";
import { DEFAULT_CODE_BYTES } from "../../devices/limits.ts";
import type { DevicePolicy } from "../../devices/policy.ts";
import { componentFile, reactorText } from "../support/modules.ts";

const MEMORY_BYTES = 65_536;
const MANIFEST = {
  name: "acme/large",
  version: "1.0.0",
  description: "",
  hardware: [],
  world: "command",
  request: { sensor: [], serial: [], publish: [], subscribe: [], memoryBytes: MEMORY_BYTES, storageBytes: 0 },
  env: {},
  intervalMs: undefined,
  health: { windowMs: 1_000, require: ["alive"] },
} as const;

function policy(codeBytes: number): DevicePolicy {
  const grant = {
    module: "acme/*",
    sensor: [],
    serial: [],
    publish: [],
    subscribe: [],
    network: [],
    listen: [],
  };
  const grants = [{ ...grant, memoryBytes: MEMORY_BYTES, storageBytes: 0, codeBytes }];
  return { sensors: new Map(), serialPorts: new Map(), grants };
}

const CORE_PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const COMPONENT_PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const CODE_SECTION = 10;
const CORE_MODULE_SECTION = 1;

/** A component file whose core module has a code section of this size: a hole in the file, so zeros. */
async function componentWithCode(t: ExecutionContext, codeBytes: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-staging-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "component.wasm");
  const core = [...CORE_PREAMBLE, CODE_SECTION, ...leb128(codeBytes)];
  const component = [...COMPONENT_PREAMBLE, CORE_MODULE_SECTION, ...leb128(core.length + codeBytes), ...core];
  const file = await open(path, "w");
  await file.write(Uint8Array.from(component));
  await file.truncate(component.length + codeBytes);
  await file.close();
  return path;
}

test("a component that is larger than what its module was granted is refused before it is read", async (t) => {
  const path = await componentWithCode(t, DEFAULT_CODE_BYTES + MEMORY_BYTES + STAGED_SLACK_BYTES);
  await t.throwsAsync(checkStaged(MANIFEST, path, policy(DEFAULT_CODE_BYTES)), {
    code: "stage/component-invalid",
    message: /acme\/large@1\.0\.0: .*more than 1\.6MiB without its custom sections/,
  });
});

test("however much is granted, no more is read than the agent can hold", async (t) => {
  const path = await componentWithCode(t, MAX_STAGED_COMPONENT_BYTES);
  await t.throwsAsync(checkStaged(MANIFEST, path, policy(2 * MAX_STAGED_COMPONENT_BYTES)), {
    code: "stage/component-invalid",
    message: /more than 16MiB without its custom sections/,
  });
});

test("a component with more code than granted is refused, and what to write is said", async (t) => {
  const path = await componentWithCode(t, 100 * 1024);
  await t.throwsAsync(checkStaged(MANIFEST, path, policy(64 * 1024)), {
    code: "stage/code-exceeds-grant",
    message: /acme\/large@1\.0\.0 has 100KiB of code and is granted 64KiB: raise code in its \[\[grant\]\]/,
  });
});

test("where no grant fits the module, what a grant gives by itself is the bound", async (t) => {
  const path = await componentWithCode(t, DEFAULT_CODE_BYTES + 1);
  await t.throwsAsync(checkStaged(MANIFEST, path, { ...policy(0), grants: [] }), {
    code: "stage/code-exceeds-grant",
  });
});

test("a reactor that asks for messages and has no function for them is refused by the name of the export", async (t) => {
  const request = { ...MANIFEST.request, memoryBytes: 1_048_576, subscribe: ["message/#"] };
  const wanted = { ...request, module: "acme/*", sensor: ["ambient"], publish: ["telemetry/#"] };
  const grants = [{ ...wanted, network: [], listen: [], codeBytes: DEFAULT_CODE_BYTES }];
  const granting = { ...policy(0), grants };
  const manifest = { ...MANIFEST, world: "reactor", request: { ...wanted } } as const;
  await t.throwsAsync(checkStaged(manifest, await componentFile(reactorText({})), granting), {
    code: "stage/export-missing",
    message: /"message\/#" and does not export skerry:module\/message-handler/,
  });
  const taking = await componentFile(reactorText({ onMessage: "(i32.const 0)" }));
  await t.notThrowsAsync(checkStaged(manifest, taking, granting));
});

test("an import with another type than the host's is refused by the function's name", async (t) => {
  const manifest = { ...MANIFEST, request: { ...MANIFEST.request, publish: ["telemetry/#"] } } as const;
  const granting = policy(DEFAULT_CODE_BYTES);
  const [grant] = granting.grants;
  const grants = grant === undefined ? [] : [{ ...grant, publish: ["telemetry/#"] }];
  const messaging = (payload: string) => `(component
    (import "skerry:module/messaging@0.1.0" (instance
      (type $codes (enum "not-granted" "invalid-topic" "too-large" "rate-limited" "unavailable"))
      (export "error-code" (type $code (eq $codes)))
      (export "publish" (func (param "topic" string) (param "payload" ${payload}) (result (result (error $code)))))))
    (core module $m (func (export "run") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $exported (export "run" (func $run)))
    (export "wasi:cli/run@0.2.4" (instance $exported)))`;
  const wrong = await componentFile(messaging("string"));
  await t.throwsAsync(checkStaged(manifest, wrong, { ...granting, grants }), {
    code: "stage/import-type-mismatch",
    message:
      /^acme\/large@1\.0\.0 imports publish of skerry:module\/messaging@0\.1\.0 .*parameter "payload": expected list, found string/,
  });
  await t.notThrowsAsync(
    checkStaged(manifest, await componentFile(messaging("(list u8)")), { ...granting, grants }),
  );
});

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

test("a module that reaches for hosts is staged if the policy has them, and refused by the rule or the import otherwise", async (t) => {
  const path = fileURLToPath(new URL("../sandbox/guests/sockets.wasm", import.meta.url));
  const [one] = policy(DEFAULT_CODE_BYTES).grants;
  const staged = (granted: readonly string[], network?: readonly string[]) => {
    const request = {
      ...MANIFEST.request,
      memoryBytes: 65_536,
      ...(network === undefined ? {} : { network }),
    };
    const grants = one === undefined ? [] : [{ ...one, network: granted }];
    return checkStaged({ ...MANIFEST, request }, path, { ...policy(0), grants });
  };
  await t.notThrowsAsync(staged(["10.0.0.0/8:502"], ["10.0.0.5:502"]));
  await t.notThrowsAsync(staged([], []));
  await t.throwsAsync(staged(["10.0.0.0/8:502"], ["10.0.0.5:503"]), {
    code: "stage/import-not-granted",
    message: /"10\.0\.0\.5:503" on the network/,
  });
  await t.throwsAsync(staged(["*:*"]), {
    code: "stage/import-not-granted",
    message: /imports wasi:sockets\/\S+, but no network is granted to it/,
  });
});
