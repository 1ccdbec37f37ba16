/** The supervisor with real modules: what a start gives them, and what their end tells. */

import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { MAX_SUPERVISOR_TASK_MS } from "../../agent/limits.ts";
import { MessageRouter } from "../../agent/message-router.ts";
import { Supervisor } from "../../agent/supervisor.ts";
import type { DevicePolicy } from "../../devices/policy.ts";
import { openDevices } from "../../devices/registry.ts";
import { type Manifest, parseManifest } from "../../ota/manifest.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import type { ModuleFact, StagedModule } from "../../ota/runner.ts";
import { temporaryFolder } from "../support/folders.ts";
import { reactorText } from "../support/modules.ts";
import { componentFromText } from "../support/wat.ts";

const libc = fileURLToPath(new URL("../sandbox/guests/libc.wasm", import.meta.url));

/** What every device of these tests grants; its log goes into an array. */
async function newSupervisor(
  log: string[],
  storageBytes = 0,
  maxTaskMs = MAX_SUPERVISOR_TASK_MS,
  codeBytes = 1024 ** 2,
): Promise<Supervisor> {
  const policy: DevicePolicy = {
    sensors: new Map([
      ["ambient", { driver: "simulated", start: 20, amplitude: 0, periodMs: 1_000, unit: "Cel" }],
    ]),
    serialPorts: new Map(),
    grants: [
      {
        ...{
          module: "acme/guest",
          sensor: ["ambient"],
          serial: [],
          publish: ["telemetry/#"],
          subscribe: [],
          network: [],
          listen: [],
        },
        ...{ memoryBytes: 8 * 1024 ** 2, storageBytes, codeBytes },
      },
    ],
  };
  return new Supervisor({
    disk: createNodeDisk(),
    policy,
    devices: await openDevices(policy),
    log: (_level, text) => log.push(text),
    router: new MessageRouter(),
    wantMessages: () => undefined,
    sendTelemetry: () => false,
    sendLog: () => undefined,
    sendLimited: () => undefined,
    maxTaskMs,
  });
}

function parseGuestManifest(request: string, env: string): Promise<Manifest> {
  return parseManifest(
    Buffer.from(`name = "acme/guest"
version = "1.2.3"
world = "command"
[request]
${request}
[env]
${env}`),
  );
}

/** The C guest as it lies on a device. */
function stagedGuest(manifest: Manifest, dataDirectory = "/nowhere"): StagedModule {
  const file = { length: 1, sha256: "0".repeat(64) };
  const files = { component: file, chunks: file, manifest: file };
  const release = { module: "acme/guest", version: "1.2.3", release: 1, ...files };
  return { release, manifest, componentPath: libc, dataDirectory };
}

/** Runs the C guest with a line of its manifest's `[request]` to its end. */
async function run(
  t: ExecutionContext,
  { request = "", env = "", storageBytes = 0, before = async (_data: string) => {} },
): Promise<{ facts: ModuleFact[]; log: string[]; data: string }> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-supervisor-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const log: string[] = [];
  const supervisor = await newSupervisor(log, storageBytes);
  const manifest = await parseGuestManifest(request, env);
  const data = join(folder, "acme.guest");
  await before(data);
  const staged = stagedGuest(manifest, data);
  const facts: ModuleFact[] = [];
  const ended = Promise.withResolvers<void>();
  await supervisor.start(staged, (fact) => {
    facts.push(fact);
    if (fact.kind !== "alive") ended.resolve();
  });
  await ended.promise;
  return { facts, log, data };
}

test("storage that is requested and granted is the folder /data, kept from start to start", async (t) => {
  const { facts, log, data } = await run(t, {
    request: 'storage = "1KiB"',
    env: 'GUEST_VARIABLE = "files"',
    storageBytes: 1024,
  });
  t.true(log.includes("files: ok"), log.join("\n"));
  t.deepEqual(facts.at(-1), { kind: "exited", exitCode: 0 });
  t.deepEqual(await readdir(data), []);
});

test("a module can't write more than its manifest requests", async (t) => {
  const { log } = await run(t, {
    request: 'storage = "1KiB"',
    env: 'GUEST_VARIABLE = "files"',
    storageBytes: 1024 ** 2,
    before: async (data) => {
      await mkdir(data, { recursive: true });
      await writeFile(join(data, "old"), Buffer.alloc(1020));
    },
  });
  t.true(
    log.some((line) => /write\(.*errno 19/.test(line)),
    log.join("\n"),
  );
});

test("a trap is told with module, version, code, the functions it was in and the last log lines", async (t) => {
  const { facts, log } = await run(t, { env: 'GUEST_VARIABLE = "trap"' });
  const fact = facts.at(-1);
  t.like(fact, { kind: "trap", code: "trap/wasm" });
  t.regex(
    fact?.kind === "trap" ? fact.message : "",
    /unreachable; at .*deeper .* < .*main .*last log lines: "error: about to trap"/,
  );
  const report = log.slice(log.findIndex((line) => line.includes("acme/guest@1.2.3 trapped")));
  t.regex(report[0] ?? "", /unreachable \(trap\/wasm\)$/);
  t.regex(
    report.join("\n"),
    /\n {2}at .*deeper .*\n(.*\n)* {2}at .*main .*\n(.*\n)* {4}error: about to trap$/,
  );
});

/** Runs, but for the name of its second export, which the validator refuses. */
const BADLY_NAMED = `(component
  (core module $Run (func (export "run") (result i32) (i32.const 0)))
  (core instance $run (instantiate $Run))
  (func $run (result (result)) (canon lift (core func $run "run")))
  (instance $interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $interface))
  (export "no_kebab" (func $run)))`;

test("a worker leaves out the validation of the component that was validated last, by its digest, and of no other", async (t) => {
  const supervisor = await newSupervisor([]);
  const folder = await temporaryFolder(t);
  const badlyNamed = join(folder, "component.wasm");
  await writeFile(badlyNamed, await componentFromText(BADLY_NAMED));
  const manifest = await parseGuestManifest("", "");
  const stagedAs = (digit: string, componentPath: string): StagedModule => {
    const file = { length: 1, sha256: digit.repeat(64) };
    const files = { component: file, chunks: file, manifest: file };
    const release = { module: "acme/guest", version: "1.2.3", release: 1, ...files };
    return { release, manifest, componentPath, dataDirectory: folder };
  };
  const start = async (staged: StagedModule): Promise<ModuleFact | undefined> => {
    const ended = Promise.withResolvers<ModuleFact>();
    await supervisor.start(staged, (fact) => (fact.kind === "alive" ? undefined : ended.resolve(fact)));
    return ended.promise;
  };
  const refusal = { code: "trial/start-failed", message: /sandbox\/component-refused/ };

  await t.throwsAsync(start(stagedAs("a", badlyNamed)), refusal, "nothing was validated yet");
  await t.throwsAsync(supervisor.check(stagedAs("a", badlyNamed)), { code: "stage/component-invalid" });
  await t.throwsAsync(start(stagedAs("a", badlyNamed)), refusal, "what was refused is not validated");
  await supervisor.check(stagedAs("b", libc));
  await t.throwsAsync(start(stagedAs("a", badlyNamed)), refusal, "another one was");
  // The installer never starts a file that is not what its digest says: here it shows that the validator was not asked.
  t.deepEqual(await start(stagedAs("b", badlyNamed)), { kind: "exited", exitCode: 0 });
});

test("an on-timer that fails call after call is told once, and once when it works again", async (t) => {
  const componentPath = join(await temporaryFolder(t), "component.wasm");
  // Ten calls that fail, ten that do not; with the next one it ends.
  const onTimer = `(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.gt_u (global.get $calls) (i32.const 20)) (then unreachable))
    (select (i32.const 16) (i32.const 0) (i32.le_u (global.get $calls) (i32.const 10)))`;
  const text = reactorText({ onTimer }, "(global $calls (mut i32) (i32.const 0))");
  await writeFile(componentPath, await componentFromText(text));
  const manifest = `name = "acme/guest"
version = "1.2.3"
world = "reactor"
[request]
sensor = ["ambient"]
publish = ["telemetry/#"]
[reactor]
interval = "10ms"`;
  const staged = stagedGuest(await parseManifest(Buffer.from(manifest)));
  const log: string[] = [];
  const supervisor = await newSupervisor(log);
  const ended = Promise.withResolvers<void>();
  await supervisor.start({ ...staged, componentPath }, ({ kind }) => {
    if (kind === "trap") ended.resolve();
  });
  await ended.promise;
  t.deepEqual(
    log.filter((line) => line.startsWith("on-timer")),
    ["on-timer: not well", "on-timer works again"],
  );
});

test("stage/code-exceeds-grant: the grant of code is held at each start, too, whoever validated the component", async (t) => {
  const staged = stagedGuest(await parseGuestManifest("", ""));
  const supervisor = await newSupervisor([], 0, MAX_SUPERVISOR_TASK_MS, 1024);
  await t.throwsAsync(
    supervisor.start(staged, (fact) => t.fail(JSON.stringify(fact))),
    {
      code: "stage/code-exceeds-grant",
      message: /^acme\/guest has [\d.]+KiB of code and is granted 1KiB: raise code in its \[\[grant\]\]/,
    },
  );
});

test("stage/memory-exceeds-grant: the grants are held at each start", async (t) => {
  const staged = stagedGuest(await parseGuestManifest('memory = "16MiB"', ""));
  const supervisor = await newSupervisor([]);
  await t.throwsAsync(
    supervisor.start(staged, () => {}),
    { code: "stage/memory-exceeds-grant" },
  );
});

test("without storage in the manifest there is no folder at all", async (t) => {
  const { log, data } = await run(t, { env: 'GUEST_VARIABLE = "files"', storageBytes: 1024 });
  t.false(log.includes("files: ok"));
  await t.throwsAsync(readdir(data), { code: "ENOENT" });
});

test("a check that takes longer than it may hangs, until it has ended; one that does not does not", async (t) => {
  const staged = stagedGuest(await parseGuestManifest("", ""));
  const impatient = await newSupervisor([], 0, -1);
  t.is(impatient.stuck(), undefined);
  const hasty = impatient.check(staged);
  t.regex(impatient.stuck() ?? "", /^checking acme\/guest has taken longer than /);
  await hasty;
  t.is(impatient.stuck(), undefined);

  const patient = await newSupervisor([]);
  const slow = patient.check(staged);
  t.is(patient.stuck(), undefined);
  await slow;
});
