/**
 * Withdraws what no device needs any more: releases from the image metadata, their blobs from the broker, their files from the folder.
 *
 * The order keeps devices safe: new metadata reaches the broker before a blob goes, and a blob goes only if no release that is still listed
 * has it. A broker that holds newer metadata than the folder is refused before anything is changed, as by `skerry sync`: another copy
 * of the folder may need what this one does not know of. What an interrupted prune leaves is found by the next: a release's folder that no
 * metadata lists tells which blobs were its own.
 */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseAssignments } from "../ota/assignment.ts";
import { OtaError } from "../ota/errors.ts";
import { isModuleName, isVersion } from "../ota/names.ts";
import { type BrokerAddress, type BrokerConnection, connectBroker } from "./broker.ts";
import { readDevices } from "./devices.ts";
import { FleetError } from "./errors.ts";
import { componentPathOf, releaseCounter } from "./fetch-size.ts";
import { ioError, systemCode } from "./files.ts";
import { BLOB_WINDOW } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import { listedTargetsOf, loadMetadata, type StoredMetadata } from "./metadata-store.ts";
import { type ListedRelease, nameOf, type PrunePlan, type PruneWish, planPrune } from "./prune-plan.ts";
import { filesInFolder, readReleaseBlobs } from "./release-blobs.ts";
import { type Repository, releaseFolder } from "./repository.ts";
import { readRetained } from "./retained.ts";
import { planSync } from "./sync-plan.ts";
import { syncRepository } from "./synchronize.ts";
import { FleetTopics } from "./topics.ts";
import { withoutReleases } from "./withdrawn-releases.ts";
import { writeRoles } from "./write-metadata.ts";

export interface PruneOptions extends PruneWish {
  /** Removes the folders of releases that no metadata lists. */
  readonly files: boolean;
  /** Changes nothing, and tells what it would. */
  readonly dryRun: boolean;
  readonly nowMs?: number;
}

export interface PruneReport extends PrunePlan {
  /** Blobs that the broker held for releases that are not listed. */
  readonly blobs: number;
  readonly blobBytes: number;
  /** Blobs of theirs that listed releases have as well. */
  readonly blobsShared: number;
  /** Releases whose folders no metadata lists; they are gone with the option `files`. */
  readonly folders: readonly string[];
}

/** Prunes; throws FleetError. Nobody publishes into the folder meanwhile: what a new release shares with an old one has to stay. */
export function pruneRepository(
  repository: Repository,
  address: BrokerAddress,
  options: PruneOptions,
): Promise<PruneReport> {
  return withRepositoryLock(repository.folder, () => prune(repository, address, options));
}

async function prune(
  repository: Repository,
  address: BrokerAddress,
  options: PruneOptions,
): Promise<PruneReport> {
  if (!options.dryRun) await syncRepository(repository, address, { withBlobs: false });
  const image = await loadMetadata(repository, "image");
  const plan = planPrune(listedReleases(image), await reasonsToKeep(repository, address), options);
  const gone = new Set(plan.unpublish.map(nameOf));
  if (!options.dryRun && gone.size > 0) {
    const signing = { repository, nowMs: options.nowMs ?? Date.now() };
    await writeRoles(signing, image, withoutReleases(image, gone));
    await syncRepository(repository, address, { withBlobs: false });
  }
  const orphans = await orphanedReleases(repository, gone);
  const { stale, shared } = await staleBlobs(repository, orphans, gone);
  const held = await withdraw(repository, address, stale, options.dryRun);
  if (options.files && !options.dryRun) {
    for (const { module, version } of orphans)
      await removeFolder(releaseFolder(repository.folder, module, version));
  }
  return {
    ...plan,
    blobs: held.length,
    blobBytes: held.reduce((sum, length) => sum + length, 0),
    blobsShared: shared,
    folders: orphans.map(nameOf),
  };
}

/** Why releases are needed, by `module@version`. */
async function reasonsToKeep(
  repository: Repository,
  address: BrokerAddress,
): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>();
  for (const { device, modules } of await readDevices(repository, address)) {
    for (const { module, running, staged, trial, committed, desired } of modules) {
      for (const version of [desired, staged, trial, committed, running]) {
        if (version !== null) reasons.set(nameOf({ module, version }), `${device} has it`);
      }
    }
  }
  const director = await loadMetadata(repository, "director");
  for (const target of director.targets.metadata.targets.values()) {
    const path = componentPathOf(target);
    if (path !== undefined && parseAssignments(target).length > 0)
      reasons.set(nameOf(path), "it is assigned");
  }
  return reasons;
}

function listedReleases(image: StoredMetadata): readonly ListedRelease[] {
  return [...listedTargetsOf(image).values()].flatMap((target) => {
    const path = componentPathOf(target);
    return path === undefined
      ? []
      : [{ module: path.module, version: path.version, release: releaseCounter(target) }];
  });
}

interface Release {
  readonly module: string;
  readonly version: string;
}

/** Releases that lie in the folder and that nothing lists, or will not once `gone` are unpublished. */
async function orphanedReleases(
  repository: Repository,
  gone: ReadonlySet<string>,
): Promise<readonly Release[]> {
  const listed = new Set(listedReleases(await loadMetadata(repository, "image")).map(nameOf));
  const orphans: Release[] = [];
  const root = join(repository.folder, "targets");
  for (const publisher of await foldersIn(root)) {
    for (const name of await foldersIn(join(root, publisher))) {
      for (const version of await foldersIn(join(root, publisher, name))) {
        const release = { module: `${publisher}/${name}`, version };
        if (!isModuleName(release.module) || !isVersion(version)) continue;
        if (!listed.has(nameOf(release)) || gone.has(nameOf(release))) orphans.push(release);
      }
    }
  }
  return orphans;
}

/** Lengths of the blobs that only orphaned releases have, by digest; and how many they share with others. */
async function staleBlobs(
  repository: Repository,
  orphans: readonly Release[],
  gone: ReadonlySet<string>,
): Promise<{ readonly stale: ReadonlyMap<string, number>; readonly shared: number }> {
  const { blobs } = await planSync(repository, { repositories: ["image"], without: gone });
  const needed = new Set(blobs.map(({ sha256 }) => sha256));
  const stale = new Map<string, number>();
  const shared = new Set<string>();
  for (const release of orphans) {
    for (const { sha256, length } of await blobsOfFolder(repository, release)) {
      if (needed.has(sha256)) shared.add(sha256);
      else stale.set(sha256, length);
    }
  }
  return { stale, shared: shared.size };
}

/** None for a folder that holds no whole release: a publish that was cut off has not reached the broker. */
async function blobsOfFolder(repository: Repository, release: Release) {
  try {
    return (await readReleaseBlobs(repository, release, await filesInFolder(repository, release))).blobs;
  } catch (error) {
    if (error instanceof FleetError || error instanceof OtaError) return [];
    throw error;
  }
}

/** Clears those of the blobs that the broker holds; gives their lengths. */
async function withdraw(
  repository: Repository,
  address: BrokerAddress,
  blobs: ReadonlyMap<string, number>,
  dryRun: boolean,
): Promise<readonly number[]> {
  const topics = new FleetTopics(repository.settings.fleet);
  const withdrawn: number[] = [];
  const connection = await connectBroker(address);
  try {
    const all = [...blobs.keys()].map((sha256) => topics.blob(sha256));
    for (let start = 0; start < all.length; start += BLOB_WINDOW) {
      const window = all.slice(start, start + BLOB_WINDOW);
      const held = await heldOf(connection, topics, window);
      withdrawn.push(...held.values());
      if (dryRun) continue;
      // MQTT 5.0 §3.3.1.3: a retained message is cleared by an empty one.
      for (const topic of held.keys()) await connection.publishRetained(topic, new Uint8Array(0));
    }
  } finally {
    await connection.end();
  }
  return withdrawn;
}

/** The lengths of those retained messages that the broker holds, by topic. */
async function heldOf(
  connection: BrokerConnection,
  topics: FleetTopics,
  filters: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const held = new Map<string, number>();
  const request = { filters, expected: filters.length, marker: topics.metadata("image", "1.root") };
  await readRetained(connection, request, (topic, payload) => {
    if (payload.length > 0) held.set(topic, payload.length);
  });
  return held;
}

async function foldersIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw ioError("read", path, error);
  }
}

async function removeFolder(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true });
  } catch (error) {
    throw ioError("remove", path, error);
  }
}
