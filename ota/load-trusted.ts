/**
 * The trusted set of a repository from what the device has on its disk: TUF 1.0.31 §5.2.
 *
 * The root that the device was provisioned with is where trust starts; a stored newer one continues it. Whatever else is stored is
 * verified again: what a flash error spoiled, or what the root no longer vouches for, is left out and comes again over the air.
 */

import { OtaError } from "./errors.ts";
import type { MetadataByRole, ParsedFile, RepositoryName, RoleName, Root } from "./metadata.ts";
import { checkSignatures } from "./metadata-checks.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { isSignedBy } from "./root-chain.ts";
import type { SignatureVerifier } from "./signature.ts";
import type { TrustedRepository } from "./trust-state.ts";

/** The stored file of each role, where there is one. */
export type StoredMetadata = Readonly<Partial<Record<RoleName, Uint8Array>>>;

export interface LoadedRepository {
  readonly trusted: TrustedRepository;
  /** Roles whose stored file is not trusted (any more). */
  readonly droppedRoles: readonly RoleName[];
}

/**
 * Loads a repository's trusted set. Pure. Expiry is not checked here (§5.2): `verifyRepository` does.
 *
 * Throws `OtaError` "trust/…" only for the provisioned root: without it nothing can be trusted.
 */
export function loadTrustedRepository(
  repository: RepositoryName,
  provisionedRoot: Uint8Array,
  stored: StoredMetadata,
  verifier: SignatureVerifier,
): LoadedRepository {
  const root = loadRoot(repository, provisionedRoot, stored.root, verifier);
  const load = <Role extends RoleName>(role: Role) => {
    const file = parseStored(repository, role, stored[role]);
    return file !== undefined && isSignedBy(root.metadata, role, file, verifier) ? file : undefined;
  };
  const trusted = {
    repository,
    root,
    timestamp: load("timestamp"),
    snapshot: load("snapshot"),
    targets: load("targets"),
  };
  const droppedRoles = (["root", "timestamp", "snapshot", "targets"] as const).filter(
    (role) => stored[role] !== undefined && trusted[role]?.bytes !== stored[role],
  );
  return { trusted, droppedRoles };
}

function loadRoot(
  repository: RepositoryName,
  provisionedBytes: Uint8Array,
  storedBytes: Uint8Array | undefined,
  verifier: SignatureVerifier,
): ParsedFile<Root> {
  const provisioned = parseMetadata(repository, "root", provisionedBytes);
  const { version } = provisioned.metadata;
  const error = checkSignatures(
    { repository, role: "root", version },
    provisioned,
    provisioned.metadata,
    verifier,
  );
  if (error !== undefined) throw error;
  const stored = parseStored(repository, "root", storedBytes);
  const isUsable =
    stored !== undefined &&
    // Of the same version only the provisioned one is known to be right.
    stored.metadata.version > version &&
    isSignedBy(stored.metadata, "root", stored, verifier);
  return isUsable ? stored : provisioned;
}

function parseStored<Role extends RoleName>(
  repository: RepositoryName,
  role: Role,
  bytes: Uint8Array | undefined,
): ParsedFile<MetadataByRole[Role]> | undefined {
  if (bytes === undefined) return undefined;
  try {
    return parseMetadata(repository, role, bytes);
  } catch (error) {
    // A spoiled file is reported as dropped; the device must not stop for what it can fetch again.
    if (error instanceof OtaError) return undefined;
    throw error;
  }
}
