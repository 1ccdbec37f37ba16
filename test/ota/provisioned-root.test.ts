/** Where trust starts: the provisioned root, what was stored under it, and what a rotation voids, over restarts and power cuts. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadTrusted } from "../../agent/provisioned-root.ts";
import type { LoadedRepository } from "../../ota/load-trusted.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { createVerifier } from "../../ota/signature.ts";
import { openStore } from "../../ota/store.ts";
import { saveChange } from "../../ota/stored-trust.ts";
import { CuttingDisk, PowerCut } from "../support/cutting-disk.ts";
import { temporaryFolder } from "../support/folders.ts";
import {
  metadataSet,
  type RepositorySigners,
  repositorySigners,
  rootFile,
  testSigner,
} from "../support/signed-repository.ts";

/** A device's folder, and the root that its owner put there. */
interface Device {
  provision(root: Uint8Array): Promise<void>;
  /** As at a start of the agent. */
  load(): Promise<LoadedRepository>;
  /** Stores a root and the set of a version. */
  store(
    root: Uint8Array | undefined,
    set: Record<"timestamp" | "snapshot" | "targets", Uint8Array>,
  ): Promise<void>;
  readonly stateDir: string;
}

async function device(t: ExecutionContext): Promise<Device> {
  const folder = await temporaryFolder(t);
  const rootPath = join(folder, "image.root.json");
  const stateDir = join(folder, "state");
  const verifier = await createVerifier();
  const open = () => openStore(createNodeDisk(), stateDir);
  return {
    stateDir,
    provision: (root) => writeFile(rootPath, root),
    load: async () => loadTrusted("image", rootPath, await open(), verifier),
    store: async (root, set) => {
      const trust = (await open()).trust("image");
      if (root !== undefined) await trust.save("root", root);
      for (const role of ["targets", "snapshot", "timestamp"] as const) await trust.save(role, set[role]);
    },
  };
}

/** The same roles with two keys for the timestamp, of which one is new; one signature is enough. */
async function halfRotated(roles: RepositorySigners, name: string): Promise<RepositorySigners> {
  const [kept] = roles.timestamp.signers;
  if (kept === undefined) throw new Error("a role has a key");
  return { ...roles, timestamp: { signers: [kept, await testSigner(name)], threshold: 1 } };
}

/** Root keys of somebody else. */
async function otherFleet(): Promise<RepositorySigners> {
  const roles = await repositorySigners("image");
  return { ...roles, root: { signers: [await testSigner("other root")], threshold: 1 } };
}

test("a rotated root that was stored holds after a restart, and nothing is reported", async (t) => {
  const { provision, load, store } = await device(t);
  const roles = await repositorySigners("image");
  await provision(await rootFile(roles));
  await load();
  const rotated = { ...roles, root: { signers: [await testSigner("new root")], threshold: 1 } };
  // The third: only the chain led there, so the provisioned root did not sign it.
  await store(await rootFile(rotated, { version: 3 }), await metadataSet(rotated, { version: 5 }));
  const { trusted, droppedRoles, replaced } = await load();
  t.is(trusted.root.metadata.version, 3);
  t.deepEqual({ droppedRoles, replaced }, { droppedRoles: [], replaced: undefined });
});

test("another provisioned root takes the place of the stored one, which is reported once and does not come back", async (t) => {
  const { provision, load, store } = await device(t);
  const roles = await repositorySigners("image");
  await provision(await rootFile(roles));
  await load();
  await store(await rootFile(roles, { version: 3 }), await metadataSet(roles, { version: 5 }));
  const anew = await otherFleet();
  await provision(await rootFile(anew));
  const first = await load();
  t.is(first.replaced, 3);
  t.is(first.trusted.root.metadata.version, 1);
  t.is(first.trusted.root.metadata.roles.root.keyIds[0], anew.root.signers[0]?.key.keyId);
  const second = await load();
  t.is(second.replaced, undefined);
  t.is(second.trusted.root.metadata.version, 1);
});

test("a newer root of the same chain may be provisioned: what was stored under it stays", async (t) => {
  const { provision, load, store } = await device(t);
  const roles = await repositorySigners("image");
  await provision(await rootFile(roles));
  await load();
  await store(await rootFile(roles, { version: 3 }), await metadataSet(roles, { version: 5 }));
  await provision(await rootFile(roles, { version: 2 }));
  const { trusted, replaced, droppedRoles } = await load();
  t.is(trusted.root.metadata.version, 3);
  t.is(trusted.timestamp?.metadata.version, 5);
  t.deepEqual({ droppedRoles, replaced }, { droppedRoles: [], replaced: undefined });
});

test("a provisioned root with other timestamp keys voids the stored timestamp, even one that a kept key signed", async (t) => {
  const { provision, load, store } = await device(t);
  const roles = await repositorySigners("image");
  await provision(await rootFile(roles));
  await load();
  await store(undefined, await metadataSet(roles, { version: 900 }));
  t.is((await load()).trusted.timestamp?.metadata.version, 900);
  await provision(await rootFile(await halfRotated(roles, "second"), { version: 2 }));
  // Nothing was stored of the first root, so the provisioned one alone can't tell; the record that it is another one does.
  const { trusted } = await load();
  t.is(trusted.timestamp, undefined);
  t.is(trusted.snapshot, undefined);
});

test("§5.3.11: fast-forward: a rotation voids timestamp and snapshot for good, wherever the power is cut", async (t) => {
  const roles = await repositorySigners("image");
  const next = await halfRotated(roles, "second");
  const second = await rootFile(next, { version: 2 });
  const forward = await metadataSet(roles, { version: 900 });
  const recovery = { kind: "root", version: 2, bytes: second, isRecovery: true } as const;
  let changes = 0;
  for (let cut = 0; ; cut += 1) {
    const { provision, load, store, stateDir } = await device(t);
    await provision(await rootFile(roles));
    await load();
    await store(undefined, forward);
    const disk = new CuttingDisk(createNodeDisk());
    const trust = (await openStore(disk.asDisk(), stateDir)).trust("image");
    disk.cutAfter(cut);
    const wasCut = await saveChange(trust, recovery).then(
      () => false,
      (error: unknown) => {
        if (error instanceof PowerCut) return true;
        throw error;
      },
    );
    const { trusted } = await load();
    // One or the other, and the fast-forwarded files never under the new root, though one of its keys signed them.
    const { version } = trusted.root.metadata;
    t.is(trusted.timestamp?.metadata.version, version === 1 ? 900 : undefined, `cut ${cut}`);
    t.is(trusted.snapshot?.metadata.version, version === 1 ? 900 : undefined, `cut ${cut}`);
    // What comes after the recovery counts, now and after another restart.
    if (version === 2) {
      await store(undefined, await metadataSet(next, { version: 2 }));
      t.is((await load()).trusted.timestamp?.metadata.version, 2, `cut ${cut}`);
    }
    if (!wasCut) break;
    changes += 1;
  }
  t.true(changes > 5, `${changes} changes of the disk`);
});
