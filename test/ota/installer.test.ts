import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Disk } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";
import type { ModuleSnapshot } from "../../ota/installer.ts";
import { FETCH_RETRY_MIN_MS, MAX_TRIAL_STARTS, PERSIST_RETRY_MS } from "../../ota/limits.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import type { ModuleFact } from "../../ota/runner.ts";
import { BlobBroker } from "../support/blob-broker.ts";
import { InstallRig, MODULE, WINDOW_MS } from "../support/install-rig.ts";
import { makeRelease, sha256Of, type TestRelease } from "../support/releases.ts";

const OLD = makeRelease("1.0.0");
const NEW = makeRelease("1.1.0");
const THIRD = makeRelease("1.2.0");
const TRAP: ModuleFact = { kind: "trap", code: "trap/wasm", message: "unreachable" };

const COMMITTED_OLD: ModuleSnapshot = {
  phase: "committed",
  running: "1.0.0",
  staged: null,
  trial: null,
  committed: "1.0.0",
  desired: "1.0.0",
  failed: null,
};

test("a first version is fetched, verified, staged, tried and committed after its window", async (t) => {
  const rig = await InstallRig.create(t);
  rig.ask(OLD);
  await rig.until("trial");
  t.like(rig.installer.snapshot()[MODULE], { phase: "trial", running: "1.0.0", trial: "1.0.0" });
  t.false(rig.told().includes("committed"));
  await rig.passTrial("1.0.0");
  t.deepEqual(rig.told(), ["fetching", "verified", "staged", "trial", "committed"]);
  t.deepEqual(rig.installer.snapshot(), { [MODULE]: COMMITTED_OLD });
  t.deepEqual(rig.runner.log, ["check 1.0.0", "start 1.0.0"]);
});

test("progress is told from nothing to all, a bounded number of times", async (t) => {
  const rig = await InstallRig.create(t);
  const big = makeRelease("1.0.0", { component: randomBytes(300_000), chunkBytes: 1_000 });
  await rig.install(big);
  const received = rig.reports.flatMap(({ event, received }) => (event === "progress" ? [received] : []));
  t.is(received[0], 0);
  t.is(received.at(-1), 300_000);
  t.true(received.length <= 21);
});

test("an update stops the old version before it starts the new one", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  await rig.install(NEW);
  t.deepEqual(rig.runner.log.slice(2), ["check 1.1.0", "stop 1.0.0", "start 1.1.0"]);
  t.is(rig.runner.runningVersion(), "1.1.0");
});

for (const [what, fail, code] of [
  ["traps", (rig: InstallRig) => rig.runner.end(TRAP), "trial/trap"],
  ["exits", (rig: InstallRig) => rig.runner.end({ kind: "exited", exitCode: 0 }), "trial/exited"],
  [
    "exceeds a limit",
    (rig: InstallRig) => rig.runner.end({ kind: "limit", code: "limit/memory", message: "2 MiB" }),
    "trial/limit",
  ],
] as const) {
  test(`a version that ${what} in its trial is rolled back to the old one, with the data of before`, async (t) => {
    const rig = await InstallRig.create(t);
    await rig.install(OLD);
    const data = rig.store.dataDirectory(MODULE);
    await writeFile(join(data, "counter"), "41");
    rig.ask(NEW);
    await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
    await writeFile(join(data, "counter"), "spoilt");
    await writeFile(join(data, "left over"), "");
    fail(rig);
    const report = await rig.until("rolled-back");
    t.like(report, { version: "1.1.0", to: "1.0.0", code });
    t.deepEqual(rig.told("1.1.0"), ["fetching", "verified", "staged", "trial", `rolled-back ${code}`]);
    await rig.untilState(() => rig.installer.snapshot()[MODULE]?.phase === "committed");
    t.is(rig.runner.runningVersion(), "1.0.0");
    t.deepEqual((await readdir(data)).sort(), ["counter", "writer"]);
    t.is(await readFile(join(data, "counter"), "utf8"), "41");
    t.deepEqual(await readdir(join(rig.folder, "data")), ["acme.thermo"]);
    t.like(rig.installer.snapshot()[MODULE], { running: "1.0.0", failed: { version: "1.1.0", code } });
  });
}

test("a version that shows no sign of what its manifest requires is rolled back at the end of its window", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  const silent = makeRelease("1.1.0", {
    manifest: `name = "${MODULE}"
version = "1.1.0"
world = "command"
[request]
publish = ["telemetry/#"]
[health]
require = ["telemetry"]
`,
  });
  rig.ask(silent);
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  rig.clock.advance(WINDOW_MS);
  t.like(await rig.until("rolled-back"), { code: "trial/unhealthy", version: "1.1.0" });
});

test("a start that fails is a failed trial", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.runner.onStart.set("1.1.0", () => {
    rig.runner.running.delete(MODULE);
    throw new Error("init said no");
  });
  rig.ask(NEW);
  const report = await rig.until("rolled-back");
  t.is(report.code, "trial/start-failed");
  t.regex(report.message ?? "", /acme\/thermo@1\.1\.0 did not start: init said no/);
});

test("a start that the policy no longer allows keeps the code of the refusal", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.runner.onStart.set("1.1.0", () => {
    rig.runner.running.delete(MODULE);
    throw new OtaError("stage/code-exceeds-grant", "too much code");
  });
  rig.ask(NEW);
  t.like(await rig.until("rolled-back"), { code: "stage/code-exceeds-grant" });
});

test("a first version that fails is told as failed, and nothing runs", async (t) => {
  const rig = await InstallRig.create(t);
  rig.ask(OLD);
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  rig.runner.end(TRAP);
  t.like(await rig.until("failed"), { version: "1.0.0", code: "trial/trap" });
  await rig.untilState(() => rig.installer.snapshot()[MODULE]?.phase === "idle");
  t.is(rig.runner.runningVersion(), undefined);
});

test("what failed is not tried again, however often the director repeats itself", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.ask(NEW);
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  rig.runner.end(TRAP);
  await rig.until("rolled-back");
  const told = rig.told();
  rig.ask(NEW);
  await rig.restart();
  rig.ask(NEW);
  // A release after it: whatever the failed one had caused would have been told before.
  rig.ask(THIRD);
  await rig.until("fetching", "1.2.0");
  t.deepEqual(rig.told().slice(told.length), ["fetching"]);
});

test("a refusal by the staging check is told with its code, and the old version was never stopped", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.runner.onCheck.set("1.1.0", () => {
    throw new OtaError("stage/import-not-granted", "acme/thermo@1.1.0 imports skerry:device/serial");
  });
  rig.ask(NEW);
  const report = await rig.until("refused");
  t.like(report, { version: "1.1.0", code: "stage/import-not-granted" });
  t.deepEqual(rig.told("1.1.0"), ["fetching", "verified", "refused stage/import-not-granted"]);
  t.false(rig.runner.log.includes("stop 1.0.0"));
  t.is(rig.runner.runningVersion(), "1.0.0");
});

for (const [what, manifest, code] of [
  ["another module's manifest", OLD.manifest, "manifest/mismatch"],
  ["a manifest that is none", new TextEncoder().encode("name = 1\n"), "manifest/malformed"],
] as const) {
  test(`a release with ${what} is refused, the old version runs on`, async (t) => {
    const rig = await InstallRig.create(t);
    await rig.install(OLD);
    rig.ask(makeRelease("1.1.0", { manifest: new TextDecoder().decode(manifest) }));
    t.is((await rig.until("refused", "1.1.0")).code, code);
    t.is(rig.runner.runningVersion(), "1.0.0");
  });
}

test("a download that times out is told, and goes on once the broker is back", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  const blob = NEW.release.component.sha256;
  rig.ask(NEW);
  rig.broker.blobs.delete(blob);
  await rig.untilState(() =>
    rig.reports.some(({ event, version }) => event === "progress" && version === "1.1.0"),
  );
  rig.clock.advance(30_000);
  t.is((await rig.until("refused", "1.1.0")).code, "delivery/timeout");
  await rig.untilState(() => rig.installer.snapshot()[MODULE]?.failed?.code === "delivery/timeout");
  t.is(rig.runner.runningVersion(), "1.0.0");
  rig.broker.add(NEW.blobs);
  rig.installer.retryNow();
  await rig.passTrial("1.1.0");
  t.is(rig.installer.snapshot()[MODULE]?.failed, null);
});

test("a corrupt chunk is told by its code while the old version runs, and tried again later", async (t) => {
  const bad = NEW.release.component.sha256;
  let isCorrupt = true;
  const broker = new BlobBroker((digest, payload) =>
    payload === undefined ? [] : [digest === bad && isCorrupt ? new Uint8Array(payload.length) : payload],
  );
  const rig = await InstallRig.create(t, { broker });
  await rig.install(OLD);
  rig.ask(NEW);
  t.is((await rig.until("refused", "1.1.0")).code, "delivery/chunk-corrupt");
  isCorrupt = false;
  await rig.untilState(() => rig.clock.pendingMs.includes(FETCH_RETRY_MIN_MS * 0.75));
  rig.clock.advance(FETCH_RETRY_MIN_MS);
  await rig.passTrial("1.1.0");
  t.is(rig.runner.runningVersion(), "1.1.0");
});

/** A real disk that is full whenever the test says so. */
function fillableDisk(): { readonly disk: Disk; isFull: boolean } {
  const real = createNodeDisk();
  const full = (): Promise<never> => Promise.reject(new OtaError("store/disk-full", "no space left"));
  const fillable: { readonly disk: Disk; isFull: boolean } = {
    isFull: false,
    disk: {
      ...real,
      open: (path, mode) => (fillable.isFull && mode !== "read" ? full() : real.open(path, mode)),
      freeBytes: (path) => (fillable.isFull ? Promise.resolve(0) : real.freeBytes(path)),
    },
  };
  return fillable;
}

test("a full disk refuses the release, told by its code; the old version runs on", async (t) => {
  const fillable = fillableDisk();
  const rig = await InstallRig.create(t, { disk: fillable.disk });
  await rig.install(OLD);
  fillable.isFull = true;
  rig.ask(NEW);
  t.is((await rig.until("refused", "1.1.0")).code, "store/disk-full");
  t.is(rig.runner.runningVersion(), "1.0.0");
  fillable.isFull = false;
  rig.installer.retryNow();
  await rig.passTrial("1.1.0");
});

test("a disk that fills up before the trial gives the old version back", async (t) => {
  const fillable = fillableDisk();
  const rig = await InstallRig.create(t, { disk: fillable.disk });
  await rig.install(OLD);
  rig.runner.onCheck.set("1.1.0", () => {
    fillable.isFull = true;
  });
  rig.ask(NEW);
  t.is((await rig.until("refused", "1.1.0")).code, "store/disk-full");
  await rig.untilState(() => rig.runner.log.at(-1) === "start 1.0.0");
  t.deepEqual(rig.runner.log.slice(-2), ["stop 1.0.0", "start 1.0.0"]);
  t.false(rig.told().slice(5).includes("trial"));
});

test("committed is not told before it is written", async (t) => {
  const fillable = fillableDisk();
  const rig = await InstallRig.create(t, { disk: fillable.disk });
  rig.ask(OLD);
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  fillable.isFull = true;
  rig.clock.advance(WINDOW_MS);
  await rig.untilState(() => rig.clock.pendingMs.includes(FETCH_RETRY_MIN_MS * 0.75));
  t.false(rig.told().includes("committed"));
  t.is(rig.runner.runningVersion(), "1.0.0");
  fillable.isFull = false;
  rig.clock.advance(FETCH_RETRY_MIN_MS);
  await rig.until("committed");
});

test("a state that the disk refused is written once there is space", async (t) => {
  const fillable = fillableDisk();
  const rig = await InstallRig.create(t, { disk: fillable.disk });
  await rig.install(OLD);
  rig.ask(NEW);
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  fillable.isFull = true;
  rig.runner.end(TRAP);
  await rig.until("rolled-back");
  await rig.untilState(() => rig.clock.pendingMs.includes(PERSIST_RETRY_MS));
  t.is(rig.store.modules().get(MODULE)?.phase.kind, "trial");
  fillable.isFull = false;
  rig.clock.advance(PERSIST_RETRY_MS);
  await rig.installer.stop();
  t.is(rig.store.modules().get(MODULE)?.failed?.version, "1.1.0");
});

test("a committed version that was spoiled on the disk does not run, is fetched again, and runs without another trial", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  const path = rig.store.componentPath(OLD.release);
  const component = await readFile(path);
  component[0] = (component[0] ?? 0) ^ 1;
  await writeFile(path, component);
  const from = rig.reports.length;
  await rig.crash();
  t.is((await rig.until("stopped", "1.0.0", from)).code, "store/corrupt");
  await rig.until("fetching", "1.0.0", from);
  await rig.untilState(() => rig.runner.runningVersion() === "1.0.0");
  t.deepEqual(rig.runner.log, ["start 1.0.0"]);
  await rig.untilState(() => rig.installer.snapshot()[MODULE]?.phase === "committed");
  t.deepEqual(new Uint8Array(await readFile(path)), OLD.component);
});

test("what is committed runs after a restart of the agent, with no broker and no director", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  await rig.crash();
  await rig.untilState(() => rig.runner.runningVersion() !== undefined);
  t.deepEqual(rig.runner.log, ["start 1.0.0"]);
  t.deepEqual(rig.installer.snapshot(), { [MODULE]: COMMITTED_OLD });
});

test("an agent that dies in each start of a trial rolls it back", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.ask(NEW);
  for (let start = 1; start <= MAX_TRIAL_STARTS; start++) {
    await rig.untilState(() => rig.runner.log.at(-1) === "start 1.1.0");
    await rig.crash();
  }
  t.is((await rig.until("rolled-back")).code, "trial/crashed-agent");
  t.is(rig.runner.runningVersion(), "1.0.0");
  t.is(rig.told("1.1.0").filter((event) => event === "trial").length, MAX_TRIAL_STARTS);
});

test("a trial that the agent's death cut short has the data of before it again when it is rolled back", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.ask(NEW);
  await rig.untilState(() => rig.runner.log.at(-1) === "start 1.1.0");
  await rig.crash();
  await rig.untilState(() => rig.clock.pendingMs.includes(WINDOW_MS));
  rig.runner.end(TRAP);
  await rig.until("rolled-back");
  await rig.untilState(() => rig.runner.runningVersion() === "1.0.0");
  t.is(await readFile(join(rig.store.dataDirectory(MODULE), "writer"), "utf8"), "1.0.0");
});

/** A disk whose renames of a data folder fail so many times. */
function failingRenames(failures: number): Disk {
  const real = createNodeDisk();
  let left = failures;
  return {
    ...real,
    rename: (from, to) =>
      from.endsWith(".snapshot") && left-- > 0
        ? Promise.reject(new OtaError("store/io", `${to}: EIO`))
        : real.rename(from, to),
  };
}

async function rollBackOn(t: ExecutionContext, disk: Disk): Promise<InstallRig> {
  const rig = await InstallRig.create(t, { disk });
  await rig.install(OLD);
  const counter = join(rig.store.dataDirectory(MODULE), "counter");
  await writeFile(counter, "41");
  rig.runner.onStart.set("1.1.0", async (observe) => {
    await writeFile(counter, "spoilt");
    observe({ kind: "trap", code: "trap/wasm", message: "unreachable" });
  });
  rig.ask(NEW);
  await rig.until("rolled-back", "1.1.0");
  t.is(rig.runner.runningVersion(), "1.0.0");
  return rig;
}

test("a disk that fails to put the data back is asked again", async (t) => {
  const rig = await rollBackOn(t, failingRenames(2));
  t.is(await readFile(join(rig.store.dataDirectory(MODULE), "counter"), "utf8"), "41");
  t.false(rig.told("1.1.0").some((event) => event.startsWith("failed")));
  t.deepEqual(await readdir(join(rig.folder, "data")), ["acme.thermo"]);
});

test("data that the disk does not put back is told; the old version runs, and neither state of the data is torn", async (t) => {
  const rig = await rollBackOn(t, failingRenames(Number.POSITIVE_INFINITY));
  t.true(rig.told("1.1.0").includes("failed store/io"));
  t.is(await readFile(join(rig.folder, "data", "acme.thermo.snapshot", "counter"), "utf8"), "41");
  t.is(await readFile(join(rig.folder, "data", "acme.thermo.removed", "counter"), "utf8"), "spoilt");
});

test("a committed version that traps is told as stopped, and started again after a delay", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.runner.end(TRAP);
  t.like(await rig.until("stopped"), { version: "1.0.0", code: "trap/wasm" });
  await rig.untilState(() => rig.clock.pendingMs.includes(1_000));
  t.like(rig.installer.snapshot()[MODULE], { phase: "committed", running: null });
  rig.clock.advance(1_000);
  await rig.untilState(() => rig.runner.runningVersion() === "1.0.0");
  t.false(rig.told().includes("rolled-back"));
});

test("a restart by the operator stops and starts the committed version", async (t) => {
  const rig = await InstallRig.create(t);
  t.false(rig.installer.restart(MODULE));
  await rig.install(OLD);
  t.true(rig.installer.restart(MODULE));
  await rig.until("stopped");
  await rig.untilState(() => rig.runner.log.length === 4);
  t.deepEqual(rig.runner.log.slice(2), ["stop 1.0.0", "start 1.0.0"]);
});

test("restarts that are asked for faster than they happen are one", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  for (let count = 0; count < 1_000; count += 1) rig.installer.restart(MODULE);
  // Queued behind them all.
  rig.ask(NEW);
  await rig.until("fetching", "1.1.0");
  // The one that was under way, and the one that waited.
  t.true(rig.runner.log.filter((line) => line === "stop 1.0.0").length <= 2);
});

test("a system error in the staging check is the device's: the release is tried again", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.runner.onCheck.set("1.1.0", () => {
    throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
  });
  rig.ask(NEW);
  t.is((await rig.until("refused", "1.1.0")).code, "store/io");
  rig.runner.onCheck.clear();
  await rig.untilState(() => rig.clock.pendingMs.length > 0);
  rig.clock.advance(FETCH_RETRY_MIN_MS);
  await rig.passTrial("1.1.0");
});

test("stopping ends the modules, calls off what is fetched, and keeps the state", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.ask(NEW);
  rig.broker.blobs.delete(NEW.release.component.sha256);
  await rig.until("progress", "1.1.0");
  await rig.installer.stop();
  t.is(rig.runner.runningVersion(), undefined);
  t.is(rig.broker.subscribed, 0);
  t.is(rig.told().at(-1), "stopped");
  t.deepEqual(rig.clock.pendingMs, []);
  await rig.restart();
  rig.broker.add(NEW.blobs);
  await rig.passTrial("1.1.0");
});

test("another release asked for while one is fetched takes its place", async (t) => {
  const rig = await InstallRig.create(t);
  rig.ask(NEW);
  rig.broker.blobs.delete(NEW.release.component.sha256);
  await rig.until("progress", "1.1.0");
  rig.ask(THIRD);
  await rig.passTrial("1.2.0");
  t.deepEqual(rig.told("1.1.0"), ["fetching"]);
});

test("two modules install side by side, their downloads one after the other", async (t) => {
  const rig = await InstallRig.create(t);
  const other = makeRelease("3.0.0", { module: "acme/other" });
  rig.ask(OLD, other);
  await rig.untilState(() => rig.clock.pendingMs.filter((ms) => ms === WINDOW_MS).length === 2);
  rig.clock.advance(WINDOW_MS);
  await rig.until("committed", "1.0.0");
  await rig.until("committed", "3.0.0");
  t.deepEqual(Object.keys(rig.installer.snapshot()).sort(), ["acme/other", MODULE]);
});

test("a refusal by the metadata is told once, and what runs goes on", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  const refused = (): void =>
    rig.installer.setDesired(
      new Map([
        [
          MODULE,
          {
            kind: "refused",
            error: new OtaError("trust/not-vouched", "unknown to the image repository", {
              details: { version: "9.0.0" },
            }),
          },
        ],
      ]),
    );
  refused();
  refused();
  t.deepEqual(rig.told("9.0.0"), ["refused trust/not-vouched"]);
  t.is(rig.runner.runningVersion(), "1.0.0");
});

test("a module that nobody assigns any more goes on running", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  rig.installer.setDesired(new Map());
  await rig.untilState(() => rig.installer.snapshot()[MODULE]?.desired === null);
  t.like(rig.installer.snapshot()[MODULE], { phase: "committed", running: "1.0.0" });
});

test("the running version and the one before stay on the disk, older ones and strangers go", async (t) => {
  const rig = await InstallRig.create(t);
  await mkdir(join(rig.folder, "incoming", "stranger"));
  await rig.install(OLD);
  await rig.install(NEW);
  await rig.install(THIRD);
  await rig.installer.stop();
  t.false(await rig.store.hasVersion(OLD.release));
  t.true(await rig.store.hasVersion(NEW.release));
  t.true(await rig.store.hasVersion(THIRD.release));
  t.deepEqual(await readdir(join(rig.folder, "incoming")), []);
  t.deepEqual(await readdir(join(rig.folder, "data")), ["acme.thermo"]);
});

/** Several chunks of noise, so that nothing of it is anywhere else. */
function noise(version: string, sizeBytes: number): TestRelease {
  return makeRelease(version, { component: new Uint8Array(randomBytes(sizeBytes)), chunkBytes: 4_096 });
}

test("a module that nobody assigns any more before anything of it was committed leaves nothing behind", async (t) => {
  const rig = await InstallRig.create(t);
  const release = noise("1.0.0", 20_000);
  rig.ask(release);
  rig.broker.blobs.delete(sha256Of(release.component.subarray(16_384)));
  await rig.until("progress", "1.0.0");
  rig.installer.setDesired(new Map());
  await rig.untilState(() => rig.installer.snapshot()[MODULE] === undefined);
  await rig.installer.stop();
  for (const folder of ["incoming", "versions", "data"])
    t.deepEqual(await readdir(join(rig.folder, folder)), []);
  t.is(rig.store.modules().size, 0);
});

test("a first version that failed and is not assigned any more leaves nothing behind; assigned again it is tried again", async (t) => {
  const rig = await InstallRig.create(t);
  rig.runner.onStart.set("1.0.0", (observe) => observe(TRAP));
  rig.ask(OLD);
  await rig.until("failed", "1.0.0");
  rig.installer.setDesired(new Map());
  rig.runner.onStart.clear();
  rig.ask(OLD);
  await rig.passTrial("1.0.0");
  t.is(rig.runner.runningVersion(), "1.0.0");
  await rig.installer.stop();
  t.deepEqual(await readdir(join(rig.folder, "data")), ["acme.thermo"]);
});

test("an update writes each of its bytes once, and the state is little beside it", async (t) => {
  const real = createNodeDisk();
  let writtenBytes = 0;
  const counting: Disk = {
    ...real,
    open: async (path, mode) => {
      const file = await real.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => file.sync(),
        close: () => file.close(),
        write: async (bytes, position) => {
          writtenBytes += bytes.length;
          await file.write(bytes, position);
        },
      };
    },
  };
  const rig = await InstallRig.create(t, { disk: counting });
  await rig.install(noise("1.0.0", 500_000));
  const before = writtenBytes;
  await rig.install(noise("1.1.0", 500_000));
  await rig.installer.stop();
  const perByte = (writtenBytes - before) / 500_000;
  t.true(perByte >= 1 && perByte < 1.1, `${perByte} bytes written per byte of the update`);
});

test("store/over-budget: a release that does not fit into what versions may take is refused, and what runs goes on", async (t) => {
  const rig = await InstallRig.create(t, { storageBudgetBytes: 70_000 });
  await rig.install(noise("1.0.0", 50_000));
  rig.ask(noise("1.1.0", 30_000));
  const refused = await rig.until("refused", "1.1.0");
  t.is(refused.code, "store/over-budget");
  t.regex(
    refused.message ?? "",
    /has 29\..KiB, and 49\..KiB of the 68\..KiB that versions may take are taken: raise storage_budget/,
  );
  t.is(rig.runner.runningVersion(), "1.0.0");
  t.deepEqual(await readdir(join(rig.folder, "incoming")), []);
  await rig.install(noise("1.2.0", 15_000));
});

test("the parts of a chunk list count in the budget, and none is fetched that does not fit", async (t) => {
  const release = makeRelease("1.0.0", { component: randomBytes(20_000), chunkBytes: 16 });
  const [, , ...others] = release.blobs.values();
  t.true(others.length > 2, "the list has parts");
  const { chunks, manifest } = release.release;
  // 1,250 entries of 68 bytes.
  const neededBytes = 20_000 + 1_250 * 68 + chunks.length + manifest.length;
  const tight = await InstallRig.create(t, { storageBudgetBytes: neededBytes - 1 });
  tight.ask(release);
  const refused = await tight.until("refused", "1.0.0");
  t.is(refused.code, "store/over-budget");
  t.regex(refused.message ?? "", /has 102\..KiB, and 0B of the 102\..KiB/);
  t.deepEqual(new Set(tight.broker.requested), new Set([chunks.sha256, manifest.sha256]));
  const enough = await InstallRig.create(t, { storageBudgetBytes: neededBytes });
  await enough.install(release);
});

test("what nobody needs any more makes room in the budget", async (t) => {
  const rig = await InstallRig.create(t, { storageBudgetBytes: 100_000 });
  await rig.install(noise("1.0.0", 30_000));
  await rig.install(noise("1.1.0", 30_000));
  const stranger = join(rig.folder, "incoming", "stranger");
  await mkdir(stranger);
  await writeFile(join(stranger, "component.wasm"), randomBytes(40_000));
  await rig.install(noise("1.2.0", 30_000));
  await rig.installer.stop();
  t.deepEqual(await readdir(join(rig.folder, "incoming")), []);
  t.is((await readdir(join(rig.folder, "versions"))).length, 2);
});

test("a device with room for two versions takes one update after the other: the version before gives way", async (t) => {
  const rig = await InstallRig.create(t, { storageBudgetBytes: 70_000 });
  for (const version of ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]) {
    await rig.install(noise(version, 30_000));
    t.is(rig.runner.runningVersion(), version);
  }
  await rig.installer.stop();
  t.is((await readdir(join(rig.folder, "versions"))).length, 2);
});

test("going back to the version before fetches nothing", async (t) => {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  await rig.install(NEW);
  rig.broker.blobs.clear();
  const requests = rig.broker.requested.length;
  rig.installer.setDesired(new Map([[MODULE, { kind: "selected", release: OLD.release }]]));
  await rig.passTrial("1.0.0");
  t.is(rig.broker.requested.length, requests);
});
