/**
 * What the broker should hold, from the folder: verified as a device would verify it before anything is sent,
 * since a damaged or expired repository on the broker stops the whole fleet.
 */

import { OtaError } from "../ota/errors.ts";
import { loadTrustedRepository } from "../ota/load-trusted.ts";
import type { ParsedFile, RepositoryName, RoleName, Targets } from "../ota/metadata.ts";
import { parseTargetPath } from "../ota/names.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { isSignedBy, nextRoot } from "../ota/root-chain.ts";
import { createVerifier, type SignatureVerifier } from "../ota/signature.ts";
import { NOTHING_RECEIVED, type TrustedRepository } from "../ota/trust-state.ts";
import { verifyRepository } from "../ota/trusted-repository.ts";
import { tallySignatures } from "../ota/verify-signatures.ts";
import { FleetError } from "./errors.ts";
import { isConsistent, listedTargetsOf, loadMetadata, type StoredMetadata } from "./metadata-store.ts";
import { listedFiles, readReleaseBlobs } from "./release-blobs.ts";
import { REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { type NextRoot, type SyncItem, type SyncMetadata, type SyncPlan, sha256Hex } from "./sync.ts";
import { FleetTopics } from "./topics.ts";

export interface PlanOptions {
  /** Default both. Blobs belong to the image repository. */
  readonly repositories?: readonly RepositoryName[];
  /** Blobs of that release only; default all. */
  readonly release?: { readonly module: string; readonly version: string };
  /** Blobs of all but these (`module@version`): what would be left if they were unpublished. */
  readonly without?: ReadonlySet<string>;
  /** Default true. */
  readonly withBlobs?: boolean;
  readonly nowMs?: number;
}

/** Reads and verifies the folder; throws FleetError "fleet/repository-damaged" or "fleet/io". */
export async function planSync(repository: Repository, options: PlanOptions = {}): Promise<SyncPlan> {
  const topics = new FleetTopics(repository.settings.fleet);
  const roots: SyncMetadata[] = [];
  const metadata: SyncMetadata[] = [];
  const nextRoots: NextRoot[] = [];
  const verifier = await createVerifier();
  let blobs: readonly SyncItem[] = [];
  for (const name of options.repositories ?? REPOSITORY_NAMES) {
    const stored = await loadMetadata(repository, name);
    const trusted = verifyStored(stored, options.nowMs ?? Date.now(), verifier);
    const itemFor = (topic: string, role: RoleName, file: ParsedFile<{ readonly version: number }>) =>
      metadataItem(topics.metadata(name, topic), file, (payload) =>
        rightfulVersion(trusted, role, payload, verifier),
      );
    for (const root of stored.roots) roots.push(itemFor(`${root.metadata.version}.root`, "root", root));
    for (const [role, file] of stored.delegated) {
      metadata.push(
        metadataItem(topics.metadata(name, role), file, (payload) =>
          rightfulDelegatedVersion(stored.targets.metadata, role, payload, verifier),
        ),
      );
    }
    for (const role of ["targets", "snapshot", "timestamp"] as const) {
      metadata.push(itemFor(role, role, stored[role]));
    }
    nextRoots.push(nextRootOf(topics, trusted, verifier));
    if (name === "image" && options.withBlobs !== false)
      blobs = await planBlobs(repository, topics, stored, options);
  }
  return { marker: topics.metadata("image", "1.root"), roots, nextRoots, blobs, metadata };
}

function metadataItem(
  topic: string,
  file: ParsedFile<{ readonly version: number }>,
  rightfulVersion: SyncMetadata["rightfulVersion"],
): SyncMetadata {
  const { bytes } = file;
  return {
    topic,
    sha256: sha256Hex(bytes),
    length: bytes.byteLength,
    version: file.metadata.version,
    load: async () => bytes,
    rightfulVersion,
  };
}

function rightfulVersion(
  { repository, root }: TrustedRepository,
  role: RoleName,
  payload: Uint8Array,
  verifier: SignatureVerifier,
): number | undefined {
  return unlessRefused(() => {
    const file = parseMetadata(repository, role, payload);
    return isSignedBy(root.metadata, role, file, verifier) ? file.metadata.version : undefined;
  });
}

/** A role's former keys, and a role that nobody delegates to any more, are nobody's. */
function rightfulDelegatedVersion(
  { delegations }: Targets,
  role: string,
  payload: Uint8Array,
  verifier: SignatureVerifier,
): number | undefined {
  return unlessRefused(() => {
    const delegation = delegations?.roles.find(({ name }) => name === role);
    if (delegations === undefined || delegation === undefined) return undefined;
    const file = parseMetadata("image", "targets", payload, role);
    const { kind } = tallySignatures(file, delegations.keys, delegation, verifier);
    return kind === "met" ? file.metadata.version : undefined;
  });
}

function nextRootOf(topics: FleetTopics, trusted: TrustedRepository, verifier: SignatureVerifier): NextRoot {
  const version = trusted.root.metadata.version + 1;
  return {
    topic: topics.metadata(trusted.repository, `${version}.root`),
    isRightful: (payload) => {
      const received = { ...NOTHING_RECEIVED, roots: new Map([[version, payload]]) };
      return unlessRefused(() => nextRoot(trusted, received, verifier, undefined)) !== undefined;
    },
  };
}

/** Undefined for what a device would refuse. */
function unlessRefused<T>(verify: () => T): T | undefined {
  try {
    return verify();
  } catch (error) {
    if (error instanceof OtaError) return undefined;
    throw error;
  }
}

/** Walks through the metadata as a device that starts from root 1. */
function verifyStored(stored: StoredMetadata, nowMs: number, verifier: SignatureVerifier): TrustedRepository {
  const { name, roots, timestamp, snapshot, targets } = stored;
  const [first] = roots;
  if (first === undefined || !isConsistent(stored)) {
    throw new FleetError(
      "fleet/repository-damaged",
      `The ${name} metadata was not written to its end: run \`skerry refresh\` where the online keys are`,
    );
  }
  const received = {
    ...NOTHING_RECEIVED,
    roots: new Map(roots.map((root) => [root.metadata.version, root.bytes])),
    timestamp: timestamp.bytes,
    snapshot: snapshot.bytes,
    targets: targets.bytes,
  };
  try {
    let { trusted } = loadTrustedRepository(name, first.bytes, {}, verifier);
    for (;;) {
      const verdict = verifyRepository(trusted, received, nowMs, verifier);
      if (verdict.kind === "current") return trusted;
      if (verdict.kind === "incomplete") throw verdict.error;
      trusted = verdict.trusted;
    }
  } catch (error) {
    if (!(error instanceof OtaError)) throw error;
    const advice =
      error.code === "trust/freeze-attack"
        ? "run `skerry refresh`"
        : "bring the folder back from git or the backup";
    throw new FleetError(
      "fleet/repository-damaged",
      `Devices would refuse the ${name} metadata (${error.code}: ${error.message}): ${advice}`,
      { cause: error },
    );
  }
}

/**
 * Each blob once, in the order of the releases' paths: chunk list and manifest of a release, then its chunks.
 */
async function planBlobs(
  repository: Repository,
  topics: FleetTopics,
  stored: StoredMetadata,
  { release: only, without }: PlanOptions,
): Promise<readonly SyncItem[]> {
  const blobs = new Map<string, SyncItem>();
  const targets = listedTargetsOf(stored);
  for (const target of targets.values()) {
    const release = parseTargetPath(target.path);
    if (release?.file !== "component.wasm") continue;
    if (only !== undefined && (release.module !== only.module || release.version !== only.version)) continue;
    if (without?.has(`${release.module}@${release.version}`) === true) continue;
    const { blobs: ofRelease } = await readReleaseBlobs(
      repository,
      release,
      listedFiles(release, target, targets),
    );
    for (const blob of ofRelease) {
      if (!blobs.has(blob.sha256)) blobs.set(blob.sha256, { ...blob, topic: topics.blob(blob.sha256) });
    }
  }
  return [...blobs.values()];
}
