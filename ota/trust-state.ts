/**
 * What is trusted of a repository, and what arrived on its topics: the two inputs of `verifyRepository` (TUF 1.0.31 §5.2, and the
 * bounds of §5.3.3 and §5.4.1 on what is kept of a message).
 */

import { MAX_METADATA_BYTES, MAX_PENDING_ROOT_BYTES, MAX_PENDING_ROOTS } from "./limits.ts";
import type { ParsedFile, RepositoryName, Root, Snapshot, Targets, Timestamp } from "./metadata.ts";

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
}

export const NOTHING_RECEIVED: ReceivedMetadata = {
  roots: new Map(),
  timestamp: undefined,
  snapshot: undefined,
  targets: undefined,
};

/** The name of a metadata topic below `image/` or `director/`. */
export type MetadataTopic =
  | { readonly role: "root"; readonly version: number }
  | { readonly role: "timestamp" | "snapshot" | "targets" };

const ROOT_TOPIC = /^([1-9][0-9]{0,8})\.root$/;

/** Reads the last segment of a metadata topic (`7.root`, `timestamp` …); undefined when it is none. */
export function parseMetadataTopic(name: string): MetadataTopic | undefined {
  if (name === "timestamp" || name === "snapshot" || name === "targets") return { role: name };
  const version = ROOT_TOPIC.exec(name)?.[1];
  return version === undefined ? undefined : { role: "root", version: Number(version) };
}

/**
 * Adds what arrived on a topic to what is known; gives `received` itself where that is nothing new. An empty payload is how MQTT tells that
 * a retained message was cleared (MQTT 5.0 §3.3.1.3): nothing lies on that topic any more. Of a payload over the bound only so much is kept
 * that the bound is seen to be broken. Roots up to the trusted version are not kept, and of later ones the nearest, a bounded number and
 * up to 512 KiB together: the next one is what counts.
 */
export function receiveMetadata(
  received: ReceivedMetadata,
  topic: MetadataTopic,
  payload: Uint8Array,
  trustedRootVersion: number,
): ReceivedMetadata {
  const known = topic.role === "root" ? received.roots.get(topic.version) : received[topic.role];
  const bytes = payload.byteLength > MAX_METADATA_BYTES ? payload.slice(0, MAX_METADATA_BYTES + 1) : payload;
  const isCleared = bytes.byteLength === 0;
  if (known === undefined ? isCleared : Buffer.compare(known, bytes) === 0) return received;
  if (topic.role !== "root") return { ...received, [topic.role]: isCleared ? undefined : bytes };
  const others = [...received.roots].filter(([version]) => version !== topic.version);
  const roots = nearestRoots(
    isCleared ? others : [...others, [topic.version, bytes] as const],
    trustedRootVersion,
  );
  const isUnchanged =
    roots.size === received.roots.size &&
    [...roots].every(([version, root]) => received.roots.get(version) === root);
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
