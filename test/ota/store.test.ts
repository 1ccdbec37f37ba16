import { cp, mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { DurableAdapter } from "../../ota/durable-adapter.ts";
import { OtaError } from "../../ota/errors.ts";
import { INITIAL_STATE } from "../../ota/install-state.ts";
import type { InstallState } from "../../ota/install-types.ts";
import { MAX_MODULES } from "../../ota/limits.ts";
import { discardSnapshot, restoreData, snapshotData } from "../../ota/module-data.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { releaseId } from "../../ota/release.ts";
import { parseState } from "../../ota/state-format.ts";
import { openStore } from "../../ota/store.ts";
import { CuttingDisk, PowerCut } from "../support/cutting-disk.ts";
import { temporaryFolder } from "../support/folders.ts";
import { makeRelease } from "../support/releases.ts";

const disk = createNodeDisk();
const OLD = makeRelease("1.0.0").release;
const NEW = makeRelease("1.1.0").release;
const FAILURE = { code: "trial/trap", message: "unreachable" };

const STATES: Readonly<Record<string, InstallState>> = {
  initial: INITIAL_STATE,
  "with all that is remembered": {
    ...INITIAL_STATE,
    desired: NEW,
    committed: OLD,
    previous: NEW,
    failed: { id: "x", version: "1.1.0", ...FAILURE },
  },
  fetching: {
    ...INITIAL_STATE,
    phase: { kind: "fetching", release: NEW, attempts: 2, failure: FAILURE, waiting: true },
  },
  verifying: { ...INITIAL_STATE, phase: { kind: "verifying", release: NEW, attempts: 0 } },
  staged: { ...INITIAL_STATE, phase: { kind: "staged", release: NEW, attempts: 1 } },
  "on trial": {
    ...INITIAL_STATE,
    phase: { kind: "trial", release: NEW, starts: 2, running: true, healthy: false },
  },
  "rolling back": { ...INITIAL_STATE, phase: { kind: "rolling-back", release: NEW, failure: FAILURE } },
};

for (const [name, state] of Object.entries(STATES)) {
  test(`a state ${name} is read as it was written`, async (t) => {
    const folder = await temporaryFolder(t);
    const store = await openStore(disk, folder);
    await store.saveModule("acme/thermo", { ...state, serving: { kind: "up", sinceMs: 5, restarts: 1 } });
    const read = (await openStore(disk, folder)).modules().get("acme/thermo");
    t.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(state)));
  });
}

test("a state that changes only in what does not outlive the agent is not written", async (t) => {
  const cutting = new CuttingDisk(disk);
  const store = await openStore(cutting.asDisk(), await temporaryFolder(t));
  await store.saveModule("acme/thermo", INITIAL_STATE);
  const { changes } = cutting;
  await store.saveModule("acme/thermo", { ...INITIAL_STATE, serving: { kind: "waiting", restarts: 3 } });
  t.is(cutting.changes, changes);
});

test("however much the modules' failures say, the state file can be read again", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openStore(disk, folder);
  const failure = { code: "trial/unhealthy", message: "\u0001".repeat(100_000) };
  for (let index = 0; index < MAX_MODULES; index += 1) {
    await store.saveModule(`acme/module-${index}`, {
      ...INITIAL_STATE,
      desired: NEW,
      committed: OLD,
      previous: NEW,
      failed: { id: releaseId(NEW), version: "1.1.0", ...failure },
      phase: { kind: "fetching", release: NEW, attempts: 1, failure, waiting: true },
    });
  }
  t.is((await openStore(disk, folder)).modules().size, MAX_MODULES);
});

test("states of several modules written at once are all there", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openStore(disk, folder);
  await Promise.all(["a/a", "b/b", "c/c"].map((module) => store.saveModule(module, INITIAL_STATE)));
  t.deepEqual([...(await openStore(disk, folder)).modules().keys()].sort(), ["a/a", "b/b", "c/c"]);
});

for (const [what, change] of [
  ["another schema", { schema: 0 }],
  ["no modules", { modules: [] }],
  ["a module by a name that is none", { modules: { "../x": {} } }],
  ["a module without phase", { modules: { "a/a": {} } }],
  ["an unknown phase", { modules: { "a/a": { phase: { kind: "dreaming", release: OLD } } } }],
  [
    "a release with a digest that is none",
    {
      modules: {
        "a/a": { phase: { kind: "settled" }, desired: { ...OLD, component: { length: 1, sha256: "../.." } } },
      },
    },
  ],
  ["a count of runs that is none", { uncleanEnds: "3" }],
  ["a boot that is none", { bootId: 7 }],
  ["a negative count", { modules: { "a/a": { phase: { ...STATES["on trial"]?.phase, starts: -1 } } } }],
] as const) {
  test(`${what} is no state`, (t) => {
    const whole = {
      schema: 3,
      uncleanEnds: 0,
      bootId: "",
      modules: { "a/a": { phase: { kind: "settled" } } },
    };
    t.not(parseState(whole), undefined);
    t.is(parseState({ ...whole, ...change }), undefined);
  });
}

test("trusted metadata is kept per repository and role; what can't be metadata is left out", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openStore(disk, folder);
  const trusted = async (repository: "image" | "director") => (await store.trust(repository).load()).files;
  t.deepEqual(await trusted("image"), {});
  await store.trust("image").save("root", Uint8Array.of(1));
  await store.trust("image").save("targets", Uint8Array.of(2));
  await store.trust("director").save("root", Uint8Array.of(3));
  await truncate(join(folder, "trust", "image", "targets.json"), 1_000_000);
  t.deepEqual(await trusted("image"), { root: Uint8Array.of(1) });
  t.deepEqual(await trusted("director"), { root: Uint8Array.of(3) });
});

/** As agent 0.1.0 wrote it: three modules, one of them in its first trial, one waiting to fetch. */
const SCHEMA_1 = fileURLToPath(new URL("fixtures/state-schema-1", import.meta.url));

test("a state of schema 1 is taken over, whole, and written as schema 3", async (t) => {
  const folder = await temporaryFolder(t);
  await cp(SCHEMA_1, folder, { recursive: true });
  const store = await openStore(disk, folder);
  const written = JSON.parse(await readFile(join(SCHEMA_1, "state.0.json"), "utf8")).data.modules;
  for (const [module, state] of store.modules()) {
    t.deepEqual(JSON.parse(JSON.stringify(state)), { ...written[module], serving: { kind: "down" } });
  }
  t.deepEqual([...store.modules().keys()].sort(), ["acme/lamp", "acme/pump", "acme/thermo"]);
  t.is(store.uncleanEnds, 0);
  t.is(store.bootId, "");
  await store.beginRun(1, "this boot");
  t.is(JSON.parse(await readFile(join(folder, "state.1.json"), "utf8")).data.schema, 3);
  t.is((await openStore(disk, folder)).modules().size, 3);
});

test("a state of a newer schema is refused, with what to do, and left as it is", async (t) => {
  const folder = await temporaryFolder(t);
  const adapter = new DurableAdapter({ disk, directory: folder, schema: 99, parse: () => undefined });
  await adapter.read();
  await adapter.write({ schema: 4 });
  const before = await readFile(join(folder, "state.0.json"), "utf8");
  const error = await t.throwsAsync(openStore(disk, folder), {
    instanceOf: OtaError,
    code: "store/newer-version",
  });
  t.regex(error?.message ?? "", /format 4, this one reads up to 3\): install that agent again, or move/);
  t.is(await readFile(join(folder, "state.0.json"), "utf8"), before);
});

test("runs that end unasked are counted until one ends as it should", async (t) => {
  const folder = await temporaryFolder(t);
  for (const before of [0, 1, 2]) {
    const store = await openStore(disk, folder);
    t.is(store.uncleanEnds, before);
    await store.beginRun(before + 1, `boot ${before}`);
    t.is(store.bootId, `boot ${before}`);
  }
  await (await openStore(disk, folder)).endRun();
  t.is((await openStore(disk, folder)).uncleanEnds, 0);
});

/** A data folder with a file and a folder in it. */
async function dataFolder(t: import("ava").ExecutionContext): Promise<string> {
  const data = join(await temporaryFolder(t), "acme.thermo");
  await mkdir(join(data, "inner"), { recursive: true });
  await writeFile(join(data, "counter"), "41");
  await writeFile(join(data, "inner", "big"), new Uint8Array(200_000).fill(7));
  return data;
}

async function spoil(data: string): Promise<void> {
  await writeFile(join(data, "counter"), "spoilt");
  await writeFile(join(data, "inner", "left over"), "");
}

async function isAsBefore(data: string): Promise<boolean> {
  const big = await readFile(join(data, "inner", "big"));
  return (
    (await readFile(join(data, "counter"), "utf8")) === "41" &&
    big.length === 200_000 &&
    big.every((byte) => byte === 7) &&
    (await readdir(join(data, "inner"))).length === 1
  );
}

test("data comes back as it was when it was copied", async (t) => {
  const data = await dataFolder(t);
  await snapshotData(disk, data, false);
  await spoil(data);
  await restoreData(disk, data);
  t.true(await isAsBefore(data));
  t.is(await disk.entry(`${data}.snapshot`), undefined);
});

test("a module without data has none again", async (t) => {
  const data = join(await temporaryFolder(t), "acme.thermo");
  await snapshotData(disk, data, false);
  await mkdir(data);
  await writeFile(join(data, "left over"), "");
  await restoreData(disk, data);
  t.deepEqual(await readdir(data), []);
});

test("a copy of the same trial is kept, one of another is replaced", async (t) => {
  const data = await dataFolder(t);
  await snapshotData(disk, data, false);
  await spoil(data);
  await snapshotData(disk, data, true);
  t.is(await readFile(`${data}.snapshot/counter`, "utf8"), "41");
  await snapshotData(disk, data, false);
  t.is(await readFile(`${data}.snapshot/counter`, "utf8"), "spoilt");
});

test("links in a module's data are not followed", async (t) => {
  const data = await dataFolder(t);
  await symlink("/etc", join(data, "link"));
  await snapshotData(disk, data, false);
  t.deepEqual((await readdir(`${data}.snapshot`)).sort(), ["counter", "inner"]);
});

test("dropping the copy leaves the data", async (t) => {
  const data = await dataFolder(t);
  await snapshotData(disk, data, false);
  await discardSnapshot(disk, data);
  t.is(await disk.entry(`${data}.snapshot`), undefined);
  t.true(await isAsBefore(data));
});

test("power lost at any step of copying leaves no copy that is not whole", async (t) => {
  for (let changes = 0, isCut = true; isCut; changes++) {
    const data = await dataFolder(t);
    isCut = await wasCut(() => snapshotData(new CuttingDisk(disk, changes).asDisk(), data, false));
    t.true(await isAsBefore(data));
    if ((await disk.entry(`${data}.snapshot`)) !== undefined) t.true(await isAsBefore(`${data}.snapshot`));
    else t.true(isCut);
  }
});

test("power lost at any step of putting data back: doing it again completes it", async (t) => {
  for (let changes = 0, isCut = true; isCut; changes++) {
    const data = await dataFolder(t);
    await snapshotData(disk, data, false);
    await spoil(data);
    isCut = await wasCut(() => restoreData(new CuttingDisk(disk, changes).asDisk(), data));
    await restoreData(disk, data);
    t.true(await isAsBefore(data));
  }
});

async function wasCut(run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    if (error instanceof PowerCut) return true;
    throw error;
  }
}

test("a version folder loses its name before its files, so that a removal that is cut short leaves no half of one", async (t) => {
  const folder = await temporaryFolder(t);
  const cutting = new CuttingDisk(disk);
  const store = await openStore(cutting.asDisk(), folder);
  await mkdir(join(folder, "versions", releaseId(OLD)));
  await writeFile(store.componentPath(OLD), "x");
  await writeFile(store.manifestPath(OLD), "x");
  const before = cutting.log.length;
  await store.cleanUp(() => false);
  const removal = cutting.log.slice(before).map((line) => line.split(" ")[0]);
  t.deepEqual(removal, ["remove", "rename", "syncDirectory", "remove"]);
  t.deepEqual(await readdir(join(folder, "versions")), []);
});

test("what a removal that was cut short left goes with the next clean-up", async (t) => {
  const folder = await temporaryFolder(t);
  const cutting = new CuttingDisk(disk);
  const store = await openStore(cutting.asDisk(), folder);
  await mkdir(join(folder, "versions", releaseId(OLD)));
  await writeFile(store.componentPath(OLD), "x");
  cutting.cutAfter(3);
  await t.throwsAsync(
    store.cleanUp(() => false),
    { instanceOf: PowerCut },
  );
  t.false(await store.hasVersion(OLD));
  t.is((await readdir(join(folder, "versions"))).length, 1);
  await (await openStore(disk, folder)).cleanUp((isOf) => isOf(OLD));
  t.deepEqual(await readdir(join(folder, "versions")), []);
});

test("the version folders of all modules are told for their chunks, but for what is being removed", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openStore(disk, folder);
  const names = [releaseId(OLD), releaseId(NEW)].sort();
  for (const name of [...names, `${releaseId(OLD)}.removed`]) await mkdir(join(folder, "versions", name));
  const told = await store.versionDirectories();
  t.deepEqual(
    told.sort(),
    names.map((name) => join(folder, "versions", name)),
  );
});
