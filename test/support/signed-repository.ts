/** A TUF repository in memory, for tests: keys from fixed seeds, and each file signed as the test asks. */

import { createHash } from "node:crypto";

import type { JsonObject } from "../../ota/json.ts";
import type { RepositoryName, RoleName, TargetInfo } from "../../ota/metadata.ts";
import {
  type NamedFile,
  rootJson,
  signMetadata,
  snapshotJson,
  targetInfo,
  targetsJson,
  timestampJson,
} from "../../ota/sign-metadata.ts";
import { createSigner, type Signer } from "../../ota/signature.ts";

export const NOW_MS = Date.parse("2030-06-01T00:00:00Z");
export const NEXT_YEAR_MS = Date.parse("2031-06-01T00:00:00Z");

/** A signer whose key is fixed by its name. */
export async function testSigner(name: string): Promise<Signer> {
  return createSigner(createHash("sha256").update(name).digest());
}

export interface RoleSigners {
  readonly signers: readonly Signer[];
  readonly threshold: number;
}
export type RepositorySigners = Readonly<Record<RoleName, RoleSigners>>;

/** One key per role, named after repository and role. */
export async function repositorySigners(repository: RepositoryName): Promise<RepositorySigners> {
  const role = async (name: RoleName) => ({
    signers: [await testSigner(`${repository} ${name}`)],
    threshold: 1,
  });
  return {
    root: await role("root"),
    timestamp: await role("timestamp"),
    snapshot: await role("snapshot"),
    targets: await role("targets"),
  };
}

/** A root that lists the signers, signed by `signedBy` (the root's own signers unless given). */
export async function rootFile(
  roles: RepositorySigners,
  options: { version?: number; expiresMs?: number; signedBy?: readonly Signer[] } = {},
): Promise<Uint8Array> {
  const { version = 1, expiresMs = NEXT_YEAR_MS, signedBy = roles.root.signers } = options;
  const roleKeys = ({ signers, threshold }: RoleSigners) => ({
    keyIds: signers.map(({ key }) => key.keyId),
    threshold,
  });
  const signed = rootJson({
    version,
    expiresMs,
    keys: Object.values(roles).flatMap(({ signers }) => signers.map(({ key }) => key)),
    roles: {
      root: roleKeys(roles.root),
      timestamp: roleKeys(roles.timestamp),
      snapshot: roleKeys(roles.snapshot),
      targets: roleKeys(roles.targets),
    },
  });
  return signMetadata(signed, signedBy);
}

/** A file's text in the shape of its `signed` object, changed before it is signed. */
export type Change = (signed: JsonObject) => JsonObject;

export interface SetOptions {
  readonly version?: number;
  readonly targets?: readonly TargetInfo[];
  readonly expiresMs?: Partial<Record<RoleName, number>>;
  /** When the timestamp says that it was signed; not said unless given. */
  readonly issuedMs?: number;
  /** Files of delegated roles that the snapshot lists, by role. */
  readonly delegated?: ReadonlyMap<string, NamedFile>;
  readonly change?: Partial<Record<RoleName, Change>>;
  /** Signers of a role instead of its own. */
  readonly signedBy?: Partial<Record<RoleName, readonly Signer[]>>;
}

/** Targets, and the snapshot and timestamp that name them, all of one version. */
export interface MetadataSet {
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly targets: Uint8Array;
}

export async function metadataSet(roles: RepositorySigners, options: SetOptions = {}): Promise<MetadataSet> {
  const { version = 1 } = options;
  const sign = (role: RoleName, signed: JsonObject) =>
    signMetadata(options.change?.[role]?.(signed) ?? signed, options.signedBy?.[role] ?? roles[role].signers);
  const fields = (role: RoleName) => ({ version, expiresMs: options.expiresMs?.[role] ?? NEXT_YEAR_MS });
  const targets = await sign(
    "targets",
    targetsJson({ ...fields("targets"), targets: options.targets ?? [] }),
  );
  const snapshot = await sign(
    "snapshot",
    snapshotJson({
      ...fields("snapshot"),
      targets: { version, bytes: targets },
      ...(options.delegated === undefined ? {} : { delegated: options.delegated }),
    }),
  );
  const timestamp = await sign(
    "timestamp",
    timestampJson({
      ...fields("timestamp"),
      ...(options.issuedMs === undefined ? {} : { issuedMs: options.issuedMs }),
      snapshot: { version, bytes: snapshot },
    }),
  );
  return { targets, snapshot, timestamp };
}

/** A target whose content is its own path. */
export function testTarget(path: string, custom?: JsonObject): TargetInfo {
  const sha256 = createHash("sha256").update(path).digest("hex");
  return targetInfo(path, { length: path.length, sha256 }, custom);
}
