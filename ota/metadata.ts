/**
 * The four roles' metadata as types: TUF 1.0.31 §4.3 (root), §4.4 (snapshot), §4.5 (targets), §4.6 (timestamp).
 *
 * Subset: spec_version 1.0.x; no mirrors. With `consistent_snapshot` the files may stand on versioned topics as well (`trust-state.ts`).
 * Delegations are followed in `resolve-target.ts`. Parsing is in `parse-metadata.ts`, writing in `sign-metadata.ts`.
 */

import type { JsonObject } from "./json.ts";
import type { PublicKey } from "./keys.ts";

/** The two repositories of Uptane 2.1, "Uptane repositories": what exists, and what should run where. */
export type RepositoryName = "image" | "director";

export const ROLE_NAMES = ["root", "timestamp", "snapshot", "targets"] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

/** Which keys may sign for a role, and how many of them have to. */
export interface RoleKeys {
  readonly keyIds: readonly string[];
  /** Signatures of distinct keys that are needed, at least 1. */
  readonly threshold: number;
}

/** What every role's metadata has. */
export interface CommonMetadata {
  readonly specVersion: string;
  readonly version: number;
  /** As it stands in the file: `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly expires: string;
  /** The same in milliseconds since 1970. */
  readonly expiresMs: number;
}

export interface Root extends CommonMetadata {
  readonly type: "root";
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, PublicKey>;
  readonly roles: Readonly<Record<RoleName, RoleKeys>>;
}

/** What one metadata file says about another: METAFILES of §4.4. */
export interface MetadataFile {
  readonly version: number;
  /** In bytes; undefined when the file does not state it. */
  readonly length: number | undefined;
  /** Digests in hexadecimal by algorithm; empty when the file states none. */
  readonly hashes: ReadonlyMap<string, string>;
}

export interface Timestamp extends CommonMetadata {
  readonly type: "timestamp";
  readonly snapshot: MetadataFile;
  /**
   * When it was signed, in milliseconds since 1970: the time that a device without a trustworthy clock goes by. From `skerry.issued`,
   * which TUF does not have; undefined where a repository does not state it.
   */
  readonly issuedMs: number | undefined;
}

export interface Snapshot extends CommonMetadata {
  readonly type: "snapshot";
  /** By file name: `targets.json` and delegated ones. */
  readonly files: ReadonlyMap<string, MetadataFile>;
}

/** One target file. */
export interface TargetInfo {
  readonly path: string;
  /** In bytes. */
  readonly length: number;
  /** SHA-256 in lower-case hexadecimal; `hashes` holds it as well. */
  readonly sha256: string;
  readonly hashes: ReadonlyMap<string, string>;
  readonly custom: JsonObject | undefined;
  /** The entry as it stands in the metadata: members unknown to this client are kept when it is written again. */
  readonly json: JsonObject;
}

/** A delegation to another targets role, §4.5. */
export interface Delegation extends RoleKeys {
  /** Fit for a topic (`isDelegatedRole`). */
  readonly name: string;
  readonly terminating: boolean;
  /** The hardware that it holds for (Uptane 2.1, "Metadata about delegations"); undefined for any. From `skerry.hardware`. */
  readonly hardware: readonly string[] | undefined;
  readonly matches:
    | { readonly kind: "paths"; readonly patterns: readonly string[] }
    | { readonly kind: "hash-prefixes"; readonly prefixes: readonly string[] };
}

export interface Delegations {
  readonly keys: ReadonlyMap<string, PublicKey>;
  /** In order of priority. */
  readonly roles: readonly Delegation[];
}

export interface Targets extends CommonMetadata {
  readonly type: "targets";
  readonly targets: ReadonlyMap<string, TargetInfo>;
  readonly delegations: Delegations | undefined;
}

/** The metadata of each role by the role's name. */
export interface MetadataByRole {
  readonly root: Root;
  readonly timestamp: Timestamp;
  readonly snapshot: Snapshot;
  readonly targets: Targets;
}

export interface MetadataSignature {
  readonly keyId: string;
  /** As it stands in the file: whether it is hexadecimal of the right length is seen when it is verified. */
  readonly signature: string;
}

/** A parsed metadata file: what it says and what is needed to verify it. Parsing verifies nothing. */
export interface ParsedFile<Metadata> {
  readonly metadata: Metadata;
  readonly signatures: readonly MetadataSignature[];
  /** The file, byte for byte. */
  readonly bytes: Uint8Array;
  /** The object that is signed, members unknown to this client included. */
  readonly signedJson: JsonObject;
}
