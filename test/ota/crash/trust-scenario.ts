/**
 * New metadata, then a rotation of the root's and the timestamp's keys, then newer metadata by the new keys: after a power cut at any moment
 * the device trusts nothing older than what it had taken up.
 */

import { OtaError } from "../../../ota/errors.ts";
import { createVerifier } from "../../../ota/signature.ts";
import { openStore, type Store } from "../../../ota/store.ts";
import { changeOf, loadStored, saveChange } from "../../../ota/stored-trust.ts";
import { NOTHING_RECEIVED, type ReceivedMetadata, type TrustedRepository } from "../../../ota/trust-state.ts";
import { type Verdict, verifyRepository } from "../../../ota/trusted-repository.ts";
import {
  metadataSet,
  NOW_MS,
  type RepositorySigners,
  repositorySigners,
  rootFile,
  testSigner,
} from "../../support/signed-repository.ts";
import { STATE_DIR } from "../../support/volatile-device.ts";
import { VolatileDisk } from "../../support/volatile-disk.ts";
import type { Promises, Scenario } from "./explore.ts";

const REPOSITORY = "image";
const ROLES = ["root", "timestamp", "snapshot", "targets"] as const;

const verifier = await createVerifier();
const before: RepositorySigners = await repositorySigners(REPOSITORY);
const newKey = { signers: [await testSigner("another key")], threshold: 1 };
/** The old timestamp key stays beside the new one: what it signed before has to be void all the same. */
const bothKeys = { signers: [...before.timestamp.signers, ...newKey.signers], threshold: 1 };
const after: RepositorySigners = { ...before, root: newKey, timestamp: bothKeys };
const provisionedRoot = await rootFile(before);

/** What arrives, one after the other. */
const arrivals: readonly ReceivedMetadata[] = [
  { ...NOTHING_RECEIVED, ...(await metadataSet(before, { version: 1 })) },
  { ...NOTHING_RECEIVED, ...(await metadataSet(before, { version: 2 })) },
  {
    ...NOTHING_RECEIVED,
    ...(await metadataSet(after, { version: 3 })),
    roots: new Map([
      [2, await rootFile(after, { version: 2, signedBy: [...before.root.signers, ...after.root.signers] })],
    ]),
  },
];

async function load(store: Store): Promise<TrustedRepository> {
  return (await loadStored(store.trust(REPOSITORY), REPOSITORY, provisionedRoot, verifier)).trusted;
}

/** As the agent's watch does it: what is newly trusted is on the disk before anything follows from it. */
async function takeUp(
  store: Store,
  trusted: TrustedRepository,
  received: ReceivedMetadata,
): Promise<TrustedRepository> {
  const verdict = judge(trusted, received);
  if (verdict?.kind !== "updated") return trusted;
  await saveChange(store.trust(REPOSITORY), changeOf(trusted, verdict));
  return takeUp(store, verdict.trusted, received);
}

/** An agent that starts in the middle has some of it already: older than what it trusts is what it refuses. */
function judge(trusted: TrustedRepository, received: ReceivedMetadata): Verdict | undefined {
  try {
    return verifyRepository(trusted, received, NOW_MS, verifier);
  } catch (error) {
    if (error instanceof OtaError && error.code === "trust/rollback-attack") return undefined;
    throw error;
  }
}

function versionsOf(trusted: TrustedRepository): Record<(typeof ROLES)[number], number> {
  const versionOf = (role: (typeof ROLES)[number]): number => trusted[role]?.metadata.version ?? 0;
  return {
    root: versionOf("root"),
    timestamp: versionOf("timestamp"),
    snapshot: versionOf("snapshot"),
    targets: versionOf("targets"),
  };
}

async function checkTrust(disk: VolatileDisk, promises: Promises): Promise<string | undefined> {
  const store = await openStore(disk, STATE_DIR);
  const trusted = await load(store);
  const versions = versionsOf(trusted);
  // TUF 1.0.31 §5.3.11: with a root that has other timestamp keys the older timestamp and snapshot are forgotten, by whatever number they had.
  const isRotated = versions.root > Number(promises["root"] ?? 1);
  const isVoided = (role: (typeof ROLES)[number]): boolean =>
    isRotated && (role === "timestamp" || role === "snapshot");
  const older = ROLES.filter((role) => versions[role] < Number(promises[role] ?? 0) && !isVoided(role));
  const revived = ROLES.filter((role) => isVoided(role) && versions[role] > 0 && versions[role] < 3);
  if (revived.length > 0) return `${revived.join()} counts under the new root: ${JSON.stringify(versions)}`;
  if (older.length > 0) return `${older.join()} went backwards: ${JSON.stringify({ versions, promises })}`;
  for (const received of arrivals.slice(-1)) {
    const { targets } = await takeUp(store, trusted, received);
    if (targets?.metadata.version !== 3) return "the newest metadata is not taken up any more";
  }
  return undefined;
}

export const ROTATION: Scenario = {
  name: "a rotation of the root's keys",
  base: async () => new VolatileDisk(),
  run: async (disk, promise, used = disk) => {
    const store = await openStore(used, STATE_DIR);
    let trusted = await load(store);
    // An agent that starts after the rotation finds the newest on its broker; the older ones would be fresh to it (§5.3.11).
    for (const received of trusted.root.metadata.version > 1 ? arrivals.slice(-1) : arrivals) {
      trusted = await takeUp(store, trusted, received);
      const versions = Object.entries(versionsOf(trusted)).map(([role, version]) => [role, String(version)]);
      promise(Object.fromEntries(versions));
    }
    if (trusted.root.metadata.version !== 2 || trusted.targets?.metadata.version !== 3) {
      throw new Error("the metadata was not taken up");
    }
  },
  check: checkTrust,
  checkBriefly: checkTrust,
};
