/**
 * What is trusted of a repository, and what arrived on its topics: the two inputs of `verifyRepository` (TUF 1.0.31 §5.2, and the
 * bounds of §5.3.3 and §5.4.1 on what is kept of a message).
 */

import { MAX_METADATA_BYTES, MAX_PENDING_ROOT_BYTES } from "./limits.ts";
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
 * Adds what arrived on a topic to what is known. Of a payload over the bound only so much is kept that the bound is seen to be broken. Roots up to
 * the trusted version are not kept, and of later ones the nearest, up to 512 KiB together: the next one is what counts.
 */
export function receiveMetadata(
  received: ReceivedMetadata,
  topic: MetadataTopic,
  payload: Uint8Array,
  trustedRootVersion: number,
): ReceivedMetadata {
  const bytes = payload.byteLength > MAX_METADATA_BYTES ? payload.slice(0, MAX_METADATA_BYTES + 1) : payload;
  if (topic.role !== "root") return { ...received, [topic.role]: bytes };
  const versions = [...received.roots, [topic.version, bytes] as const]
    .filter(([version]) => version > trustedRootVersion)
    .toSorted(([left], [right]) => left - right);
  const roots = new Map<number, Uint8Array>();
  let totalBytes = 0;
  for (const [version, root] of versions) {
    totalBytes += root.byteLength;
    if (totalBytes <= MAX_PENDING_ROOT_BYTES) roots.set(version, root);
  }
  return { ...received, roots };
}
