/**
 * The root role: TUF 1.0.31 §5.3, one step from version N to N + 1, and §5.3.11, what falls with rotated keys.
 */

import type { ParsedFile, RoleName, Root } from "./metadata.ts";
import { checkSignatures, refuseFile } from "./metadata-checks.ts";
import { parseMetadata } from "./parse-metadata.ts";
import type { SignatureVerifier } from "./signature.ts";
import type { ReceivedMetadata, TrustedRepository } from "./trust-state.ts";
import { tallySignatures } from "./verify-signatures.ts";

/**
 * §5.3.3 to §5.3.5: the root after the trusted one, if it has arrived, signed by the thresholds of both. Its expiry does not matter
 * yet (§5.3.6). Throws `OtaError` "trust/…".
 */
export function nextRoot(
  trusted: TrustedRepository,
  received: ReceivedMetadata,
  verifier: SignatureVerifier,
  foreignRoot: Root | undefined,
): ParsedFile<Root> | undefined {
  const version = trusted.root.metadata.version + 1;
  const bytes = received.roots.get(version);
  if (bytes === undefined) return undefined;
  const { repository } = trusted;
  const file = parseMetadata(repository, "root", bytes);
  const subject = { repository, role: "root", version: file.metadata.version } as const;
  for (const root of [trusted.root.metadata, file.metadata]) {
    // A lack is final here: no later root makes up for it, N's keys sign N + 1.
    const error = checkSignatures(subject, file, root, verifier, { foreignRoot });
    if (error !== undefined) throw error;
  }
  if (file.metadata.version === version) return file;
  throw refuseFile(subject, "trust/rollback-attack", `it stands where root ${version} belongs`);
}

/**
 * The trusted set under its next root. §5.3.11: with other timestamp or snapshot keys both files go, to recover from a fast-forward
 * attack. Beyond it, targets that the new root's keys did not sign go as well: a revoked key must not decide what runs.
 */
export function withRoot(
  trusted: TrustedRepository,
  root: ParsedFile<Root>,
  verifier: SignatureVerifier,
): TrustedRepository {
  const { repository, timestamp, snapshot, targets } = trusted;
  const isRotated = hasOtherOnlineKeys(trusted.root.metadata, root.metadata);
  const keepsTargets = targets !== undefined && isSignedBy(root.metadata, "targets", targets, verifier);
  return {
    repository,
    root,
    timestamp: isRotated ? undefined : timestamp,
    snapshot: isRotated ? undefined : snapshot,
    targets: keepsTargets ? targets : undefined,
  };
}

/** Whether a root's threshold of keys for a role signed a file. */
export function isSignedBy(
  root: Root,
  role: RoleName,
  file: ParsedFile<unknown>,
  verifier: SignatureVerifier,
): boolean {
  return tallySignatures(file, root.keys, root.roles[role], verifier).kind === "met";
}

/** Whether two roots list other keys for the timestamp or the snapshot: then what the one vouched for says nothing under the other (§5.3.11). */
export function hasOtherOnlineKeys(left: Root, right: Root): boolean {
  return (["timestamp", "snapshot"] as const).some(
    (role) =>
      new Set(left.roles[role].keyIds).symmetricDifference(new Set(right.roles[role].keyIds)).size > 0,
  );
}
