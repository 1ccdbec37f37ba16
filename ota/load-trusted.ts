/**
 * The trusted set of a repository from what the device has on its disk: TUF 1.0.31 §5.2.
 *
 * - The root that the device was provisioned with is where trust starts. A stored newer one is used if it grew from that very root: it was stored
 *   while that one was provisioned, or is signed by its keys.
 * - So another provisioned root is neither ignored nor mixed with what was trusted before: whoever may write that file is the device's owner, and
 *   after a theft of root keys it is the only way back. What the former root led to is dropped; `replaced` says so.
 * - Whatever else is stored is verified again: what a flash error spoiled, or what the root no longer vouches for, is left out and
 *   comes again over the air.
 * - A timestamp and a snapshot that a rotation of their keys voided (§5.3.11) stay void, even if they are still there and one key is still good.
 */

import { createHash } from "node:crypto";

import { OtaError } from "./errors.ts";
import type { MetadataByRole, ParsedFile, RepositoryName, RoleName, Root } from "./metadata.ts";
import { checkSignatures } from "./metadata-checks.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { hasOtherOnlineKeys, isSignedBy } from "./root-chain.ts";
import type { SignatureVerifier } from "./signature.ts";
import type { TrustRecord } from "./trust-folder.ts";
import type { TrustedRepository } from "./trust-state.ts";

/** The stored file of each role, where there is one. */
export type StoredMetadata = Readonly<Partial<Record<RoleName, Uint8Array>>>;

export interface LoadedRepository {
  readonly trusted: TrustedRepository;
  /** Roles whose stored file is not trusted (any more). */
  readonly droppedRoles: readonly RoleName[];
  /** SHA-256 of the provisioned root: what the stored files have grown from, once the dropped ones are gone. */
  readonly anchor: string;
  /** The version of a stored root that another provisioned one took the place of. */
  readonly replaced: number | undefined;
}

const NO_RECORD: TrustRecord = { anchor: undefined, voidFrom: undefined };

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
  record: TrustRecord = NO_RECORD,
): LoadedRepository {
  const provisioned = loadProvisioned(repository, provisionedRoot, verifier);
  const anchor = createHash("sha256").update(provisionedRoot).digest("hex");
  const storedRoot = parseStored(repository, "root", stored.root);
  const isContinued =
    storedRoot !== undefined &&
    continues(storedRoot, provisioned, verifier) &&
    (record.anchor === anchor || isSignedBy(provisioned.metadata, "root", storedRoot, verifier));
  const root = isContinued ? storedRoot : provisioned;
  const isVoid =
    (record.voidFrom !== undefined && root.metadata.version >= record.voidFrom) ||
    (storedRoot !== undefined && hasOtherOnlineKeys(storedRoot.metadata, root.metadata));
  const load = <Role extends RoleName>(role: Role) => {
    const file = parseStored(repository, role, stored[role]);
    return file !== undefined && isSignedBy(root.metadata, role, file, verifier) ? file : undefined;
  };
  const trusted = {
    repository,
    root,
    timestamp: isVoid ? undefined : load("timestamp"),
    snapshot: isVoid ? undefined : load("snapshot"),
    targets: load("targets"),
  };
  const droppedRoles = (["root", "timestamp", "snapshot", "targets"] as const).filter(
    (role) => stored[role] !== undefined && !isSame(stored[role], trusted[role]?.bytes),
  );
  const isReplaced = record.anchor !== undefined && record.anchor !== anchor && root !== storedRoot;
  return { trusted, droppedRoles, anchor, replaced: isReplaced ? storedRoot?.metadata.version : undefined };
}

function isSame(left: Uint8Array, right: Uint8Array | undefined): boolean {
  return right !== undefined && Buffer.compare(left, right) === 0;
}

function loadProvisioned(
  repository: RepositoryName,
  bytes: Uint8Array,
  verifier: SignatureVerifier,
): ParsedFile<Root> {
  const provisioned = parseMetadata(repository, "root", bytes);
  const { version } = provisioned.metadata;
  const subject = { repository, role: "root", version } as const;
  const error = checkSignatures(subject, provisioned, provisioned.metadata, verifier);
  if (error !== undefined) throw error;
  return provisioned;
}

/** Of the same version only the provisioned one is known to be right. */
function continues(
  stored: ParsedFile<Root>,
  provisioned: ParsedFile<Root>,
  verifier: SignatureVerifier,
): boolean {
  return (
    stored.metadata.version > provisioned.metadata.version &&
    isSignedBy(stored.metadata, "root", stored, verifier)
  );
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
