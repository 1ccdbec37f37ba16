/**
 * One repository's trust, as a function without I/O: TUF 1.0.31 §5.1 to §5.6, over retained topics instead of downloads.
 *
 * What is trusted and what lies on the topics go in; a verdict comes out. The rules, in the specification's order:
 *
 * - §5.1 `nowMs` is fixed by the caller for the whole call; a timestamp that was issued later, once verified, raises it.
 * - §5.3 The root goes from N to N+1, each signed by the thresholds of both. A new root is a verdict of its own ("updated", changed: root), so
 *   that it is persisted before anything is judged by it (§5.3.8), and whatever else is wrong: a revoked key stays revoked. Ask again after it.
 * - §5.4 timestamp, §5.5 snapshot, §5.6 targets. They become trusted together, when the last one is verified: a set is trusted whole or not at all.
 *
 * Topics have no order among them: a device sees the new targets before the timestamp that names them, and after a reconnect all of
 * them in any order. So what does not fit yet is no attack yet: "incomplete", with what is awaited and the error to report if it
 * stays so. What can't be on its way by right (a false signature, an older version, an expired file, no JSON) is thrown at once.
 * Example, trusted at version 5, the publisher writes targets, snapshot and timestamp 6:
 *
 *     received targets 6                    → incomplete, waiting for snapshot, "trust/mix-and-match-attack" if it stays so
 *     received targets 6 and timestamp 6    → incomplete, waiting for snapshot
 *     received all three                    → updated, changed: timestamp, snapshot, targets
 *     the same again                        → current
 */

import type { OtaError } from "./errors.ts";
import type {
  MetadataByRole,
  MetadataFile,
  ParsedFile,
  RoleName,
  Root,
  Snapshot,
  Targets,
  Timestamp,
} from "./metadata.ts";
import {
  checkNotExpired,
  checkSignatures,
  checkSnapshotRollback,
  checkTimestampRollback,
  claimedComponents,
  compareWithNamed,
  refuseFile,
  type Subject,
} from "./metadata-checks.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { nextRoot, withRoot } from "./root-chain.ts";
import type { SignatureVerifier } from "./signature.ts";
import type { ReceivedMetadata, TrustedRepository } from "./trust-state.ts";

export type Verdict =
  /** All that arrived is what is trusted. */
  | { readonly kind: "current" }
  | Incomplete
  /** `trusted` takes the place of what was trusted: persist the changed roles in this order, then ask again. */
  | {
      readonly kind: "updated";
      readonly trusted: TrustedRepository;
      readonly changedRoles: readonly RoleName[];
    };

/** A part has not arrived, or is not what the part above it names. What was trusted stays. */
interface Incomplete {
  readonly kind: "incomplete";
  readonly waitingFor: RoleName;
  /** What to report if it stays so. */
  readonly error: OtaError;
}

interface Update {
  readonly trusted: TrustedRepository;
  readonly received: ReceivedMetadata;
  readonly nowMs: number;
  readonly verifier: SignatureVerifier;
  readonly foreignRoot: Root | undefined;
}

type Outcome<Metadata> = { readonly kind: "taken"; readonly file: ParsedFile<Metadata> } | Incomplete;

/**
 * Judges what arrived on a repository's topics by what is trusted. Pure.
 *
 * `nowMs` is the time in milliseconds since 1970. With `foreignRoot`, the other repository's root, that one's metadata on these
 * topics is named "trust/wrong-repository". Throws `OtaError` "trust/…"; then nothing changes.
 */
export function verifyRepository(
  trusted: TrustedRepository,
  received: ReceivedMetadata,
  nowMs: number,
  verifier: SignatureVerifier,
  foreignRoot?: Root,
): Verdict {
  const root = nextRoot(trusted, received, verifier, foreignRoot);
  if (root !== undefined) {
    return { kind: "updated", trusted: withRoot(trusted, root, verifier), changedRoles: ["root"] };
  }
  const start: Update = { trusted, received, nowMs, verifier, foreignRoot };
  checkNotExpired(subjectOf(start, "root", trusted.root), trusted.root.metadata, nowMs);

  const timestamp = updateTimestamp(start);
  if (timestamp.kind === "incomplete") return timestamp;
  const update = { ...start, nowMs: noEarlierThanIssued(timestamp.file, nowMs) };
  const snapshot = updateSnapshot(update, timestamp.file.metadata);
  if (snapshot.kind === "incomplete") return snapshot;
  const targets = updateTargets(update, snapshot.file.metadata);
  if (targets.kind === "incomplete") return targets;

  const next = { ...trusted, timestamp: timestamp.file, snapshot: snapshot.file, targets: targets.file };
  // Top last, as they are written: a cut between two of them leaves an older timestamp, which the next update corrects.
  const changedRoles = (["targets", "snapshot", "timestamp"] as const).filter(
    (role) => next[role] !== trusted[role],
  );
  if (changedRoles.length > 0) return { kind: "updated", trusted: next, changedRoles };
  return judgeStrays(update, timestamp.file.metadata, snapshot.file.metadata) ?? { kind: "current" };
}

/** §5.4. */
function updateTimestamp(update: Update): Outcome<Timestamp> {
  const outcome = takeTimestamp(update, update.trusted.timestamp, update.received.timestamp);
  if (outcome.kind === "taken") {
    const nowMs = noEarlierThanIssued(outcome.file, update.nowMs);
    checkFreeze({ ...update, nowMs }, "timestamp", outcome.file);
  }
  return outcome;
}

/** It is not earlier than the timestamp that has just been verified says. */
function noEarlierThanIssued({ metadata }: ParsedFile<Timestamp>, nowMs: number): number {
  return Math.max(nowMs, metadata.issuedMs ?? nowMs);
}

function takeTimestamp(
  update: Update,
  trusted: ParsedFile<Timestamp> | undefined,
  bytes: Uint8Array | undefined,
): Outcome<Timestamp> {
  if (bytes === undefined) return absent(update, "timestamp");
  if (trusted !== undefined && isSame(trusted.bytes, bytes)) return { kind: "taken", file: trusted };
  const file = parseMetadata(update.trusted.repository, "timestamp", bytes);
  const unsigned = checkSigned(update, "timestamp", file);
  if (unsigned !== undefined) return unsigned;
  if (trusted === undefined) return { kind: "taken", file };
  checkTimestampRollback(subjectOf(update, "timestamp", file), trusted.metadata, file.metadata);
  // §5.4.3.1: the same version again is no error, and is not taken.
  return { kind: "taken", file: file.metadata.version > trusted.metadata.version ? file : trusted };
}

/** §5.5. */
function updateSnapshot(update: Update, timestamp: Timestamp): Outcome<Snapshot> {
  const { snapshot } = update.trusted;
  const outcome = takeNamed(update, "snapshot", timestamp.snapshot, snapshot);
  if (outcome.kind === "incomplete") return outcome;
  const { file } = outcome;
  if (snapshot !== undefined) {
    checkSnapshotRollback(subjectOf(update, "snapshot", file), snapshot.metadata, file.metadata);
  }
  checkFreeze(update, "snapshot", file);
  return outcome;
}

/** §5.6, the top-level role. */
function updateTargets(update: Update, snapshot: Snapshot): Outcome<Targets> {
  const outcome = takeNamed(update, "targets", namedTargets(snapshot), update.trusted.targets);
  if (outcome.kind === "taken") {
    checkFreeze(update, "targets", outcome.file);
    checkDelegatesNothing(update, outcome.file);
  }
  return outcome;
}

/** Uptane 2.1, "How to check Targets metadata": a director decides for itself. */
function checkDelegatesNothing(update: Update, file: ParsedFile<Targets>): void {
  if (update.trusted.repository === "image" || (file.metadata.delegations?.roles ?? []).length === 0) return;
  const subject = subjectOf(update, "targets", file);
  throw refuseFile(subject, "trust/unsupported", "a director must not delegate; sign it without delegations");
}

type NamedRole = "snapshot" | "targets";

/** The file that the one above it names: the trusted one if it is that, otherwise what arrived. */
function takeNamed<Role extends NamedRole>(
  update: Update,
  role: Role,
  named: MetadataFile,
  trusted: ParsedFile<MetadataByRole[Role]> | undefined,
): Outcome<MetadataByRole[Role]> {
  if (trusted !== undefined && compareWithNamed(trusted, named) === "same") {
    return { kind: "taken", file: trusted };
  }
  return takeReceived(update, role, named);
}

function takeReceived<Role extends NamedRole>(
  update: Update,
  role: Role,
  named: MetadataFile,
): Outcome<MetadataByRole[Role]> {
  const bytes = update.received[role];
  if (bytes === undefined) return absent(update, role);
  const file = parseMetadata(update.trusted.repository, role, bytes);
  // Signatures go before the comparison, the other way round than §5.5.2: here a file that does not fit is most often one whose timestamp
  // is still on its way, and only the signature tells it from a forged one. It is taken only when both hold.
  return checkSigned(update, role, file) ?? checkNamed(update, role, file, named) ?? { kind: "taken", file };
}

/** Throws where a file is forged; waits for a newer root where its keys may explain the signatures. */
function checkSigned(
  update: Update,
  role: RoleName,
  file: ParsedFile<MetadataByRole[RoleName]>,
): Incomplete | undefined {
  const { trusted, verifier, foreignRoot } = update;
  const { metadata } = file;
  const claims = () =>
    metadata.type === "targets" ? claimedComponents(metadata, trusted.targets?.metadata) : [];
  const subject = subjectOf(update, role, file);
  const error = checkSignatures(subject, file, trusted.root.metadata, verifier, { foreignRoot, claims });
  return error && { kind: "incomplete", waitingFor: "root", error };
}

/** §5.5.2, §5.5.4, §5.6.2, §5.6.4: the file has to be the one that the file above it names. */
function checkNamed(
  update: Update,
  role: NamedRole,
  file: ParsedFile<MetadataByRole[NamedRole]>,
  named: MetadataFile,
): Incomplete | undefined {
  const subject = subjectOf(update, role, file);
  const above = role === "snapshot" ? "timestamp" : "snapshot";
  const comparison = compareWithNamed(file, named);
  switch (comparison) {
    case "same":
      return undefined;
    case "newer":
    case "older": {
      const isRollback = file.metadata.version < (update.trusted[role]?.metadata.version ?? 0);
      const error = refuseFile(
        subject,
        isRollback ? "trust/rollback-attack" : "trust/mix-and-match-attack",
        `the ${above} names version ${named.version}; what was trusted stays`,
      );
      return { kind: "incomplete", waitingFor: comparison === "older" ? role : above, error };
    }
    case "other-length": {
      const problem = `it has ${file.bytes.byteLength} bytes, the ${above} names ${named.length}`;
      throw refuseFile(subject, "trust/length-mismatch", problem);
    }
    case "other-hash":
      throw refuseFile(subject, "trust/hash-mismatch", `its digest is not the one that the ${above} names`);
  }
}

/**
 * What lies on the topics beside a trusted set that is complete without it: on its way, or an attack. Both are looked at, since a
 * forged one throws; of two that are on their way the upper one says more.
 */
function judgeStrays(update: Update, timestamp: Timestamp, snapshot: Snapshot): Incomplete | undefined {
  const targets = judgeStray(update, "targets", namedTargets(snapshot));
  return judgeStray(update, "snapshot", timestamp.snapshot) ?? targets;
}

function judgeStray(update: Update, role: NamedRole, named: MetadataFile): Incomplete | undefined {
  const bytes = update.received[role];
  const trusted = update.trusted[role];
  if (bytes === undefined || (trusted !== undefined && isSame(trusted.bytes, bytes))) return undefined;
  const outcome = takeReceived(update, role, named);
  return outcome.kind === "incomplete" ? outcome : undefined;
}

function namedTargets(snapshot: Snapshot): MetadataFile {
  const named = snapshot.files.get("targets.json");
  // The parser refuses a snapshot without it.
  if (named === undefined) throw new TypeError("a snapshot names targets.json");
  return named;
}

function checkFreeze(update: Update, role: RoleName, file: ParsedFile<MetadataByRole[RoleName]>): void {
  checkNotExpired(subjectOf(update, role, file), file.metadata, update.nowMs);
}

function absent(update: Update, role: RoleName): Incomplete {
  const subject = { repository: update.trusted.repository, role };
  const error = refuseFile(subject, "trust/incomplete", "it has not arrived; run skerry sync");
  return { kind: "incomplete", waitingFor: role, error };
}

function subjectOf<Role extends RoleName>(
  update: Update,
  role: Role,
  file: ParsedFile<{ readonly version: number }>,
): Subject & { readonly role: Role } {
  return { repository: update.trusted.repository, role, version: file.metadata.version };
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
