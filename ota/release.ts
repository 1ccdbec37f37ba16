/**
 * A release as the device installs and remembers it: the part of a verified selection that its state file keeps, so that
 * it can start, resume or roll back with no broker in reach.
 */

import { isModuleName, isSha256, isVersion } from "./names.ts";

/** One file of a release. */
export type ReleaseFileRecord = {
  /** In bytes. */
  readonly length: number;
  readonly sha256: string;
};

export type ReleaseRecord = {
  readonly module: string;
  readonly version: string;
  /** The image repository's counter. */
  readonly release: number;
  readonly component: ReleaseFileRecord;
  readonly chunks: ReleaseFileRecord;
  readonly manifest: ReleaseFileRecord;
};

/** Digits of the manifest's digest in a version folder's name. */
const MANIFEST_DIGITS = 16;

/** Names a release by what it is made of; also its folder's name below `versions`. */
export function releaseId(release: ReleaseRecord): string {
  return `${release.component.sha256}-${release.manifest.sha256.slice(0, MANIFEST_DIGITS)}`;
}

/** Whether two releases are the same bytes; no release equals none. */
export function isSameRelease(one: ReleaseRecord | undefined, other: ReleaseRecord | undefined): boolean {
  return one === undefined || other === undefined ? one === other : releaseId(one) === releaseId(other);
}

/** `acme/thermo@1.2.0`, for messages. */
export function releaseName(release: ReleaseRecord): string {
  return `${release.module}@${release.version}`;
}

/** Only what is kept, of a release with whatever else it carries. */
export function toReleaseRecord(release: ReleaseRecord): ReleaseRecord {
  const fileOf = ({ length, sha256 }: ReleaseFileRecord): ReleaseFileRecord => ({ length, sha256 });
  return {
    module: release.module,
    version: release.version,
    release: release.release,
    component: fileOf(release.component),
    chunks: fileOf(release.chunks),
    manifest: fileOf(release.manifest),
  };
}

/** Narrows a release that was read from the state file; undefined if it is none. */
export function parseReleaseRecord(value: unknown): ReleaseRecord | undefined {
  if (!isObject(value)) {
    return undefined;
  }
  const { module, version, release } = value;
  const component = parseFile(value["component"]);
  const chunks = parseFile(value["chunks"]);
  const manifest = parseFile(value["manifest"]);
  if (
    typeof module !== "string" ||
    !isModuleName(module) ||
    typeof version !== "string" ||
    !isVersion(version) ||
    !isCount(release) ||
    component === undefined ||
    chunks === undefined ||
    manifest === undefined
  ) {
    return undefined;
  }
  return { module, version, release, component, chunks, manifest };
}

function parseFile(value: unknown): ReleaseFileRecord | undefined {
  if (!isObject(value)) {
    return undefined;
  }
  const { length, sha256 } = value;
  return isCount(length) && typeof sha256 === "string" && isSha256(sha256) ? { length, sha256 } : undefined;
}

/** Narrows to an object whose members are still unknown. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a whole number from zero up. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
