/** tuf-js's client takes what Skerry writes: the operator's folder, a rotated root, delegations by path and by hash. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Updater } from "tuf-js";
import { assignRelease } from "../../../fleet/assign.ts";
import { loadMetadata } from "../../../fleet/metadata-store.ts";
import { refreshRepository } from "../../../fleet/refresh.ts";
import type { RepositoryName } from "../../../ota/metadata.ts";
import { signMetadata, snapshotJson, targetsJson, timestampJson } from "../../../ota/sign-metadata.ts";
import { newRepository, publish } from "../../fleet/fixture.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { repositorySigners, rootFile, testSigner, testTarget } from "../../support/signed-repository.ts";
import { serveFolder } from "./http-folder.ts";

const COMPONENT = "acme/thermo/1.0.0/component.wasm";

/** A tuf-js client that was provisioned with root 1 of a served repository. */
async function updater(t: ExecutionContext, folder: string, name: RepositoryName): Promise<Updater> {
  const metadataDir = await temporaryFolder(t);
  const targetDir = await temporaryFolder(t);
  await writeFile(join(metadataDir, "root.json"), await readFile(join(folder, name, "1.root.json")));
  const url = await serveFolder(t, folder);
  return new Updater({
    metadataDir,
    targetDir,
    metadataBaseUrl: `${url}/${name}`,
    targetBaseUrl: `${url}/targets`,
  });
}

test("the operator's folder: metadata of both repositories, and a release's files", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const audience = { kind: "group", group: "default", percent: 25 } as const;
  await assignRelease(repository, { module: "acme/thermo", version: "1.0.0", audience });
  await refreshRepository(repository, { force: true });
  const image = await updater(t, repository.folder, "image");
  const component = await image.getTargetInfo(COMPONENT);
  const listed = (await loadMetadata(repository, "image")).targets.metadata.targets.get(COMPONENT);
  if (component === undefined || listed === undefined) return t.fail();
  t.is(component.hashes["sha256"], listed.sha256);
  t.is(component.length, listed.length);
  t.deepEqual(component.custom, { skerry: { release: 1 } });
  const downloaded = await image.downloadTarget(component, join(await temporaryFolder(t), "component.wasm"));
  t.is((await readFile(downloaded)).length, listed.length);
  t.is(await image.getTargetInfo("acme/thermo/2.0.0/component.wasm"), undefined);
  const director = await updater(t, repository.folder, "director");
  t.is((await director.getTargetInfo(COMPONENT))?.length, listed.length);
});

test("a root that was rotated twice, and what its new keys signed", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await repositorySigners("image");
  const second = { ...first, root: { signers: [await testSigner("second")], threshold: 1 } };
  const third = { ...second, timestamp: { signers: [await testSigner("third")], threshold: 1 } };
  const roots = [
    await rootFile(first),
    await rootFile(second, { version: 2, signedBy: [...first.root.signers, ...second.root.signers] }),
    await rootFile(third, { version: 3 }),
  ];
  await mkdir(join(folder, "image"));
  for (const [index, root] of roots.entries()) {
    await writeFile(join(folder, "image", `${index + 1}.root.json`), root);
  }
  await writeSet(folder, third, { targets: [testTarget(COMPONENT)] });
  const client = await updater(t, folder, "image");
  t.is((await client.getTargetInfo(COMPONENT))?.length, COMPONENT.length);
});

test("delegations by path and by hash prefix", async (t) => {
  const folder = await temporaryFolder(t);
  const roles = await repositorySigners("image");
  await mkdir(join(folder, "image"));
  await writeFile(join(folder, "image", "1.root.json"), await rootFile(roles));
  const team = await testSigner("acme");
  const bins = await testSigner("bins");
  const delegations = {
    keys: { [team.key.keyId]: team.key.json, [bins.key.keyId]: bins.key.json },
    roles: [
      { name: "acme", keyids: [team.key.keyId], threshold: 1, paths: ["acme/*/*/*"], terminating: true },
      {
        name: "bins",
        keyids: [bins.key.keyId],
        threshold: 1,
        path_hash_prefixes: [..."0123456789abcdef"],
        terminating: true,
        skerry: { hardware: ["rpi-4"] },
      },
    ],
  };
  const other = "other/lamp/1.0.0/component.wasm";
  await writeSet(folder, roles, {
    delegations,
    delegated: [
      ["acme", team, COMPONENT],
      ["bins", bins, other],
    ],
  });
  const client = await updater(t, folder, "image");
  t.is((await client.getTargetInfo(COMPONENT))?.path, COMPONENT);
  t.is((await client.getTargetInfo(other))?.path, other);
  t.is(await client.getTargetInfo("acme/thermo/2.0.0/component.wasm"), undefined);
});

interface SetToWrite {
  readonly targets?: readonly ReturnType<typeof testTarget>[];
  readonly delegations?: Parameters<typeof signMetadata>[0];
  readonly delegated?: readonly (readonly [string, Awaited<ReturnType<typeof testSigner>>, string])[];
}

async function writeSet(
  folder: string,
  roles: Awaited<ReturnType<typeof repositorySigners>>,
  { targets = [], delegations, delegated = [] }: SetToWrite,
): Promise<void> {
  const fields = { version: 1, expiresMs: Date.now() + 86_400_000 };
  const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, "image", `${name}.json`), bytes);
  const files = new Map<string, { version: number; bytes: Uint8Array }>();
  for (const [name, signer, path] of delegated) {
    const bytes = await signMetadata(targetsJson({ ...fields, targets: [testTarget(path)] }), [signer]);
    files.set(name, { version: 1, bytes });
    await write(name, bytes);
  }
  const signed = targetsJson({ ...fields, targets });
  const top = await signMetadata(
    delegations === undefined ? signed : { ...signed, delegations },
    roles.targets.signers,
  );
  const snapshot = await signMetadata(
    snapshotJson({ ...fields, targets: { version: 1, bytes: top }, delegated: files }),
    roles.snapshot.signers,
  );
  const timestamp = await signMetadata(
    timestampJson({ ...fields, issuedMs: Date.now(), snapshot: { version: 1, bytes: snapshot } }),
    roles.timestamp.signers,
  );
  await write("targets", top);
  await write("snapshot", snapshot);
  await write("timestamp", timestamp);
}
