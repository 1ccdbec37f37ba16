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
  /** The version of what lies on the topic, if it is signed as the folder's root says; undefined for anything else. */
  rightfulVersion(payload: Uint8Array): number | undefined;
}

/** The topic of the root after the folder's newest one, where nothing belongs. */
export interface NextRoot {
  readonly topic: string;
  /** Whether a payload is that root, signed by the one before it. */
  isRightful(payload: Uint8Array): boolean;
}

/** All that the broker should hold, each list in the order of publishing. */
export interface SyncPlan {
  /** A topic that is there as soon as the plan's roots are: what a reading waits for (retained.ts). */
  readonly marker: string;
  readonly roots: readonly SyncMetadata[];
  readonly nextRoots: readonly NextRoot[];
  readonly blobs: readonly SyncItem[];
  readonly metadata: readonly SyncMetadata[];
}

export interface SyncReport {
  /** Topics of the metadata that was published. */
  readonly metadataPublished: readonly string[];
  /** Topics of forged roots that were taken away. */
  readonly rootsCleared: readonly string[];
  readonly blobsTotal: number;
  readonly blobsPublished: number;
  readonly blobBytesPublished: number;
}

export interface SyncOptions {
  /** Overwrite newer or other metadata on the broker that the fleet's own keys signed: for an operator who knows that it is given up. */
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
  const rootsCleared = await clearForgedRoots(connection, plan);
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
    rootsCleared,
    blobsTotal: plan.blobs.length,
    blobsPublished,
    blobBytesPublished,
  };
}

interface Held {
  readonly sha256: string;
  /** Undefined for what the fleet's keys did not sign. */
  readonly version: number | undefined;
}

async function readHeldMetadata(
  connection: BrokerConnection,
  metadata: readonly SyncMetadata[],
  marker: string,
): Promise<ReadonlyMap<string, Held>> {
  const held = new Map<string, Held>();
  const items = new Map(metadata.map((item) => [item.topic, item]));
  await readRetained(connection, requestFor(metadata, marker), (topic, payload) => {
    held.set(topic, { sha256: sha256Hex(payload), version: items.get(topic)?.rightfulVersion(payload) });
  });
  return held;
}

/**
 * Devices refuse older metadata than they have seen (rollback), and of two that share a version they keep the first: publishing either
 * would cut them off. It happens to whoever works on an old copy of the folder. What the fleet's keys did not sign no device has
 * taken: that is replaced without asking.
 */
function refuseNewerOnBroker(metadata: readonly SyncMetadata[], held: ReadonlyMap<string, Held>): void {
  for (const item of metadata) {
    const { version, sha256 } = held.get(item.topic) ?? {};
    if (version === undefined || version < item.version || sha256 === item.sha256) continue;
    const what =
      version === item.version
        ? `The broker holds another version ${version} of ${item.topic} than this folder`
        : `The broker holds version ${version} of ${item.topic}, this folder only ${item.version}`;
    throw new FleetError("fleet/broker-newer", `${what}: ${BRING_UP_TO_DATE}`);
  }
}

const BRING_UP_TO_DATE =
  "it was signed with the fleet's keys, in another copy of the folder: bring this one up to date first. " +
  "If what the broker holds is given up, `skerry sync --force` replaces it (devices that took it will refuse the older version)";

/**
 * A forged root on the topic after the newest one keeps every device from its updates for as long as it lies there, whatever else the
 * broker holds, so it goes. A rightful one means that the root was rotated in another copy of the folder.
 */
async function clearForgedRoots(connection: BrokerConnection, plan: SyncPlan): Promise<readonly string[]> {
  const nextRoots = new Map(plan.nextRoots.map((next) => [next.topic, next]));
  const found = new Map<string, boolean>();
  const request = { filters: [...nextRoots.keys()], expected: nextRoots.size, marker: plan.marker };
  await readRetained(connection, request, (topic, payload) => {
    if (payload.byteLength > 0) found.set(topic, nextRoots.get(topic)?.isRightful(payload) === true);
  });
  for (const [topic, isRightful] of found) {
    if (isRightful) {
      throw new FleetError(
        "fleet/broker-newer",
        `The broker holds ${topic}, this folder does not: ${BRING_UP_TO_DATE}`,
      );
    }
    // MQTT 5.0 §3.3.1.3: a retained message is cleared by an empty one.
    await connection.publishRetained(topic, new Uint8Array(0));
  }
  return [...found.keys()];
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

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
