/** The repository folder: what the operator's commands make of it, and what they refuse. No broker. */

import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import test from "ava";
import { FleetError, type FleetErrorCode } from "../../fleet/errors.ts";
import { initRepository } from "../../fleet/init.ts";
import { isKeyFileName, keyFile } from "../../fleet/keys.ts";
import { isConsistent, loadMetadata } from "../../fleet/metadata-store.ts";
import { publishRelease } from "../../fleet/publish.ts";
import { refreshRepository } from "../../fleet/refresh.ts";
import { metadataFile, openRepository, type Repository, releaseFile } from "../../fleet/repository.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { parseChunkList } from "../../ota/chunk-list.ts";
import { OtaError } from "../../ota/errors.ts";
import {
  componentBytes,
  DAY_MS,
  manifestText,
  NOW_MS,
  newRepository,
  publish,
  temporaryFolder,
} from "./fixture.ts";

function code(expected: FleetErrorCode): { instanceOf: typeof FleetError; code: string } {
  return { instanceOf: FleetError, code: expected };
}

/** Every file of a folder with its digest, to see whether anything changed. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = files.toSorted().map(async (path) => {
    return [
      path,
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ] as const;
  });
  return Object.fromEntries(await Promise.all(digests));
}

async function listedPaths(repository: Repository): Promise<readonly string[]> {
  const { targets } = await loadMetadata(repository, "image");
  return [...targets.metadata.targets.keys()];
}

test("a new repository is one that devices would take", async (t) => {
  const repository = await newRepository(t);
  const plan = await planSync(await openRepository(repository.folder));
  t.deepEqual(
    [...plan.roots, ...plan.metadata].map((item) => item.topic.replace("skerry/v1/demo/", "")),
    [
      "image/1.root",
      "director/1.root",
      "image/targets",
      "image/snapshot",
      "image/timestamp",
      "director/targets",
      "director/snapshot",
      "director/timestamp",
    ],
  );
  t.deepEqual(plan.blobs, []);
});

test("private keys are readable by their owner alone and ignored by git", async (t) => {
  const { settings } = await newRepository(t);
  const files = (await readdir(settings.keysFolder)).filter(isKeyFileName);
  t.is(files.length, 5);
  for (const file of files) t.is((await stat(join(settings.keysFolder, file))).mode & 0o777, 0o600, file);
  t.regex(await readFile(join(settings.keysFolder, ".gitignore"), "utf8"), /^\*$/m);
});

test("creating a repository overwrites nothing", async (t) => {
  const repository = await newRepository(t);
  const before = await contents(repository.folder);
  await t.throwsAsync(initRepository({ folder: repository.folder }), code("fleet/exists"));
  t.deepEqual(await contents(repository.folder), before);
});

test("a published release lists its component, chunk list and manifest with length and hash", async (t) => {
  const repository = await newRepository(t);
  const component = componentBytes(150_000, 1);
  const result = await publish(repository, { component });
  t.deepEqual(result, {
    module: "acme/thermo",
    version: "1.0.0",
    release: 1,
    componentBytes: 150_000,
    chunks: result.chunks,
    isNew: true,
    isComplete: true,
  });
  const { targets } = (await loadMetadata(repository, "image")).targets.metadata;
  for (const file of ["component.wasm", "component.chunks", "module.toml"] as const) {
    const bytes = await readFile(releaseFile(repository.folder, "acme/thermo", "1.0.0", file));
    const target = targets.get(`acme/thermo/1.0.0/${file}`);
    t.is(target?.length, bytes.byteLength, file);
    t.is(target?.sha256, createHash("sha256").update(bytes).digest("hex"), file);
  }
  const list = await readFile(releaseFile(repository.folder, "acme/thermo", "1.0.0", "component.chunks"));
  const chunks = parseChunkList(list, component.byteLength);
  t.is(chunks.length, result.chunks);
  for (const chunk of chunks) {
    const bytes = component.subarray(chunk.offset, chunk.offset + chunk.length);
    t.is(chunk.sha256, createHash("sha256").update(bytes).digest("hex"));
  }
});

test("the release counter rises by one with each publish of a module, for each module on its own", async (t) => {
  const repository = await newRepository(t);
  t.is((await publish(repository)).release, 1);
  t.is((await publish(repository, { version: "1.1.0" })).release, 2);
  t.is((await publish(repository, { module: "acme/other" })).release, 1);
  t.is((await publish(repository, { version: "0.9.0" })).release, 3);
});

test("publishing the same release again changes nothing", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const before = await contents(repository.folder);
  t.like(await publish(repository), { isNew: false, release: 1 });
  t.deepEqual(await contents(repository.folder), before);
});

test("a version is refused with other bytes: component or manifest", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const before = await contents(repository.folder);
  await t.throwsAsync(
    publish(repository, { component: componentBytes(150_000, 2) }),
    code("fleet/version-exists"),
  );
  const manifest = `${manifestText("acme/thermo", "1.0.0")}[env]\nA = "b"\n`;
  await t.throwsAsync(publish(repository, { manifest }), code("fleet/version-exists"));
  t.deepEqual(await contents(repository.folder), before);
});

test("what is no component is refused, and a core module with the way to make one of it", async (t) => {
  const repository = await newRepository(t);
  const before = await contents(repository.folder);
  const core = await t.throwsAsync(
    publish(repository, { component: Buffer.from("0061736d01000000", "hex") }),
    code("fleet/not-a-component"),
  );
  t.regex(core?.message ?? "", /core module.*jco new/);
  for (const component of [Buffer.alloc(0), Buffer.from("no wasm at all"), Buffer.from("0061736d", "hex")]) {
    await t.throwsAsync(publish(repository, { component }), code("fleet/not-a-component"));
  }
  t.deepEqual(await contents(repository.folder), before);
});

test("a component over 64 MiB is refused", async (t) => {
  const repository = await newRepository(t);
  const folder = await temporaryFolder(t);
  const componentPath = join(folder, "large.wasm");
  await writeFile(componentPath, componentBytes(100, 1));
  await truncate(componentPath, 64 * 1024 * 1024 + 1);
  const manifestPath = join(folder, "module.toml");
  await writeFile(manifestPath, manifestText("acme/large", "1.0.0"));
  await t.throwsAsync(
    publishRelease(repository, { componentPath, manifestPath }),
    code("fleet/component-too-large"),
  );
  t.deepEqual(await listedPaths(repository), []);
});

test("a wrong manifest is refused with its line", async (t) => {
  const repository = await newRepository(t);
  const manifest = `${manifestText("acme/thermo", "1.0.0")}sensr = ["ambient"]\n`;
  const error = await t.throwsAsync(publish(repository, { manifest }), {
    instanceOf: OtaError,
    code: "manifest/unknown-key",
  });
  t.regex(error?.message ?? "", /^module\.toml:6: .*"sensr".*"sensor"/);
});

test("what an interrupted publish left in the folder is replaced by the next", async (t) => {
  const repository = await newRepository(t);
  await mkdir(join(repository.folder, "targets/acme/thermo/1.0.0"), { recursive: true });
  await writeFile(releaseFile(repository.folder, "acme/thermo", "1.0.0", "component.wasm"), "half");
  await publish(repository);
  t.is((await stat(releaseFile(repository.folder, "acme/thermo", "1.0.0", "component.wasm"))).size, 150_000);
});

test("targets without their snapshot, after a power cut, are not sent, and both refresh and publish complete them", async (t) => {
  for (const repair of [refreshRepository, publish]) {
    const repository = await newRepository(t);
    const old = await contents(repository.folder);
    const kept = new Map<string, Buffer>();
    for (const role of ["snapshot", "timestamp"] as const) {
      const path = metadataFile(repository.folder, "image", role);
      kept.set(path, await readFile(path));
    }
    await publish(repository);
    for (const [path, bytes] of kept) await writeFile(path, bytes);
    t.notDeepEqual(await contents(repository.folder), old);
    await t.throwsAsync(planSync(repository), code("fleet/repository-damaged"));
    await repair(repository);
    t.true(isConsistent(await loadMetadata(repository, "image")));
    await t.notThrowsAsync(planSync(repository));
  }
});

test("a missing key is named, and nothing changes", async (t) => {
  const repository = await newRepository(t);
  await rm(keyFile(repository.settings.keysFolder, "image-online"));
  const before = await loadMetadata(repository, "image");
  const error = await t.throwsAsync(publish(repository), code("fleet/key"));
  t.regex(error?.message ?? "", /image-online/);
  t.deepEqual((await loadMetadata(repository, "image")).targets.bytes, before.targets.bytes);
});

test("a key that others can read is refused", async (t) => {
  const repository = await newRepository(t);
  const path = keyFile(repository.settings.keysFolder, "image-targets");
  await chmod(path, 0o640);
  const error = await t.throwsAsync(publish(repository), code("fleet/key"));
  t.regex(error?.message ?? "", /chmod 600/);
});

test("another fleet's key signs nothing here", async (t) => {
  const repository = await newRepository(t);
  const other = await newRepository(t);
  const name = "image-targets";
  await writeFile(
    keyFile(repository.settings.keysFolder, name),
    await readFile(keyFile(other.settings.keysFolder, name)),
  );
  const error = await t.throwsAsync(publish(repository), code("fleet/key"));
  t.regex(error?.message ?? "", /root/);
});

test("a damaged key file is refused: no JSON, another key's name, a seed that is not its public key's", async (t) => {
  const repository = await newRepository(t);
  const path = keyFile(repository.settings.keysFolder, "image-targets");
  const key: Record<string, unknown> = JSON.parse(await readFile(path, "utf8"));
  for (const damaged of [
    "{",
    "[]",
    JSON.stringify({ ...key, name: "image-root" }),
    JSON.stringify({ ...key, seed: "00".repeat(32) }),
  ]) {
    await writeFile(path, damaged);
    await t.throwsAsync(publish(repository), code("fleet/key"), damaged);
  }
});

test("metadata over 64 KiB is refused before anything changes", async (t) => {
  const repository = await newRepository(t);
  const component = componentBytes(100, 1);
  const publishNext = (index: number): Promise<unknown> =>
    publish(repository, {
      module: `${"p".repeat(32)}/${"n".repeat(32)}`,
      version: `1.0.${index}`,
      component,
    });
  let published = 0;
  const error = await t.throwsAsync(async () => {
    for (; published < 200; published++) await publishNext(published);
  }, code("fleet/metadata-too-large"));
  t.regex(error?.message ?? "", /image\/targets\.json/);
  t.is((await listedPaths(repository)).length, 3 * published);
  const folder = join(repository.folder, "targets", "p".repeat(32), "n".repeat(32));
  t.is((await readdir(folder)).length, published);
  await t.notThrowsAsync(planSync(repository, { withBlobs: false }));
});

test("a component that was edited in the folder is not sent", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const path = releaseFile(repository.folder, "acme/thermo", "1.0.0", "component.wasm");
  const bytes = await readFile(path);
  bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const { blobs } = await planSync(repository);
  const outcomes = await Promise.allSettled(blobs.map((blob) => blob.load()));
  const failures = outcomes.filter((outcome) => outcome.status === "rejected");
  t.is(failures.length, 1);
  t.is(failures[0]?.reason.code, "fleet/repository-damaged");
});

test("metadata that was edited in the folder is not sent", async (t) => {
  const repository = await newRepository(t);
  const path = metadataFile(repository.folder, "director", "timestamp");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/"expires":"20/, '"expires":"21'));
  const error = await t.throwsAsync(planSync(repository), code("fleet/repository-damaged"));
  t.regex(error?.message ?? "", /trust\/signature-invalid/);
});

test("one writer at a time: a lock of a living process holds, one of a process that ended is taken over", async (t) => {
  const repository = await newRepository(t);
  const lock = join(repository.folder, ".skerry.lock");
  await writeFile(lock, JSON.stringify({ host: hostname(), pid: process.ppid }));
  const error = await t.throwsAsync(publish(repository), code("fleet/locked"));
  t.regex(error?.message ?? "", new RegExp(`process ${process.ppid} `));
  await writeFile(lock, JSON.stringify({ host: "another-machine", pid: 1 }));
  await t.throwsAsync(publish(repository), code("fleet/locked"));
  // Beyond the largest process id of Linux.
  await writeFile(lock, JSON.stringify({ host: hostname(), pid: 2 ** 22 + 1 }));
  await publish(repository);
  await t.throwsAsync(stat(lock), { code: "ENOENT" });
});

test("two publishes at once: both end up listed, or the later one is told to wait", async (t) => {
  const repository = await newRepository(t);
  const outcomes = await Promise.allSettled([publish(repository), publish(repository, { version: "1.1.0" })]);
  const done = outcomes.filter((outcome) => outcome.status === "fulfilled").length;
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  t.true(done >= 1);
  for (const { reason } of refused) t.is(reason.code, "fleet/locked");
  t.is((await listedPaths(repository)).length, 3 * done);
});

test("settings: a wrong key is named with its line", async (t) => {
  const repository = await newRepository(t);
  await writeFile(
    join(repository.folder, "skerry.toml"),
    'fleet = "demo"\n[broker]\nulr = "mqtt://127.0.0.1"\n',
  );
  const error = await t.throwsAsync(openRepository(repository.folder), code("fleet/settings"));
  t.regex(error?.message ?? "", /^skerry\.toml:3: .*"ulr".*"url"/);
});

test("refresh signs nothing that has time, and timestamp and snapshot when half of their week is over", async (t) => {
  const repository = await newRepository(t, { nowMs: NOW_MS });
  t.deepEqual(await refreshRepository(repository, { nowMs: NOW_MS + 3 * DAY_MS }), {
    signed: [],
    warnings: [],
  });
  const { signed, warnings } = await refreshRepository(repository, { nowMs: NOW_MS + 4 * DAY_MS });
  t.deepEqual(
    signed.map(({ repository: name, role }) => `${name}/${role}`),
    ["image/snapshot", "image/timestamp", "director/snapshot", "director/timestamp"],
  );
  t.deepEqual(warnings, []);
  const nowMs = NOW_MS + 10 * DAY_MS;
  await t.notThrowsAsync(planSync(repository, { nowMs }));
  t.is((await loadMetadata(repository, "image")).timestamp.metadata.version, 2);
});

test("refresh needs no offline key, and warns when one is needed soon", async (t) => {
  const repository = await newRepository(t, { nowMs: NOW_MS });
  for (const name of ["image-root", "image-targets", "director-root"] as const) {
    await rm(keyFile(repository.settings.keysFolder, name));
  }
  const { signed, warnings } = await refreshRepository(repository, { nowMs: NOW_MS + 340 * DAY_MS });
  t.deepEqual(
    signed.map(({ repository: name, role }) => `${name}/${role}`),
    ["image/snapshot", "image/timestamp", "director/targets", "director/snapshot", "director/timestamp"],
  );
  t.is(warnings.length, 3);
  t.regex(warnings.join("\n"), /image targets expire at 2031-01-01T00:00:00Z.*image-targets/);
});

test("an expired repository is not sent: devices would refuse it", async (t) => {
  const repository = await newRepository(t, { nowMs: NOW_MS });
  const error = await t.throwsAsync(
    planSync(repository, { nowMs: NOW_MS + 8 * DAY_MS }),
    code("fleet/repository-damaged"),
  );
  t.regex(error?.message ?? "", /skerry refresh/);
});
