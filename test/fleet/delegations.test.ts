/** Teams with a role of their own, and hash bins: what `skerry keys add --paths`, `skerry keys bins` and `skerry publish` make of the image repository. */

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { assignRelease } from "../../fleet/assign.ts";
import { FleetError, type FleetErrorCode } from "../../fleet/errors.ts";
import { keyFile, openKey, readKeyFile } from "../../fleet/keys.ts";
import { MAX_VERSION_JUMP } from "../../fleet/limits.ts";
import { isConsistent, listedTargetsOf, loadMetadata } from "../../fleet/metadata-store.ts";
import { refreshRepository } from "../../fleet/refresh.ts";
import {
  exists,
  metadataFile,
  openRepository,
  type Repository,
  releaseFolder,
} from "../../fleet/repository.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { writeRoles, writeTargets } from "../../fleet/write-metadata.ts";
import { type Resolution, TargetSearch, VerifiedDelegations } from "../../ota/resolve-target.ts";
import { signMetadata, targetInfo } from "../../ota/sign-metadata.ts";
import { createVerifier } from "../../ota/signature.ts";
import { componentBytes, newRepository, publish, temporaryFolder } from "./fixture.ts";
import { type Outcome, run } from "./run-command.ts";

function code(expected: FleetErrorCode): { instanceOf: typeof FleetError; code: string } {
  return { instanceOf: FleetError, code: expected };
}

/** Keys that it makes lie in the clear: scrypt takes its time, and is not what is tried here. */
async function keys(repository: Repository, ...argv: readonly string[]): Promise<Outcome> {
  const [command = ""] = argv;
  const plain = ["add", "rotate"].includes(command) ? ["--plain"] : [];
  return run(["keys", ...argv, ...plain], { env: { SKERRY_REPO: repository.folder } });
}

async function succeed(
  t: ExecutionContext,
  repository: Repository,
  ...argv: readonly string[]
): Promise<string> {
  const { exitCode, out, err } = await keys(repository, ...argv);
  t.is(exitCode, 0, `${argv.join(" ")}: ${err}`);
  return out;
}

/** What a device finds. */
async function find(repository: Repository, path: string): Promise<Resolution> {
  const { targets, snapshot, delegated } = await loadMetadata(repository, "image");
  const search = new TargetSearch({
    targets: targets.metadata,
    snapshot: snapshot.metadata,
    delegated: new Map([...delegated].map(([role, { bytes }]) => [role, bytes])),
    nowMs: Date.now(),
    verifier: await createVerifier(),
    hardware: undefined,
    verified: new VerifiedDelegations(),
  });
  return search.find(path);
}

/** The component of a release is found, and only in this role's file. */
async function listedBy(
  t: ExecutionContext,
  repository: Repository,
  role: string,
  release: string,
): Promise<void> {
  const path = `${release.replace("@", "/")}/component.wasm`;
  t.is((await find(repository, path)).kind, "found", release);
  const { targets, delegated } = await loadMetadata(repository, "image");
  const files = [["targets", targets] as const, ...delegated];
  t.deepEqual(
    files.filter(([, file]) => file.metadata.targets.has(path)).map(([name]) => name),
    [role],
    release,
  );
}

const ACME = ["add", "--role", "acme", "--paths", "acme/*"] as const;

test("a team's releases are listed in its own role, signed with its own key; other modules and earlier releases stay", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await succeed(t, repository, ...ACME);
  t.is((await publish(repository, { version: "1.1.0" })).release, 2);
  await publish(repository, { module: "other/thermo" });
  await listedBy(t, repository, "targets", "acme/thermo@1.0.0");
  await listedBy(t, repository, "acme", "acme/thermo@1.1.0");
  await listedBy(t, repository, "targets", "other/thermo@1.0.0");
  const audience = { kind: "group", group: "default", percent: 100 } as const;
  await assignRelease(repository, { module: "acme/thermo", version: "1.1.0", audience });
  const { metadata, blobs } = await planSync(repository);
  const topics = metadata.map(({ topic }) => topic.replace("skerry/v1/demo/", ""));
  t.true(topics.indexOf("image/acme") < topics.indexOf("image/snapshot"));
  const chunkList = await readFile(join(repository.folder, "targets/acme/thermo/1.1.0/component.chunks"));
  t.true(blobs.some(({ length }) => length === chunkList.length));
  await t.throwsAsync(
    publish(repository, { version: "1.1.0", component: componentBytes(99, 2) }),
    code("fleet/version-exists"),
  );
});

test("a team without the online keys signs its release; refresh where they are completes it", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  const away = await temporaryFolder(t);
  const { keysFolder } = repository.settings;
  const elsewhere = ["image-root", "image-targets", "image-online", "director-root", "director-online"];
  for (const name of elsewhere) await rename(keyFile(keysFolder, name), keyFile(away, name));
  t.false((await publish(repository)).isComplete);
  await t.throwsAsync(publish(repository, { module: "other/thermo" }), code("fleet/key"));
  await t.throwsAsync(planSync(repository), code("fleet/repository-damaged"));

  await rename(keyFile(keysFolder, "acme"), keyFile(away, "acme"));
  for (const name of elsewhere) await rename(keyFile(away, name), keyFile(keysFolder, name));
  const { signed } = await refreshRepository(repository);
  t.deepEqual(
    signed.map(({ role }) => role),
    ["snapshot", "timestamp"],
  );
  await listedBy(t, repository, "acme", "acme/thermo@1.0.0");
  await t.notThrowsAsync(planSync(repository));
});

test("a role lists what is delegated to it, nothing else", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  await succeed(t, repository, "add", "--role", "late", "--paths", "acme/*,late/*");
  for (const [module, role] of [
    ["other/thermo", "acme"],
    ["acme/thermo", "late"],
    ["acme/thermo", "nobody"],
  ] as const) {
    const folder = await temporaryFolder(t);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "c.wasm"), componentBytes(100, 1));
    await writeFile(
      join(folder, "module.toml"),
      `name = "${module}"\nversion = "1.0.0"\nworld = "command"\n`,
    );
    const argv = [
      "publish",
      join(folder, "c.wasm"),
      "--manifest",
      join(folder, "module.toml"),
      "--role",
      role,
      "--no-sync",
    ];
    const { exitCode, err } = await run(argv, { env: { SKERRY_REPO: repository.folder } });
    t.is(exitCode, 1);
    t.regex(err, /is not delegated to the role .*fleet\/unknown-role/);
  }
});

test("wrong names and patterns of roles are refused", async (t) => {
  const repository = await newRepository(t);
  for (const [role, paths] of [
    ["targets", "acme/*"],
    ["bin-1", "acme/*"],
    ["Acme", "acme/*"],
    ["acme", "acme"],
    ["acme", "acme/[ab]"],
    ["acme", "acme/*,"],
    ["acme", "/thermo"],
  ] as const) {
    t.is((await keys(repository, "add", "--role", role, "--paths", paths)).exitCode, 2, `${role} ${paths}`);
  }
  t.is((await keys(repository, ...ACME, "--repository", "director")).exitCode, 2);
});

test("a team's key is rotated at once; where the new one is elsewhere, its releases wait for it and the operator is told", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  await publish(repository);
  t.regex(await succeed(t, repository, "rotate", "acme"), /acme-2 signs for acme now\. Next: skerry sync/);
  await rm(keyFile(repository.settings.keysFolder, "acme"));
  await listedBy(t, repository, "acme", "acme/thermo@1.0.0");
  t.regex(await succeed(t, repository, "list"), /acme-2 +[0-9a-f]{8} +image +acme /);

  const away = await temporaryFolder(t);
  await run(["keys", "new", "acme-home", "--out", away], { typed: "\r" });
  const rotated = await succeed(
    t,
    repository,
    "rotate",
    "acme-2",
    "--public",
    join(away, "acme-home.pub.json"),
  );
  t.regex(rotated, /Its key is elsewhere/);
  t.is((await find(repository, "acme/thermo/1.0.0/component.wasm")).kind, "unresolved");
  const { warnings } = await refreshRepository(repository);
  t.regex(warnings.join("\n"), /acme\.json is not signed by the keys that it is delegated to.*acme-home/);
  await rename(keyFile(away, "acme-home"), keyFile(repository.settings.keysFolder, "acme-home"));
  t.deepEqual(
    (await refreshRepository(repository)).signed.map(({ role }) => role),
    ["acme", "snapshot", "timestamp"],
  );
  await listedBy(t, repository, "acme", "acme/thermo@1.0.0");
});

test("refresh signs a team's releases again before they expire, or warns who has to", async (t) => {
  const nowMs = Date.parse("2030-01-01T00:00:00Z");
  const repository = await newRepository(t, { nowMs });
  await succeed(t, repository, ...ACME);
  const role = (await loadMetadata(repository, "image")).delegated.get("acme");
  const late = { nowMs: (role?.metadata.expiresMs ?? 0) - 86_400_000 };
  t.true((await refreshRepository(repository, late)).signed.some((each) => each.role === "acme"));
  await rm(keyFile(repository.settings.keysFolder, "acme"));
  const later = { nowMs: late.nowMs + 365 * 86_400_000 };
  t.regex((await refreshRepository(repository, later)).warnings.join("\n"), /the releases of acme expire at/);
});

/** A repository whose top-level targets have room for no further release. */
async function fullRepository(t: ExecutionContext): Promise<Repository> {
  const repository = await newRepository(t);
  await publish(repository);
  const stored = await loadMetadata(repository, "image");
  const component = { length: 1, sha256: "ab".repeat(32) };
  const fill = Array.from({ length: 390 }, (_each, index) =>
    targetInfo(`${"p".repeat(20)}/${"n".repeat(20)}/1.0.${index}/module.toml`, component),
  );
  const targets = [...stored.targets.metadata.targets.values(), ...fill];
  await writeTargets({ repository, nowMs: Date.now() }, stored, targets);
  return repository;
}

test("targets that outgrow a message are refused with the command that helps, and bins take them and more", async (t) => {
  const repository = await fullRepository(t);
  const publishNext = (version: string) =>
    publish(repository, { version, component: componentBytes(100, 1) });
  const refused = await t.throwsAsync(async () => {
    for (let patch = 1; patch < 9; patch++) await publishNext(`1.0.${patch}`);
  }, code("fleet/metadata-too-large"));
  t.regex(refused?.message ?? "", /skerry keys bins 16/);
  const before = listedTargetsOf(await loadMetadata(repository, "image"));

  t.regex(await succeed(t, repository, "bins", "16"), /16 bins, the largest of [0-9,]+ bytes/);
  const after = await loadMetadata(repository, "image");
  t.is(after.targets.metadata.targets.size, 0);
  t.is(after.delegated.size, 16);
  t.deepEqual([...listedTargetsOf(after).keys()], [...before.keys()]);
  for (const path of before.keys()) t.is((await find(repository, path)).kind, "found", path);
  t.is((await publishNext("2.0.0")).isNew, true);
  t.is((await find(repository, "acme/thermo/2.0.0/module.toml")).kind, "found");
  await t.notThrowsAsync(planSync(repository, { withBlobs: false }));
});

test("bins grow in number and never shrink; they follow the targets key when it is rotated", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await succeed(t, repository, "bins", "2");
  await succeed(t, repository, "bins", "64");
  for (const count of ["64", "16", "3", "0", "256", "many"]) {
    t.is((await keys(repository, "bins", count)).exitCode, 2, count);
  }
  for (const file of ["component.wasm", "component.chunks", "module.toml"]) {
    t.is((await find(repository, `acme/thermo/1.0.0/${file}`)).kind, "found", file);
  }
  await succeed(t, repository, "rotate", "image-targets");
  await succeed(t, repository, "sign");
  await rm(keyFile(repository.settings.keysFolder, "image-targets"));
  const { roots, targets } = await loadMetadata(repository, "image");
  const owner = roots.at(-1)?.metadata.roles.targets.keyIds;
  for (const { keyIds } of targets.metadata.delegations?.roles ?? []) t.deepEqual(keyIds, owner);
  t.is((await find(repository, "acme/thermo/1.0.0/component.wasm")).kind, "found");
  await publish(repository, { version: "1.1.0" });
  t.is((await find(repository, "acme/thermo/1.1.0/component.wasm")).kind, "found");
});

test("teams go before the bins", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await succeed(t, repository, "bins", "4");
  await succeed(t, repository, ...ACME);
  await publish(repository, { version: "1.1.0" });
  await listedBy(t, repository, "acme", "acme/thermo@1.1.0");
  await succeed(t, repository, "bins", "8");
  await listedBy(t, repository, "acme", "acme/thermo@1.1.0");
});

test("after a power cut between a role's file and the snapshot, refresh does the rest", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  const files = ["snapshot", "timestamp"].map((role) => metadataFile(repository.folder, "image", role));
  const before = await Promise.all(files.map((path) => readFile(path)));
  await publish(repository);
  for (const [index, path] of files.entries()) await writeFile(path, before[index] ?? "");
  t.false(isConsistent(await loadMetadata(repository, "image")));
  await t.throwsAsync(planSync(repository), code("fleet/repository-damaged"));
  await refreshRepository(repository);
  await listedBy(t, repository, "acme", "acme/thermo@1.0.0");
  await t.notThrowsAsync(planSync(repository));
});

test("a revoked team's releases are found no more; its modules come back to the targets with a counter that goes on", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await succeed(t, repository, ...ACME);
  await publish(repository, { version: "1.1.0" });
  t.regex(await succeed(t, repository, "revoke", "acme"), /Nothing is delegated to acme any more/);
  t.is((await find(repository, "acme/thermo/1.1.0/component.wasm")).kind, "absent");
  await listedBy(t, repository, "targets", "acme/thermo@1.0.0");
  await t.notThrowsAsync(planSync(repository));
  t.is((await publish(repository, { version: "1.2.0" })).release, 3);
  await listedBy(t, repository, "targets", "acme/thermo@1.2.0");
  // TUF 1.0.31 §5.5.5: a file that was listed once may not go from the snapshot.
  t.true((await loadMetadata(repository, "image")).snapshot.metadata.files.has("acme.json"));
  await t.notThrowsAsync(refreshRepository(repository, { force: true }));
});

test("a team uses up no release counters but its own modules'", async (t) => {
  const repository = await newRepository(t);
  await publish(repository, { module: "beta/fan" });
  await succeed(t, repository, ...ACME);
  const last = { skerry: { release: Number.MAX_SAFE_INTEGER } };
  const file = { length: 8, sha256: "66".repeat(32) };
  const targets = ["acme/thermo", "beta/fan", "beta/lamp"].map((module) =>
    targetInfo(`${module}/6.6.6/component.wasm`, file, last),
  );
  const stored = await loadMetadata(repository, "image");
  await writeRoles({ repository, nowMs: Date.now() }, stored, { contents: new Map([["acme", targets]]) });
  t.is((await publish(repository, { module: "beta/fan", version: "1.1.0" })).release, 2);
  t.is((await publish(repository, { module: "beta/lamp" })).release, 1);
  const error = await t.throwsAsync(
    publish(repository, { version: "7.0.0" }),
    code("fleet/repository-damaged"),
  );
  t.regex(error?.message ?? "", /acme\/thermo\/6\.6\.6.*counter 9007199254740991.*back from git/);
  t.false(await exists(releaseFolder(repository.folder, "acme/thermo", "7.0.0")));
});

test("a team uses up no versions but its own modules'", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  const stored = await loadMetadata(repository, "image");
  const versions = new Map(["acme/thermo", "beta/fan"].map((module) => [module, ["1.0.0"]]));
  const withdrawn = new Map([["acme", { counters: new Map(), versions }]]);
  const contents = new Map([["acme", []]]);
  await writeRoles({ repository, nowMs: Date.now() }, stored, { contents, withdrawn });
  await t.throwsAsync(publish(repository), code("fleet/version-exists"));
  await t.notThrowsAsync(publish(repository, { module: "beta/fan" }));
});

test("a team's file whose version jumps to where none could follow is not taken in; the furthest that may be is", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, ...ACME);
  await publish(repository);
  const path = metadataFile(repository.folder, "image", "acme");
  const { delegated, snapshot } = await loadMetadata(repository, "image");
  const base = delegated.get("acme");
  if (base === undefined) return t.fail();
  const signer = await openKey(await readKeyFile(keyFile(repository.settings.keysFolder, "acme")), undefined);
  for (const version of [Number.MAX_SAFE_INTEGER, base.metadata.version + MAX_VERSION_JUMP + 1]) {
    await writeFile(path, await signMetadata({ ...base.signedJson, version }, [signer]));
    const refused = await t.throwsAsync(refreshRepository(repository), code("fleet/version-jump"));
    t.regex(refused?.message ?? "", new RegExp(`acme\\.json has version ${version}.*names version 2`));
    await t.throwsAsync(publish(repository, { version: "1.1.0" }), code("fleet/version-jump"));
    await t.throwsAsync(publish(repository, { module: "other/thermo" }), code("fleet/version-jump"));
    const after = await loadMetadata(repository, "image");
    t.is(after.snapshot.metadata.version, snapshot.metadata.version);
    t.is(after.delegated.get("acme")?.metadata.version, version);
  }
  const furthest = base.metadata.version + MAX_VERSION_JUMP;
  await writeFile(path, await signMetadata({ ...base.signedJson, version: furthest }, [signer]));
  await t.notThrowsAsync(refreshRepository(repository));
  t.is((await loadMetadata(repository, "image")).snapshot.metadata.files.get("acme.json")?.version, furthest);
});

test("init --from takes teams and bins over: the teams keep their keys, the bins get the new one", async (t) => {
  const old = await newRepository(t);
  await publish(old, { module: "other/thermo" });
  await succeed(t, old, ...ACME);
  await publish(old);
  await succeed(t, old, "bins", "4");
  const folder = join(await temporaryFolder(t), "next");
  const made = await run(["keys", "init", folder, "--from", old.folder, "--no-passphrase"]);
  t.is(made.exitCode, 0, made.err);
  const repository = await openRepository(folder);
  for (const module of ["other/thermo", "acme/thermo"]) {
    t.is((await find(repository, `${module}/1.0.0/component.wasm`)).kind, "found", module);
  }
  await t.notThrowsAsync(planSync(repository));
});
