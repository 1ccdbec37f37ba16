/**
 * What a device fetches for a release: everything, or what the version before it does not hold. The bytes of the blobs themselves; MQTT
 * adds some hundred per blob.
 */

import { OtaError } from "../ota/errors.ts";
import { isJsonObject } from "../ota/json.ts";
import type { TargetInfo } from "../ota/metadata.ts";
import { parseTargetPath, type TargetPath, targetPath } from "../ota/names.ts";
import { FleetError } from "./errors.ts";
import { listedTargetsOf, loadMetadata } from "./metadata-store.ts";
import { listedFiles, type ReleaseBlobs, readReleaseBlobs } from "./release-blobs.ts";
import type { Repository } from "./repository.ts";

export interface FetchSize {
  /** For a device that has nothing of it, in bytes. */
  readonly wholeBytes: number;
  /** For a device that has the release before it; undefined if there is none, or its files are not in the folder any more. */
  readonly fromPrevious: { readonly version: string; readonly bytes: number } | undefined;
}

/** Measures a published release; throws FleetError "fleet/repository-damaged" or "fleet/io" for its own files. */
export async function measureFetch(
  repository: Repository,
  module: string,
  version: string,
): Promise<FetchSize> {
  const targets = listedTargetsOf(await loadMetadata(repository, "image"));
  const component = targets.get(targetPath(module, version, "component.wasm"));
  if (component === undefined) {
    throw new FleetError(
      "fleet/unknown-release",
      `${module}@${version} is not published: see \`skerry publish\``,
    );
  }
  const { blobs, chunks } = await readListed(repository, targets, component);
  const bytesOf = (wanted: ReleaseBlobs["blobs"]): number =>
    wanted.reduce((sum, { length }) => sum + length, 0);
  const previous = previousRelease(targets, module, releaseCounter(component));
  const held =
    previous === undefined
      ? undefined
      : await unlessUnreadable(() => readListed(repository, targets, previous));
  const result = { wholeBytes: bytesOf(blobs), fromPrevious: undefined };
  if (previous === undefined || held === undefined) return result;
  const contents = new Set(held.chunks.map(({ sha256 }) => sha256));
  const present = new Set(chunks.filter(({ sha256 }) => contents.has(sha256)).map(({ blob }) => blob.sha256));
  const bytes = bytesOf(blobs.filter(({ sha256 }) => !present.has(sha256)));
  return { ...result, fromPrevious: { version: parseTargetPath(previous.path)?.version ?? "", bytes } };
}

/** A release's counter in its component's `custom`; 0 if it has none. */
export function releaseCounter(component: TargetInfo): number {
  const skerry = component.custom?.["skerry"];
  const release = isJsonObject(skerry) ? skerry["release"] : undefined;
  return typeof release === "number" ? release : 0;
}

/** A component's path, if the target is one. */
export function componentPathOf(target: TargetInfo): TargetPath | undefined {
  const path = parseTargetPath(target.path);
  return path?.file === "component.wasm" ? path : undefined;
}

function previousRelease(
  targets: ReadonlyMap<string, TargetInfo>,
  module: string,
  counter: number,
): TargetInfo | undefined {
  return [...targets.values()]
    .filter((target) => componentPathOf(target)?.module === module && releaseCounter(target) < counter)
    .toSorted((one, other) => releaseCounter(other) - releaseCounter(one))[0];
}

function readListed(
  repository: Repository,
  targets: ReadonlyMap<string, TargetInfo>,
  component: TargetInfo,
): Promise<ReleaseBlobs> {
  const path = componentPathOf(component);
  if (path === undefined)
    throw new FleetError("fleet/repository-damaged", `${component.path} is no component`);
  return readReleaseBlobs(repository, path, listedFiles(path, component, targets));
}

async function unlessUnreadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FleetError || error instanceof OtaError) return undefined;
    throw error;
  }
}
