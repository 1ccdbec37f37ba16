/**
 * Finding a target through the targets roles: TUF 1.0.31 §5.6.7, Uptane 2.1 "How to resolve delegations".
 *
 * - A pre-order depth-first search, delegations in their order; the first role that lists the path decides.
 * - A delegation is followed only for paths (and hardware) that it is for, so each role of a chain is trusted with the path.
 * - A role is visited once per search, and at most MAX_VISITED_ROLES of them.
 * - What a terminating delegation covers is decided below it: nothing after it is looked at, in any role.
 * - A role on the way whose file is missing or does not verify ends the search: what comes after it has no say about the path.
 *
 * A delegated file has to be signed by the delegating role's keys, be the one that the trusted snapshot lists, and not have expired. None is stored:
 * the snapshot, which is, holds the versions that count (§5.5.5).
 *
 * Subset: multi-role delegations (TAP 3) are not read.
 */

import { OtaError } from "./errors.ts";
import type { PublicKey } from "./keys.ts";
import { MAX_DELEGATED_BYTES, MAX_DELEGATED_FILES, MAX_VISITED_ROLES } from "./limits.ts";
import type { Delegation, ParsedFile, Snapshot, TargetInfo, Targets } from "./metadata.ts";
import { checkNotExpired, compareWithNamed, refuseFile } from "./metadata-checks.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { includesPath } from "./path-pattern.ts";
import type { SignatureVerifier } from "./signature.ts";
import { formatSize } from "./units.ts";
import { tallySignatures } from "./verify-signatures.ts";

/** What the targets roles say about a path. */
export type Resolution =
  | { readonly kind: "found"; readonly target: TargetInfo }
  /** No role that may speak for the path lists it. */
  | { readonly kind: "absent" }
  /** A role on the way has not arrived or does not verify; the error names it. */
  | { readonly kind: "unresolved"; readonly error: OtaError };

/** Where targets are looked up. */
export interface TargetFinder {
  find(path: string): Resolution;
}

/** A delegated file that was verified, and by which delegation: the same bytes under the same keys are not verified twice. */
interface Verified {
  readonly file: ParsedFile<Targets>;
  readonly delegation: Delegation;
}

/** What a search needs. */
export interface TargetSearchOptions {
  readonly targets: Targets;
  readonly snapshot: Snapshot;
  /** The bytes that arrived for delegated roles, by role. */
  readonly delegated: ReadonlyMap<string, Uint8Array>;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly verifier: SignatureVerifier;
  /** The device's kind of hardware. */
  readonly hardware: string | undefined;
  /** What earlier searches verified; this one adds to it. */
  readonly verified: VerifiedDelegations;
  /** The roles that the searches for the same device led to the last time: which of them is missing is chance, if they are more than it keeps. */
  readonly neededBefore?: ReadonlySet<string> | undefined;
}

/** Files of delegated roles that were verified, by role. */
export class VerifiedDelegations {
  readonly #byRole = new Map<string, Verified>();

  get(role: string, delegation: Delegation, bytes: Uint8Array): ParsedFile<Targets> | undefined {
    const known = this.#byRole.get(role);
    // The delegation is part of its delegating file: that file's next version is another object, with perhaps other keys.
    return known?.delegation === delegation && Buffer.compare(known.file.bytes, bytes) === 0
      ? known.file
      : undefined;
  }

  add(role: string, delegation: Delegation, file: ParsedFile<Targets>): void {
    this.#byRole.set(role, { file, delegation });
  }

  /** Forgets what belongs to none of these roles. */
  retain(roles: ReadonlySet<string>): void {
    for (const role of this.#byRole.keys()) if (!roles.has(role)) this.#byRole.delete(role);
  }
}

/** Looks targets up in a repository's verified targets and in what they delegate to. */
export class TargetSearch implements TargetFinder {
  readonly #options: TargetSearchOptions;
  readonly #neededRoles = new Set<string>();

  constructor(options: TargetSearchOptions) {
    this.#options = options;
  }

  /** The delegated roles that the searches so far led to, whether their files are here or not. */
  get neededRoles(): ReadonlySet<string> {
    return this.#neededRoles;
  }

  find(path: string): Resolution {
    const outcome = this.#search(this.#options.targets, path, new Set(["targets"]));
    return outcome.kind === "ended" ? { kind: "absent" } : outcome;
  }

  #search(role: Targets, path: string, visited: Set<string>): Resolution | { readonly kind: "ended" } {
    const target = role.targets.get(path);
    if (target !== undefined) return { kind: "found", target };
    const { keys, roles } = role.delegations ?? { keys: new Map(), roles: [] };
    for (const delegation of roles) {
      if (visited.has(delegation.name) || !this.#applies(delegation, path)) continue;
      if (visited.size >= MAX_VISITED_ROLES) return { kind: "ended" };
      visited.add(delegation.name);
      const file = this.#load(delegation, keys);
      if (file instanceof OtaError) return { kind: "unresolved", error: file };
      const outcome = this.#search(file.metadata, path, visited);
      if (outcome.kind !== "absent") return outcome;
      if (delegation.terminating) return { kind: "ended" };
    }
    return { kind: "absent" };
  }

  #applies(delegation: Delegation, path: string): boolean {
    const { hardware } = this.#options;
    const isForHardware =
      delegation.hardware === undefined || (hardware !== undefined && delegation.hardware.includes(hardware));
    return isForHardware && includesPath(delegation, path);
  }

  /** The delegated file, or why there is none to go by. */
  #load(delegation: Delegation, keys: ReadonlyMap<string, PublicKey>): ParsedFile<Targets> | OtaError {
    const { name } = delegation;
    this.#neededRoles.add(name);
    const bytes = this.#options.delegated.get(name);
    const subject = { repository: "image", role: name } as const;
    if (bytes === undefined) return this.#missing(name);
    try {
      const known = this.#options.verified.get(name, delegation, bytes);
      const file = known ?? this.#verify(delegation, keys, bytes);
      this.#checkListed(name, file);
      checkNotExpired({ ...subject, version: file.metadata.version }, file.metadata, this.#options.nowMs);
      return file;
    } catch (error) {
      // One role's bad file must not keep modules from their updates that it has no say about.
      if (error instanceof OtaError) return error;
      throw error;
    }
  }

  /** Why a role's file is not here: it did not come, or there is no room for as many as this device's modules lead to. */
  #missing(role: string): OtaError {
    const subject = { repository: "image", role } as const;
    const needed = this.#neededRoles.union(this.#options.neededBefore ?? new Set<string>());
    const { files } = this.#options.snapshot;
    const neededBytes = [...needed].reduce((sum, name) => sum + (files.get(`${name}.json`)?.length ?? 0), 0);
    if (needed.size <= MAX_DELEGATED_FILES && neededBytes <= MAX_DELEGATED_BYTES) {
      const problem = "it is delegated to, and has not arrived; run skerry sync";
      return refuseFile(subject, "trust/incomplete", problem);
    }
    return refuseFile(
      subject,
      "trust/too-many-roles",
      `this device's modules lead to ${needed.size} delegated roles with ${formatSize(neededBytes)} of metadata, and a device keeps ` +
        `${MAX_DELEGATED_FILES} with ${formatSize(MAX_DELEGATED_BYTES)}; assign it fewer modules, or list their releases in fewer roles`,
    );
  }

  #verify(
    delegation: Delegation,
    keys: ReadonlyMap<string, PublicKey>,
    bytes: Uint8Array,
  ): ParsedFile<Targets> {
    const { name } = delegation;
    const file = parseMetadata("image", "targets", bytes, name);
    const tally = tallySignatures(file, keys, delegation, this.#options.verifier);
    if (tally.kind !== "met") {
      throw refuseFile(
        { repository: "image", role: name, version: file.metadata.version },
        "trust/signature-invalid",
        `${tally.validCount} valid signatures by the keys that it is delegated to, ${tally.threshold} needed`,
      );
    }
    this.#options.verified.add(name, delegation, file);
    return file;
  }

  #checkListed(role: string, file: ParsedFile<Targets>): void {
    const subject = { repository: "image", role, version: file.metadata.version } as const;
    const named = this.#options.snapshot.files.get(`${role}.json`);
    if (named === undefined) {
      throw refuseFile(subject, "trust/mix-and-match-attack", "the snapshot does not list it");
    }
    switch (compareWithNamed(file, named)) {
      case "same":
        return;
      case "older":
      case "newer":
        throw refuseFile(
          subject,
          "trust/mix-and-match-attack",
          `the snapshot names version ${named.version}`,
        );
      case "other-length":
        throw refuseFile(
          subject,
          "trust/length-mismatch",
          `it has ${file.bytes.byteLength} bytes, the snapshot names ${named.length}`,
        );
      case "other-hash":
        throw refuseFile(subject, "trust/hash-mismatch", "its digest is not the one that the snapshot names");
    }
  }
}
