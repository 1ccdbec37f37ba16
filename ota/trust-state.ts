/**
 * What is trusted of a repository, and what arrived on its topics: the two inputs of `verifyRepository` (TUF 1.0.31 §5.2, and the
 * bounds of §5.3.3 and §5.4.1 on what is kept of a message).
 */

import {
  MAX_DELEGATED_BYTES,
  MAX_DELEGATED_FILES,
  MAX_METADATA_BYTES,
  MAX_PENDING_ROOT_BYTES,
  MAX_PENDING_ROOTS,
} from "./limits.ts";
import type { ParsedFile, RepositoryName, Root, Snapshot, Targets, Timestamp } from "./metadata.ts";
import { isDelegatedRole } from "./names.ts";

/** What a device trusts of one repository. */
export interface TrustedRepository {
  readonly repository: RepositoryName;
  readonly root: ParsedFile<Root>;
  readonly timestamp: ParsedFile<Timestamp> | undefined;
  readonly snapshot: ParsedFile<Snapshot> | undefined;
  readonly targets: ParsedFile<Targets> | undefined;
}

/** The newest bytes that arrived on each topic of a repository, whatever they are. */
export interface ReceivedMetadata {
  /** Roots by the version in their topic's name. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
  readonly timestamp: Uint8Array | undefined;
  readonly snapshot: Uint8Array | undefined;
  readonly targets: Uint8Array | undefined;
  /** Delegated targets by role. */
  readonly delegated: ReadonlyMap<string, Uint8Array>;
  /** Of the roles whose bytes came from a versioned topic (consistent snapshots): its version. */
  readonly versions: ReadonlyMap<string, number>;
}

export const NOTHING_RECEIVED: ReceivedMetadata = {
  roots: new Map(),
  timestamp: undefined,
  snapshot: undefined,
  targets: undefined,
  delegated: new Map(),
  versions: new Map(),
};

/** The name of a metadata topic below `image/` or `director/`. */
export interface MetadataTopic {
  /** `root`, `timestamp`, `snapshot`, `targets` or a delegated role. */
  readonly role: string;
  /** Of every root, of no timestamp, and of the others where the repository keeps consistent snapshots (TUF 1.0.31 §6.2). */
  readonly version?: number | undefined;
}

const METADATA_TOPIC = /^(?:([1-9][0-9]{0,8})\.)?([a-z0-9][a-z0-9_-]{0,63})$/;

/** Reads the last segment of a metadata topic (`7.root`, `timestamp`, `acme` …); undefined when it is none. */
export function parseMetadataTopic(name: string): MetadataTopic | undefined {
  const [, digits, role] = METADATA_TOPIC.exec(name) ?? [];
  const version = digits === undefined ? undefined : Number(digits);
  if (role === undefined) return undefined;
  const isPossible =
    role === "root" || role === "timestamp"
      ? (role === "root") === (version !== undefined)
      : role === "snapshot" || role === "targets" || isDelegatedRole(role);
  return isPossible ? { role, version } : undefined;
}

/** What of a repository's metadata is of use to the device. */
export interface Interest {
  readonly root: Pick<Root, "version" | "consistentSnapshot">;
  /** The delegated roles that its modules lead to; undefined while that is not known. */
  readonly delegatedRoles: ReadonlySet<string> | undefined;
}

/**
 * Adds what arrived on a topic to what is known; gives `received` itself where that is nothing new. An empty payload is how MQTT tells that
 * a retained message was cleared (MQTT 5.0 §3.3.1.3): nothing lies on that topic any more. Of a payload over the bound only so much is kept
 * that the bound is seen to be broken. Roots up to the trusted version are not kept, and of later ones the nearest, a bounded number and
 * up to 512 KiB together: the next one is what counts. Delegated files are kept up to 1 MiB together, and only those of interest
 * once that is known; those that came before give way then.
 */
export function receiveMetadata(
  received: ReceivedMetadata,
  topic: MetadataTopic,
  payload: Uint8Array,
  interest: Interest,
): ReceivedMetadata {
  const bytes = payload.byteLength > MAX_METADATA_BYTES ? payload.slice(0, MAX_METADATA_BYTES + 1) : payload;
  const content = bytes.byteLength === 0 ? undefined : bytes;
  const { role, version } = topic;
  if (role === "root" && version !== undefined) {
    return receiveRoot(received, version, content, interest.root.version);
  }
  const held = received.versions.get(role);
  if (version === undefined ? held !== undefined : !interest.root.consistentSnapshot || version < (held ?? 0))
    return received;
  // A topic that never counted was cleared.
  if (version !== undefined && content === undefined && version !== held) return received;
  const next = withFile(received, role, content, interest);
  if (next === received || version === undefined) return next;
  const versions = new Map(received.versions);
  if (content === undefined) versions.delete(role);
  else versions.set(role, version);
  return { ...next, versions };
}

/** Drops the delegated files that are of no interest. */
export function retainDelegated(received: ReceivedMetadata, roles: ReadonlySet<string>): ReceivedMetadata {
  const delegated = filesOf(received.delegated, roles);
  return delegated.size === received.delegated.size ? received : { ...received, delegated };
}

function filesOf(
  files: ReadonlyMap<string, Uint8Array>,
  roles: ReadonlySet<string> | undefined,
): Map<string, Uint8Array> {
  return new Map([...files].filter(([role]) => roles?.has(role) ?? true));
}

function hasRoom(files: ReadonlyMap<string, Uint8Array>, content: Uint8Array): boolean {
  const keptBytes = files.values().reduce((sum, file) => sum + file.byteLength, 0);
  return files.size < MAX_DELEGATED_FILES && keptBytes + content.byteLength <= MAX_DELEGATED_BYTES;
}

function isSame(known: Uint8Array | undefined, content: Uint8Array | undefined): boolean {
  if (known === undefined || content === undefined) return known === content;
  return Buffer.compare(known, content) === 0;
}

function withFile(
  received: ReceivedMetadata,
  role: string,
  content: Uint8Array | undefined,
  interest: Interest,
): ReceivedMetadata {
  if (role === "timestamp" || role === "snapshot" || role === "targets") {
    return isSame(received[role], content) ? received : { ...received, [role]: content };
  }
  const isOfInterest = interest.delegatedRoles?.has(role) ?? true;
  if (!isOfInterest || isSame(received.delegated.get(role), content)) return received;
  let delegated = new Map(received.delegated);
  delegated.delete(role);
  if (content !== undefined) {
    // What came before it was known what is of interest may have taken all the room.
    if (!hasRoom(delegated, content)) delegated = filesOf(delegated, interest.delegatedRoles);
    // The first ones stay: what is of interest is asked for once more when it is known.
    if (!hasRoom(delegated, content)) return received;
    delegated.set(role, content);
  }
  return { ...received, delegated };
}

function receiveRoot(
  received: ReceivedMetadata,
  version: number,
  content: Uint8Array | undefined,
  trustedRootVersion: number,
): ReceivedMetadata {
  if (isSame(received.roots.get(version), content)) return received;
  const others = [...received.roots].filter(([each]) => each !== version);
  const roots = nearestRoots(
    content === undefined ? others : [...others, [version, content] as const],
    trustedRootVersion,
  );
  const isUnchanged =
    roots.size === received.roots.size &&
    [...roots].every(([each, root]) => received.roots.get(each) === root);
  return isUnchanged ? received : { ...received, roots };
}

function nearestRoots(
  roots: readonly (readonly [number, Uint8Array])[],
  trustedRootVersion: number,
): ReadonlyMap<number, Uint8Array> {
  const later = roots
    .filter(([version]) => version > trustedRootVersion)
    .toSorted(([left], [right]) => left - right)
    .slice(0, MAX_PENDING_ROOTS);
  const kept = new Map<number, Uint8Array>();
  let totalBytes = 0;
  for (const [version, bytes] of later) {
    totalBytes += bytes.byteLength;
    if (totalBytes <= MAX_PENDING_ROOT_BYTES) kept.set(version, bytes);
  }
  return kept;
}
