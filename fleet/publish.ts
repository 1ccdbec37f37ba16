/**
 * Adds a release of a module to the repository: its three files under targets/, and new image metadata that
 * lists them.
 *
 * Files come before the metadata: what a power cut leaves behind is a folder that nothing lists, and the same
 * command again replaces it.
 */

import { rename, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { isJsonObject } from "../ota/json.ts";
import { MAX_PAYLOAD_BYTES } from "../ota/limits.ts";
import { type Manifest, parseManifest } from "../ota/manifest.ts";
import type { TargetInfo, Targets } from "../ota/metadata.ts";
import { parseTargetPath, type ReleaseFile, targetPath } from "../ota/names.ts";
import { targetInfo } from "../ota/sign-metadata.ts";
import { FleetError, type FleetErrorCode } from "./errors.ts";
import { ioError, readFileBounded, syncFolder } from "./files.ts";
import { withRepositoryLock } from "./lock.ts";
import {
  isConsistent,
  loadMetadata,
  type StoredMetadata,
  signAgain,
  writeTargets,
} from "./metadata-store.ts";
import { exists, type Repository, releaseFolder } from "./repository.ts";
import { type StagedRelease, stageRelease } from "./stage-release.ts";

export interface PublishOptions {
  readonly componentPath: string;
  readonly manifestPath: string;
  readonly nowMs?: number;
}

export interface PublishResult {
  readonly module: string;
  readonly version: string;
  /** The module's release counter. */
  readonly release: number;
  readonly componentBytes: number;
  readonly chunks: number;
  /** False if the very same release was there already. */
  readonly isNew: boolean;
}

/**
 * Publishes into the folder; the broker follows with `syncRepository`. Throws FleetError, or OtaError
 * "manifest/…".
 */
export async function publishRelease(
  repository: Repository,
  options: PublishOptions,
): Promise<PublishResult> {
  const manifestBytes = await readFileBounded(options.manifestPath, MAX_PAYLOAD_BYTES);
  const manifest = await parseManifest(manifestBytes, basename(options.manifestPath));
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, "image");
    const folder = releaseFolder(repository.folder, manifest.name, manifest.version);
    const staging = `${folder}.${process.pid}.tmp`;
    try {
      const staged = await stageRelease(staging, options.componentPath, manifestBytes);
      return await addRelease(
        { repository, nowMs: options.nowMs ?? Date.now() },
        stored,
        manifest,
        staged,
        staging,
      );
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  });
}

async function addRelease(
  signing: { readonly repository: Repository; readonly nowMs: number },
  stored: StoredMetadata,
  manifest: Manifest,
  staged: StagedRelease,
  staging: string,
): Promise<PublishResult> {
  const { name: module, version } = manifest;
  const folder = releaseFolder(signing.repository.folder, module, version);
  const targets = stored.targets.metadata;
  const result = {
    module,
    version,
    componentBytes: staged.files["component.wasm"].length,
    chunks: staged.chunks,
  };
  const listed = targets.targets.get(targetPath(module, version, "component.wasm"));
  if (listed !== undefined) {
    refuseOtherBytes(targets, manifest, staged);
    if (!(await exists(folder))) await moveIntoPlace(staging, folder);
    if (!isConsistent(stored)) await signAgain(signing, stored, "snapshot");
    return { ...result, release: releaseCounter(listed), isNew: false };
  }
  // Nothing lists what lies there: left by a publish that was cut off.
  await rm(folder, { recursive: true, force: true });
  await moveIntoPlace(staging, folder);
  const release =
    1 +
    Math.max(
      0,
      ...[...targets.targets.values()].filter((target) => isComponentOf(target, module)).map(releaseCounter),
    );
  try {
    await writeTargets(signing, stored, [
      ...targets.targets.values(),
      ...releaseTargets(manifest, staged, release),
    ]);
  } catch (error) {
    // Refused before anything was signed: the files go as well. After any other failure targets.json may list
    // them.
    if (error instanceof FleetError && SIGNING_REFUSED.has(error.code)) await rm(folder, { recursive: true });
    throw error;
  }
  return { ...result, release, isNew: true };
}

const SIGNING_REFUSED: ReadonlySet<FleetErrorCode> = new Set([
  "fleet/metadata-too-large",
  "fleet/key",
  "fleet/passphrase-missing",
  "fleet/passphrase-wrong",
  "fleet/cancelled",
]);

function releaseTargets(
  { name, version, hardware }: Manifest,
  { files }: StagedRelease,
  release: number,
): TargetInfo[] {
  const target = (file: ReleaseFile): TargetInfo => targetInfo(targetPath(name, version, file), files[file]);
  const component = targetPath(name, version, "component.wasm");
  const forHardware = hardware.length === 0 ? {} : { hardware };
  return [
    targetInfo(component, files["component.wasm"], { skerry: { release, ...forHardware } }),
    target("component.chunks"),
    target("module.toml"),
  ];
}

/** A version stands for the same bytes forever: devices that have it would not fetch it again. */
function refuseOtherBytes(targets: Targets, { name, version }: Manifest, { files }: StagedRelease): void {
  for (const file of ["component.wasm", "module.toml"] as const) {
    const listed = targets.targets.get(targetPath(name, version, file));
    if (listed?.sha256 === files[file].sha256) continue;
    throw new FleetError(
      "fleet/version-exists",
      `${name}@${version} is published already, with another ${file}: raise the version in the manifest`,
    );
  }
}

function isComponentOf(target: TargetInfo, module: string): boolean {
  const path = parseTargetPath(target.path);
  return path?.module === module && path.file === "component.wasm";
}

/** The counter in a component's `custom`; 0 if it has none. */
function releaseCounter(component: TargetInfo): number {
  const skerry = component.custom?.["skerry"];
  const release = isJsonObject(skerry) ? skerry["release"] : undefined;
  return typeof release === "number" ? release : 0;
}

async function moveIntoPlace(staging: string, folder: string): Promise<void> {
  try {
    await rename(staging, folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    throw ioError("create", folder, error);
  }
}
