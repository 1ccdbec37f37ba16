/**
 * Makes the broker hold what the repository folder says.
 *
 * The order keeps devices safe from metadata whose parts are not there yet: roots, then blobs, then targets,
 * snapshot and timestamp of the image repository, then the director's. Each step compares first, publishes
 * what is missing or different, and reads back; what is still wrong is published again, up to
 * MAX_REPAIR_ROUNDS. Memory: one window of chunks, whatever the release's size.
 */

import { createHash } from "node:crypto";
import type { BrokerConnection } from "./broker.ts";
import { FleetError } from "./errors.ts";
import { BLOB_WINDOW, MAX_REPAIR_ROUNDS, PUBLISH_WINDOW } from "./limits.ts";
import { type RetainedRequest, readRetained } from "./retained.ts";

/** One retained message that the broker should hold. */
export interface SyncItem {
  readonly topic: string;
  readonly sha256: string;
  readonly length: number;
  /** Reads the bytes from the folder; they have that digest. */
  load(): Promise<Uint8Array>;
}

/** A metadata file; `version` is the one that it states. */
export interface SyncMetadata extends SyncItem {
  readonly version: number;
}

/** All that the broker should hold, each list in the order of publishing. */
export interface SyncPlan {
  /** A topic that is there as soon as the plan's roots are: what a reading waits for (retained.ts). */
  readonly marker: string;
  readonly roots: readonly SyncMetadata[];
  readonly blobs: readonly SyncItem[];
  readonly metadata: readonly SyncMetadata[];
}

export interface SyncReport {
  /** Topics of the metadata that was published. */
  readonly metadataPublished: readonly string[];
  readonly blobsTotal: number;
  readonly blobsPublished: number;
  readonly blobBytesPublished: number;
}

export interface SyncOptions {
  /** Overwrite newer metadata on the broker: for an operator who knows that it is forged or given up. */
  readonly force?: boolean;
  /** Called after each window of blobs. */
  readonly onProgress?: (progress: { readonly blobsDone: number; readonly blobsTotal: number }) => void;
}

/**
 * Compares, publishes and verifies; throws FleetError ("fleet/broker-…"). Running it again goes on where it
 * stopped.
 */
export async function syncBroker(
  connection: BrokerConnection,
  plan: SyncPlan,
  options: SyncOptions = {},
): Promise<SyncReport> {
  const metadata = [...plan.roots, ...plan.metadata];
  const held = await readHeldMetadata(connection, metadata, plan.marker);
  if (options.force !== true) refuseNewerOnBroker(metadata, held);

  const rootsPublished = await publishDifferent(connection, plan.roots, held);
  let blobsPublished = 0;
  let blobBytesPublished = 0;
  for (let start = 0; start < plan.blobs.length; start += BLOB_WINDOW) {
    const window = plan.blobs.slice(start, start + BLOB_WINDOW);
    const published = await syncItems(connection, window, plan.marker);
    blobsPublished += published.length;
    blobBytesPublished += published.reduce((sum, blob) => sum + blob.length, 0);
    options.onProgress?.({ blobsDone: start + window.length, blobsTotal: plan.blobs.length });
  }
  const metadataPublished = await publishDifferent(connection, plan.metadata, held);
  await syncItems(connection, metadata, plan.marker);
  return {
    metadataPublished: [...rootsPublished, ...metadataPublished],
    blobsTotal: plan.blobs.length,
    blobsPublished,
    blobBytesPublished,
  };
}

interface Held {
  readonly sha256: string;
  /** What the message says of itself: nothing is verified here. */
  readonly version: number | undefined;
}

async function readHeldMetadata(
  connection: BrokerConnection,
  metadata: readonly SyncMetadata[],
  marker: string,
): Promise<ReadonlyMap<string, Held>> {
  const held = new Map<string, Held>();
  await readRetained(connection, requestFor(metadata, marker), (topic, payload) => {
    held.set(topic, { sha256: sha256Hex(payload), version: statedVersion(payload) });
  });
  return held;
}

/**
 * Devices refuse older metadata than they have seen (rollback): publishing it would cut them off.
 * It happens to whoever works on an old copy of the folder.
 */
function refuseNewerOnBroker(metadata: readonly SyncMetadata[], held: ReadonlyMap<string, Held>): void {
  for (const item of metadata) {
    const version = held.get(item.topic)?.version;
    if (version === undefined || version <= item.version) continue;
    throw new FleetError(
      "fleet/broker-newer",
      `The broker holds version ${version} of ${item.topic}, this folder only ${item.version}: bring the folder up to date first. ` +
        "If what the broker holds is forged or given up, `skerry sync --force` replaces it (devices that took it will refuse the older version)",
    );
  }
}

async function publishDifferent(
  connection: BrokerConnection,
  items: readonly SyncMetadata[],
  held: ReadonlyMap<string, Held>,
): Promise<string[]> {
  const different = items.filter((item) => held.get(item.topic)?.sha256 !== item.sha256);
  for (const item of different) {
    // One at a time: the order is what matters here.
    await connection.publishRetained(item.topic, await item.load());
  }
  return different.map((item) => item.topic);
}

/** Compares, publishes what is missing or different, reads back; gives what was published. */
async function syncItems(
  connection: BrokerConnection,
  items: readonly SyncItem[],
  marker: string,
): Promise<readonly SyncItem[]> {
  const first = await findDifferent(connection, items, marker);
  let wrong = first;
  for (let round = 0; wrong.length > 0; round++) {
    if (round === MAX_REPAIR_ROUNDS) throw notRetaining(wrong);
    await publishWindow(connection, wrong);
    wrong = await findDifferent(connection, wrong, marker);
  }
  return first;
}

async function findDifferent(
  connection: BrokerConnection,
  items: readonly SyncItem[],
  marker: string,
): Promise<readonly SyncItem[]> {
  const digests = new Map<string, string>();
  await readRetained(connection, requestFor(items, marker), (topic, payload) => {
    digests.set(topic, sha256Hex(payload));
  });
  return items.filter((item) => digests.get(item.topic) !== item.sha256);
}

function requestFor(items: readonly SyncItem[], marker: string): RetainedRequest {
  const filters = items.map((item) => item.topic);
  // A marker that is itself asked about would end the reading before its turn.
  return { filters, expected: filters.length, ...(filters.includes(marker) ? {} : { marker }) };
}

/** Publishes with PUBLISH_WINDOW messages under way. */
async function publishWindow(connection: BrokerConnection, items: readonly SyncItem[]): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await connection.publishRetained(item.topic, await item.load());
  };
  await Promise.all(Array.from({ length: Math.min(PUBLISH_WINDOW, items.length) }, worker));
}

function notRetaining(wrong: readonly SyncItem[]): FleetError {
  const [example] = wrong;
  return new FleetError(
    "fleet/broker-not-retaining",
    `The broker took ${wrong.length} messages and does not give them back as they were (${example?.topic}, ${example?.length} bytes): check that our user may write and ` +
      "read these topics, and the broker's limits for retained messages and message size; also whether somebody else writes to them",
  );
}

/** The version that TUF metadata states, read without any trust; undefined if it is none. */
function statedVersion(payload: Uint8Array): number | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof parsed !== "object" || parsed === null || !("signed" in parsed)) return undefined;
    const { signed } = parsed;
    if (typeof signed !== "object" || signed === null || !("version" in signed)) return undefined;
    return Number.isSafeInteger(signed.version) ? Number(signed.version) : undefined;
  } catch {
    // Not JSON: something else lies on the topic, and will be replaced.
    return undefined;
  }
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
