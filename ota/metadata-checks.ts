/**
 * The single checks of TUF 1.0.31 §5, each named after the attack that it stops: signatures (§5.3.4, §5.4.2, §5.5.3, §5.6.3),
 * rollback (§5.4.3, §5.5.5), freeze (§5.3.10, §5.4.4, §5.5.6, §5.6.5), and the file against what the file above names (§5.5.2, §5.5.4, §5.6.2, §5.6.4).
 */

import { createHash } from "node:crypto";

import { OtaError, type TrustErrorCode } from "./errors.ts";
import { canonicalJson } from "./json.ts";
import { MAX_CLAIMS } from "./limits.ts";
import type {
  MetadataFile,
  ParsedFile,
  RepositoryName,
  RoleName,
  Root,
  Snapshot,
  Targets,
  Timestamp,
} from "./metadata.ts";
import { parseTargetPath } from "./names.ts";
import type { SignatureVerifier } from "./signature.ts";
import { tallySignatures } from "./verify-signatures.ts";

/** Which file is being checked. */
export interface Subject {
  readonly repository: RepositoryName;
  /** One of the root's, or a delegated one. */
  readonly role: string;
  /** Undefined where the file is absent. */
  readonly version?: number;
}

/** The error of a refused file; the message starts with which file it is. */
export function refuseFile(
  subject: Subject,
  code: TrustErrorCode,
  problem: string,
  details: Readonly<Record<string, readonly string[]>> = {},
): OtaError {
  const version = subject.version === undefined ? "" : ` ${subject.version}`;
  return new OtaError(code, `${subject.repository} ${subject.role}${version}: ${problem}`, {
    details: { ...subject, ...details },
  });
}

/**
 * Checks a file's signatures against a root. Gives an error when keys that the root does not list might account for the lack, once a
 * newer root is here; throws "trust/signature-invalid" or "trust/wrong-repository" where nothing could.
 */
export function checkSignatures(
  subject: Subject & { readonly role: RoleName },
  file: ParsedFile<unknown>,
  root: Root,
  verifier: SignatureVerifier,
  options: { readonly foreignRoot?: Root | undefined; readonly claims?: () => readonly string[] } = {},
): OtaError | undefined {
  const tally = tallySignatures(file, root.keys, root.roles[subject.role], verifier);
  if (tally.kind === "met") return undefined;
  const claims = options.claims?.() ?? [];
  const details = claims.length === 0 ? {} : { claims };
  if (isSignedByForeignRoot(subject.role, file, root, options.foreignRoot)) {
    throw refuseFile(
      subject,
      "trust/wrong-repository",
      "it is signed with the other repository's keys",
      details,
    );
  }
  const claimed = claims.length === 0 ? "" : ` (it claims ${claims.join(", ")})`;
  const error = refuseFile(
    subject,
    "trust/signature-invalid",
    `${tally.validCount} valid signatures, ${tally.threshold} needed; what was trusted stays${claimed}`,
    details,
  );
  if (tally.kind === "forged") throw error;
  return error;
}

function isSignedByForeignRoot(
  role: RoleName,
  file: ParsedFile<unknown>,
  root: Root,
  foreignRoot: Root | undefined,
): boolean {
  return file.signatures.some(
    ({ keyId }) => !root.keys.has(keyId) && foreignRoot?.roles[role].keyIds.includes(keyId) === true,
  );
}

/** The expiry has to lie after the fixed time, otherwise "trust/freeze-attack". */
export function checkNotExpired(
  subject: Subject,
  metadata: { readonly expires: string; readonly expiresMs: number },
  nowMs: number,
): void {
  if (metadata.expiresMs > nowMs) return;
  throw refuseFile(
    subject,
    "trust/freeze-attack",
    `expired at ${metadata.expires}: newer metadata may be held back, or nobody signed any; run skerry refresh, and check this device's clock`,
  );
}

/** §5.4.3: neither the timestamp nor the snapshot that it names may be older than the trusted ones. */
export function checkTimestampRollback(subject: Subject, trusted: Timestamp, received: Timestamp): void {
  if (received.version < trusted.version) {
    throw refuseFile(subject, "trust/rollback-attack", `version ${trusted.version} is trusted already`);
  }
  if (received.snapshot.version < trusted.snapshot.version) {
    throw refuseFile(
      subject,
      "trust/rollback-attack",
      `it names snapshot ${received.snapshot.version}, the trusted timestamp ${trusted.snapshot.version}`,
    );
  }
}

/** §5.5.5: no targets file may be older than in the trusted snapshot, or have gone. */
export function checkSnapshotRollback(subject: Subject, trusted: Snapshot, received: Snapshot): void {
  for (const [name, { version }] of trusted.files) {
    const next = received.files.get(name);
    if (next === undefined || next.version < version) {
      const problem = next === undefined ? `no longer names ${name}` : `names ${name} ${next.version}`;
      throw refuseFile(
        subject,
        "trust/rollback-attack",
        `it ${problem}, the trusted snapshot names ${version}`,
      );
    }
  }
}

/** How a file relates to what the signed file above it says. */
export type Comparison = "same" | "older" | "newer" | "other-length" | "other-hash";

/** Compares a file with what is said about it: first the version, then length and hashes where they are stated. */
export function compareWithNamed(
  file: ParsedFile<{ readonly version: number }>,
  named: MetadataFile,
): Comparison {
  if (file.metadata.version < named.version) return "older";
  if (file.metadata.version > named.version) return "newer";
  if (named.length !== undefined && named.length !== file.bytes.byteLength) return "other-length";
  for (const [algorithm, digest] of named.hashes) {
    if (!KNOWN_ALGORITHMS.has(algorithm)) continue;
    if (createHash(algorithm).update(file.bytes).digest("hex") !== digest) return "other-hash";
  }
  return "same";
}

const KNOWN_ALGORITHMS: ReadonlySet<string> = new Set(["sha256", "sha512"]);

/**
 * The components by which a targets file differs from the trusted one, for the report of a forged file. Only well-formed paths, and
 * few: the file's author is an attacker.
 */
export function claimedComponents(forged: Targets, trusted: Targets | undefined): readonly string[] {
  const claims: string[] = [];
  for (const target of forged.targets.values()) {
    if (parseTargetPath(target.path)?.file !== "component.wasm") continue;
    const known = trusted?.targets.get(target.path);
    const isKnown =
      known !== undefined && Buffer.compare(canonicalJson(known.json), canonicalJson(target.json)) === 0;
    if (!isKnown) claims.push(target.path);
    if (claims.length === MAX_CLAIMS) break;
  }
  return claims;
}
