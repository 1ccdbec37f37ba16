/** Withdrawing what no device needs: what may go, and a real Mosquitto that it goes from. */

import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { assignRelease } from "../../fleet/assign.ts";
import { connectBroker } from "../../fleet/broker.ts";
import { spreadOverBins } from "../../fleet/delegate.ts";
import { FleetError, type FleetErrorCode } from "../../fleet/errors.ts";
import { MAX_WITHDRAWN_VERSIONS } from "../../fleet/limits.ts";
import { listedTargetsOf, loadMetadata } from "../../fleet/metadata-store.ts";
import { type PruneReport, pruneRepository } from "../../fleet/prune.ts";
import { type ListedRelease, nameOf, planPrune } from "../../fleet/prune-plan.ts";
import { refreshRepository } from "../../fleet/refresh.ts";
import type { Repository } from "../../fleet/repository.ts";
import { readRetained } from "../../fleet/retained.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { syncRepository } from "../../fleet/synchronize.ts";
import { withdrawnCounter, withdrawnVersions, withWithdrawn } from "../../fleet/withdrawn-releases.ts";
import type { JsonObject } from "../../ota/json.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { componentBytes, newRepository, publish } from "./fixture.ts";

const MODULE = "acme/thermo";
const VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
const EVERYBODY = { kind: "group", group: "default", percent: 100 } as const;

function code(expected: FleetErrorCode): { instanceOf: typeof FleetError; code: string } {
  return { instanceOf: FleetError, code: expected };
}

const listed = (...versions: readonly string[]): ListedRelease[] =>
  versions.map((version, index) => ({ module: MODULE, version, release: index + 1 }));
const unpublished = (plan: { readonly unpublish: readonly ListedRelease[] }): string[] =>
  plan.unpublish.map(({ version }) => version).toSorted();

test("without a wish nothing is unpublished", (t) => {
  t.deepEqual(unpublished(planPrune(listed(...VERSIONS), new Map(), { named: [], keep: undefined })), []);
});

test("--keep lets those go beyond so many newest, but for what somebody needs, with the reason", (t) => {
  const reasons = new Map([[`${MODULE}@1.1.0`, "pi-01 has it"]]);
  const plan = planPrune(listed(...VERSIONS), reasons, { named: [], keep: 1 });
  t.deepEqual(unpublished(plan), ["1.0.0", "1.2.0"]);
  t.deepEqual(
    plan.needed.map(({ release, reason }) => `${release.version}: ${reason}`),
    ["1.1.0: pi-01 has it"],
  );
});

test("the newest is by the release counter, not by the version's number", (t) => {
  const plan = planPrune(listed("2.0.0", "1.0.0"), new Map(), { named: [], keep: 1 });
  t.deepEqual(unpublished(plan), ["2.0.0"]);
});

test("a named release goes, the newest as well, unless it is needed or not there", (t) => {
  const wish = (version: string) => ({ named: [`${MODULE}@${version}`], keep: undefined });
  t.deepEqual(unpublished(planPrune(listed(...VERSIONS), new Map(), wish("1.1.0"))), ["1.1.0"]);
  const reasons = new Map([[`${MODULE}@1.1.0`, "it is assigned"]]);
  const assigned = t.throws(
    () => planPrune(listed(...VERSIONS), reasons, wish("1.1.0")),
    code("fleet/release-needed"),
  );
  t.regex(assigned?.message ?? "", /acme\/thermo@1\.1\.0 has to stay: it is assigned/);
  t.deepEqual(unpublished(planPrune(listed(...VERSIONS), new Map(), wish("1.3.0"))), ["1.3.0"]);
  t.throws(() => planPrune(listed(...VERSIONS), new Map(), wish("9.0.0")), code("fleet/unknown-release"));
});

test("property: what is needed stays, and so does the newest of each module", (t) => {
  const version = fc.integer({ min: 0, max: 9 }).map((minor) => `1.${minor}.0`);
  const release = fc.record({
    module: fc.constantFrom("acme/a", "acme/b"),
    version,
    release: fc.integer({ min: 1, max: 99 }),
  });
  const releases = fc.uniqueArray(release, { selector: nameOf, maxLength: 12 });
  t.notThrows(() =>
    fc.assert(
      fc.property(releases, fc.integer({ min: 1, max: 5 }), fc.func(fc.boolean()), (all, keep, isNeeded) => {
        const reasons = new Map(all.filter(isNeeded).map((each) => [nameOf(each), "it is needed"]));
        const gone = planPrune(all, reasons, { named: [], keep }).unpublish;
        return gone.every(
          (one) =>
            !reasons.has(nameOf(one)) &&
            all.some(
              (other) => other.module === one.module && other.release >= one.release && !gone.includes(other),
            ),
        );
      }),
    ),
  );
});

interface Setting {
  readonly repository: Repository;
  readonly broker: Mosquitto;
  readonly address: { readonly url: string };
}

/** Four releases, each with one chunk more than the one before; all are on the broker, the newest is assigned. */
async function published(t: ExecutionContext): Promise<Setting | undefined> {
  if (!requireTool(t, "mosquitto")) return undefined;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const repository = await newRepository(t, { broker });
  const component = Buffer.from(componentBytes(200_000, 1));
  for (const [index, version] of VERSIONS.entries()) {
    component.fill(index, 100_000, 100_100);
    await publish(repository, { component, version });
  }
  await assignRelease(repository, { module: MODULE, version: "1.3.0", audience: EVERYBODY });
  const address = { url: broker.url };
  await syncRepository(repository, address);
  return { repository, broker, address };
}

/** Names and lengths of the blobs that the broker holds. */
async function heldBlobs({ address }: Setting): Promise<Map<string, number>> {
  const connection = await connectBroker(address);
  const held = new Map<string, number>();
  try {
    await readRetained(
      connection,
      { filters: ["skerry/v1/demo/blob/+"], marker: "skerry/v1/demo/image/1.root" },
      (topic, payload) => {
        if (payload.length > 0) held.set(topic, payload.length);
      },
    );
  } finally {
    await connection.end();
  }
  return held;
}

async function publishedVersions({ repository }: Setting): Promise<string[]> {
  const targets = listedTargetsOf(await loadMetadata(repository, "image"));
  return VERSIONS.filter((version) => targets.has(`${MODULE}/${version}/component.wasm`));
}

const folders = ({ repository }: Setting): Promise<string[]> =>
  readdir(join(repository.folder, "targets", MODULE)).then((names) => names.toSorted());

function prune(
  { repository, address }: Setting,
  options: Partial<Parameters<typeof pruneRepository>[2]>,
): Promise<PruneReport> {
  return pruneRepository(repository, address, {
    named: [],
    keep: undefined,
    files: false,
    dryRun: false,
    ...options,
  });
}

/** The broker holds exactly what the folder lists: nothing that is needed was taken, nothing superfluous is left. */
async function assertExact(t: ExecutionContext, setting: Setting): Promise<void> {
  const { blobs } = await planSync(setting.repository);
  t.deepEqual([...(await heldBlobs(setting)).keys()].toSorted(), blobs.map(({ topic }) => topic).toSorted());
}

test("old releases go with the blobs that were theirs alone, sync brings nothing back, and a second prune finds nothing", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const before = await heldBlobs(setting);
  const report = await prune(setting, { keep: 2 });
  t.deepEqual(unpublished(report), ["1.0.0", "1.1.0"]);
  t.deepEqual(await publishedVersions(setting), ["1.2.0", "1.3.0"]);
  await assertExact(t, setting);
  const after = await heldBlobs(setting);
  t.is(report.blobs, before.size - after.size);
  t.is(
    report.blobBytes,
    [...before].reduce((sum, [topic, length]) => sum + (after.has(topic) ? 0 : length), 0),
  );
  t.true(report.blobs > 0 && report.blobsShared > 0);
  t.deepEqual(await folders(setting), VERSIONS, "the files stay without --files");

  t.like(await syncRepository(setting.repository, setting.address), {
    blobsPublished: 0,
    metadataPublished: [],
  });
  t.like(await prune(setting, { keep: 2 }), {
    unpublish: [],
    blobs: 0,
    blobBytes: 0,
    folders: report.folders,
  });
  t.like(await prune(setting, { files: true }), { blobs: 0 });
  t.deepEqual(await folders(setting), ["1.2.0", "1.3.0"]);
});

test("--dry-run tells the same and changes nothing", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const before = await heldBlobs(setting);
  const told = await prune(setting, { keep: 2, files: true, dryRun: true });
  t.deepEqual(await heldBlobs(setting), before);
  t.deepEqual(await publishedVersions(setting), VERSIONS);
  t.deepEqual(await folders(setting), VERSIONS);
  t.deepEqual(await prune(setting, { keep: 2, files: true }), told);
});

test("what a device would go back to from its trial stays, and what it keeps while nothing of it runs", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const device = await connectBroker(setting.address);
  const trial = { phase: "trial", running: "1.3.0", trial: "1.3.0", desired: "1.3.0", committed: "1.1.0" };
  const down = { phase: "committed", running: null, desired: null, committed: "1.0.0" };
  for (const [id, state] of [
    ["pi-01", trial],
    ["pi-02", down],
  ] as const) {
    const payload = JSON.stringify({ time: null, modules: { [MODULE]: state } });
    await device.publishRetained(`skerry/v1/demo/device/${id}/state`, Buffer.from(payload));
  }
  await device.end();
  t.deepEqual(unpublished(await prune(setting, { keep: 1 })), ["1.2.0"]);
  await assertExact(t, setting);
});

test("what is pinned, assigned to a share of a group, or on a device stays", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const { repository, address } = setting;
  const pin = { kind: "device", device: "pi-07" } as const;
  await assignRelease(repository, { module: MODULE, version: "1.0.0", audience: pin });
  const device = await connectBroker(address);
  const state = {
    time: null,
    modules: { [MODULE]: { phase: "committed", running: "1.1.0", desired: "1.3.0" } },
  };
  await device.publishRetained("skerry/v1/demo/device/pi-01/state", Buffer.from(JSON.stringify(state)));
  await device.end();
  const report = await prune(setting, { keep: 1 });
  t.deepEqual(unpublished(report), ["1.2.0"]);
  t.deepEqual(report.needed.map(({ release, reason }) => `${release.version}: ${reason}`).toSorted(), [
    "1.0.0: it is assigned",
    "1.1.0: pi-01 has it",
  ]);
  await assertExact(t, setting);
  await t.throwsAsync(prune(setting, { named: [`${MODULE}@1.0.0`] }), code("fleet/release-needed"));
});

test("the counter goes on after the releases before it are gone", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  await prune(setting, { keep: 1, files: true });
  const { release } = await publish(setting.repository, { version: "1.4.0" });
  t.is(release, VERSIONS.length + 1);
});

test("a bad release that nobody is to run is withdrawn although it is the newest, the others stay, and its counter is not used again", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const { repository } = setting;
  const bad = [`${MODULE}@1.3.0`];
  await t.throwsAsync(prune(setting, { named: bad }), code("fleet/release-needed"));
  t.deepEqual(await publishedVersions(setting), VERSIONS);
  await assignRelease(repository, { module: MODULE, version: "1.2.0", audience: EVERYBODY });
  const report = await prune(setting, { named: bad, files: true });
  t.deepEqual(unpublished(report), ["1.3.0"]);
  t.true(report.blobs > 0);
  t.deepEqual(await publishedVersions(setting), ["1.0.0", "1.1.0", "1.2.0"]);
  t.deepEqual(await folders(setting), ["1.0.0", "1.1.0", "1.2.0"]);
  await assertExact(t, setting);
  t.is((await publish(repository, { version: "1.4.0" })).release, VERSIONS.length + 1);
});

test("a module's only release is withdrawn from the role that lists it, and counters go on in another", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const { repository } = setting;
  const { release } = await publish(repository, { module: "acme/meter", version: "1.0.0" });
  t.is(release, 1);
  await prune(setting, { named: ["acme/meter@1.0.0"] });
  await refreshRepository(repository, { force: true });
  await spreadOverBins(repository, 4);
  t.is((await publish(repository, { module: "acme/meter", version: "1.0.1" })).release, 2);
  await prune(setting, { named: ["acme/meter@1.0.1"] });
  t.is((await publish(repository, { module: "acme/meter", version: "1.0.2" })).release, 3);
  await syncRepository(repository, setting.address);
  await assertExact(t, setting);
});

test("a withdrawn version is not published again, with the same bytes or others, whichever role lists the module by then", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const { repository } = setting;
  await publish(repository, { module: "acme/meter", version: "1.0.0" });
  await publish(repository, { module: "acme/meter", version: "1.1.0" });
  // An old one and, later, the newest.
  await prune(setting, { named: ["acme/meter@1.0.0"], files: true });
  await prune(setting, { named: ["acme/meter@1.1.0"], files: true });
  const refused = async (version: string, component: Uint8Array): Promise<void> => {
    const release = { module: "acme/meter", version, component };
    const error = await t.throwsAsync(publish(repository, release), code("fleet/version-exists"));
    t.regex(error?.message ?? "", new RegExp(`acme/meter@${version} was .*withdrawn.*under a new version`));
  };
  await refused("1.0.0", componentBytes(150_000, 1));
  await refused("1.1.0", componentBytes(99, 2));
  await spreadOverBins(repository, 4);
  await refused("1.1.0", componentBytes(99, 2));
  await publish(repository, { module: "acme/meter", version: "1.2.0" });
  await prune(setting, { named: ["acme/meter@1.2.0"], files: true });
  await refused("1.0.0", componentBytes(99, 2));
  await refused("1.2.0", componentBytes(99, 2));
  t.is((await publish(repository, { module: "acme/meter", version: "1.3.0" })).release, 4);
  await syncRepository(repository, setting.address);
  await assertExact(t, setting);
});

const withSkerry = (skerry: JsonObject) => ({ signedJson: { skerry } });
const fieldsOf = (skerry: JsonObject) => ({ version: 2, expiresMs: 0, base: { skerry } });

test("metadata from before versions were remembered is read, and remembers from then on", (t) => {
  const earlier = { withdrawn: { [MODULE]: 4 }, keyNames: {} };
  t.is(withdrawnCounter(withSkerry(earlier), MODULE), 4);
  t.deepEqual(withdrawnVersions(withSkerry(earlier), MODULE), []);
  const older = { counters: new Map(), versions: new Map([[MODULE, ["1.0.0"]]]) };
  t.deepEqual(withWithdrawn(fieldsOf(earlier), older).base, {
    skerry: { ...earlier, withdrawnVersions: { [MODULE]: ["1.0.0"] } },
  });
});

test("what is not a list of versions tells none", (t) => {
  for (const versions of [
    null,
    "1.0.0",
    { [MODULE]: "1.0.0" },
    { [MODULE]: [1] },
    { "acme/other": ["1.0.0"] },
  ]) {
    t.deepEqual(withdrawnVersions(withSkerry({ withdrawnVersions: versions }), MODULE), []);
  }
});

test("of a module's withdrawn versions those withdrawn last are remembered", (t) => {
  const before = Array.from({ length: MAX_WITHDRAWN_VERSIONS }, (_each, index) => `1.${index}.0`);
  const more = { counters: new Map(), versions: new Map([[MODULE, ["1.1.0", "2.0.0"]]]) };
  const { base = {} } = withWithdrawn(fieldsOf({ withdrawnVersions: { [MODULE]: before } }), more);
  t.deepEqual(withdrawnVersions({ signedJson: base }, MODULE), [...before.slice(1), "2.0.0"]);
});

test("what a prune that was cut off left on the broker goes with the next", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const { blobs } = await planSync(setting.repository, { release: { module: MODULE, version: "1.0.0" } });
  await prune(setting, { keep: 1 });
  // As if it had been cut off before the blobs: they are there again.
  const [list] = blobs;
  const connection = await connectBroker(setting.address);
  await connection.publishRetained(list?.topic ?? "", (await list?.load()) ?? new Uint8Array());
  await connection.end();
  t.is((await prune(setting, {})).blobs, 1);
  await assertExact(t, setting);
});

test("a folder that is older than the broker prunes nothing", async (t) => {
  const setting = await published(t);
  if (setting === undefined) return;
  const old = await planSync(setting.repository);
  t.true(old.blobs.length > 0);
  const copy = { ...setting.repository, folder: `${setting.repository.folder}-copy` };
  await cp(setting.repository.folder, copy.folder, { recursive: true });
  await refreshRepository(setting.repository, { force: true });
  await syncRepository(setting.repository, setting.address);
  const before = await heldBlobs(setting);
  await t.throwsAsync(prune({ ...setting, repository: copy }, { keep: 1 }), code("fleet/broker-newer"));
  t.deepEqual(await publishedVersions({ ...setting, repository: copy }), VERSIONS);
  t.deepEqual(await heldBlobs(setting), before);
});
