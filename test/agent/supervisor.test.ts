/** The supervisor with real modules: what a start gives them, and what their end tells. */

import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { MessageRouter } from "../../agent/message-router.ts";
import { Supervisor } from "../../agent/supervisor.ts";
import type { DevicePolicy } from "../../devices/policy.ts";
import { openDevices } from "../../devices/registry.ts";
import { parseManifest } from "../../ota/manifest.ts";
import type { ModuleFact, StagedModule } from "../../ota/runner.ts";

const libc = fileURLToPath(new URL("../sandbox/guests/libc.wasm", import.meta.url));

/** Runs the C guest with a line of its manifest's `[request]` to its end. */
async function run(
  t: ExecutionContext,
  { request = "", env = "", storageBytes = 0, before = async (_data: string) => {} },
): Promise<{ facts: ModuleFact[]; log: string[]; data: string }> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-supervisor-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const policy: DevicePolicy = {
    sensors: new Map(),
    serialPorts: new Map(),
    grants: [
      {
        ...{ module: "acme/guest", sensor: [], serial: [], publish: [], subscribe: [] },
        ...{ memoryBytes: 8 * 1024 ** 2, storageBytes, codeBytes: 1024 ** 2 },
      },
    ],
  };
  const log: string[] = [];
  const supervisor = new Supervisor({
    policy,
    devices: await openDevices(policy),
    log: (_level, text) => log.push(text),
    router: new MessageRouter(),
    wantMessages: () => undefined,
    sendTelemetry: () => false,
    sendLog: () => undefined,
    sendLimited: () => undefined,
  });
  const manifest = await parseManifest(
    Buffer.from(`name = "acme/guest"
version = "1.2.3"
world = "command"
[request]
${request}
[env]
${env}`),
  );
  const data = join(folder, "data/acme.guest");
  await before(data);
  const file = { length: 1, sha256: "0".repeat(64) };
  const release = { module: "acme/guest", version: "1.2.3", release: 1 };
  const staged: StagedModule = {
    release: { ...release, component: file, chunks: file, manifest: file },
    manifest,
    componentPath: libc,
    dataDirectory: data,
  };
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

test("without storage in the manifest there is no folder at all", async (t) => {
  const { log, data } = await run(t, { env: 'GUEST_VARIABLE = "files"', storageBytes: 1024 });
  t.false(log.includes("files: ok"));
  await t.throwsAsync(readdir(data), { code: "ENOENT" });
});
