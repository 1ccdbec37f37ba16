/**
 * Adds a release of a module to the repository: its three files under targets/, and new image metadata that
 * lists them.
 *
 * Files come before the metadata: what a power cut leaves behind is a folder that nothing lists, and the same
 * command again replaces it.
 */

import { rename, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { MAX_PAYLOAD_BYTES } from "../ota/limits.ts";
import { type Manifest, parseManifest } from "../ota/manifest.ts";
import type { TargetInfo } from "../ota/metadata.ts";
import { type ReleaseFile, targetPath } from "../ota/names.ts";
import { targetInfo } from "../ota/sign-metadata.ts";
import { isBin, roleForPath, TOP_LEVEL } from "./delegations.ts";
import { FleetError, type FleetErrorCode } from "./errors.ts";
import { componentPathOf, releaseCounter } from "./fetch-size.ts";
import { ioError, readFileBounded, syncFolder } from "./files.ts";
import { removeLeftovers, stagingFolder } from "./leftovers.ts";
import { MAX_HIDDEN_RELEASES, MAX_RELEASE_COUNTER } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import { isConsistent, listedTargetsOf, loadMetadata, type StoredMetadata } from "./metadata-store.ts";
import { exists, type Repository, releaseFolder } from "./repository.ts";
import { type StagedRelease, stageRelease } from "./stage-release.ts";
import { withdrawnCounter, withdrawnVersions } from "./withdrawn-releases.ts";
import { signAgain, writeRoles } from "./write-metadata.ts";

export interface PublishOptions {
  readonly componentPath: string;
  readonly manifestPath: string;
  /** The delegated role that lists it; default the one that its module is delegated to, otherwise the top-level targets. */
  readonly role?: string;
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
  /** False if the keys of snapshot and timestamp are elsewhere: `skerry refresh` there completes it. */
  readonly isComplete: boolean;
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
    await removeLeftovers(repository.folder);
    const staging = stagingFolder(folder);
    try {
      const staged = await stageRelease(staging, options.componentPath, manifestBytes);
      return await addRelease(
        { repository, nowMs: options.nowMs ?? Date.now() },
        stored,
        manifest,
        staged,
        staging,
        options.role,
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
  role: string | undefined,
): Promise<PublishResult> {
  const { name: module, version } = manifest;
  const folder = releaseFolder(signing.repository.folder, module, version);
  const targets = listedTargetsOf(stored);
  const result = {
    module,
    version,
    componentBytes: staged.files["component.wasm"].length,
    chunks: staged.chunks,
  };
  const listed = targets.get(targetPath(module, version, "component.wasm"));
  if (listed !== undefined) {
    refuseOtherBytes(targets, manifest, staged);
    if (!(await exists(folder))) await moveIntoPlace(staging, folder);
    if (!isConsistent(stored)) await signAgain(signing, stored, "snapshot");
    return { ...result, release: releaseCounter(listed), isNew: false, isComplete: true };
  }
  refuseWithdrawn(stored, manifest);
  const roleOf = rolesForRelease(stored, manifest, role);
  const release = nextRelease(stored, module);
  // Nothing lists what lies there: left by a publish that was cut off.
  await rm(folder, { recursive: true, force: true });
  await moveIntoPlace(staging, folder);
  const contents = new Map<string, TargetInfo[]>();
  for (const target of releaseTargets(manifest, staged, release)) {
    const listing = roleOf(target.path);
    const { metadata } = stored.delegated.get(listing) ?? (listing === TOP_LEVEL ? stored.targets : {});
    const before = contents.get(listing) ?? [...(metadata?.targets.values() ?? [])];
    contents.set(listing, [...before, target]);
  }
  // A team has the key of its own role alone: whoever has the online keys goes on from there.
  const withoutOnlineKeys = !contents.has(TOP_LEVEL);
  let written: StoredMetadata;
  try {
    written = await writeRoles(signing, stored, { contents }, { withoutOnlineKeys });
  } catch (error) {
    // Refused before anything was signed: the files go as well. After any other failure targets.json may list
    // them.
    if (error instanceof FleetError && SIGNING_REFUSED.has(error.code)) await rm(folder, { recursive: true });
    throw error;
  }
  return { ...result, release, isNew: true, isComplete: isConsistent(written) };
}

/** The role that lists each file of a release. Throws FleetError "fleet/unknown-role" if the one that was asked for may not. */
function rolesForRelease(
  { targets }: StoredMetadata,
  { name, version }: Manifest,
  asked: string | undefined,
): (path: string) => string {
  const { delegations } = targets.metadata;
  if (asked === undefined) return (path) => roleForPath(delegations, path);
  const delegation = delegations?.roles.find((each) => each.name === asked);
  const path = targetPath(name, version, "component.wasm");
  // A later role's word on a path does not count: the first that covers it is asked, and decides.
  if (asked !== TOP_LEVEL && (delegation === undefined || roleForPath(delegations, path) !== asked)) {
    throw new FleetError(
      "fleet/unknown-role",
      `${name} is not delegated to the role ${asked}: \`skerry keys list\` tells the roles, \`skerry keys add --role ${asked} --paths ${name}\` delegates it`,
    );
  }
  return () => asked;
}

const SIGNING_REFUSED: ReadonlySet<FleetErrorCode> = new Set([
  "fleet/metadata-too-large",
  "fleet/version-jump",
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
function refuseOtherBytes(
  targets: ReadonlyMap<string, TargetInfo>,
  { name, version }: Manifest,
  { files }: StagedRelease,
): void {
  for (const file of ["component.wasm", "module.toml"] as const) {
    const listed = targets.get(targetPath(name, version, file));
    if (listed?.sha256 === files[file].sha256) continue;
    throw new FleetError(
      "fleet/version-exists",
      `${name}@${version} is published already, with another ${file}: raise the version in the manifest`,
    );
  }
}

/**
 * The same of a version that was withdrawn. Told by whoever may list the module, and by those that the targets' keys sign: another team has no say in
 * which versions are used up.
 */
function refuseWithdrawn({ targets, delegated }: StoredMetadata, { name, version }: Manifest): void {
  const { delegations } = targets.metadata;
  const listing = roleForPath(delegations, targetPath(name, version, "component.wasm"));
  const heard = delegations?.roles.filter((role) => role.name === listing || isBin(role)) ?? [];
  const files = [targets, ...heard.flatMap((role) => delegated.get(role.name) ?? [])];
  if (!files.some((file) => withdrawnVersions(file, name).includes(version))) return;
  throw new FleetError(
    "fleet/version-exists",
    `${name}@${version} was published once and withdrawn, and a version stands for the same bytes forever: publish under a new version, and raise it in the manifest`,
  );
}

/**
 * The module's next release counter. Goes on from former roles' and withdrawn releases as well: a counter that started again would be refused by devices that
 * know a higher one. But a role may list whatever it likes of modules that are not its own, and must not use their counters up with it.
 * Throws FleetError "fleet/repository-damaged" where no counter is left.
 */
function nextRelease(stored: StoredMetadata, module: string): number {
  const isOfModule = (target: TargetInfo): boolean => componentPathOf(target)?.module === module;
  const found = [...listedTargetsOf(stored).values()].filter(isOfModule);
  const newest = found.toSorted((one, other) => releaseCounter(other) - releaseCounter(one))[0];
  const newestCounter = newest === undefined ? 0 : releaseCounter(newest);
  if (newestCounter >= MAX_RELEASE_COUNTER) {
    throw new FleetError(
      "fleet/repository-damaged",
      `${newest?.path} has release counter ${newestCounter}, so that no release of ${module} could follow it: \`skerry publish\` did not write that. ` +
        "Bring the file in image/ that lists it back from git or the backup, and rotate the key that signed it",
    );
  }
  const files = [stored.targets, ...stored.delegated.values()];
  const hidden = files
    .flatMap(({ metadata }) => [...metadata.targets.values()])
    .filter(isOfModule)
    .map(releaseCounter)
    .concat(files.map((file) => withdrawnCounter(file, module)))
    .filter((counter) => counter <= newestCounter + MAX_HIDDEN_RELEASES);
  return 1 + Math.max(newestCounter, ...hidden);
}

async function moveIntoPlace(staging: string, folder: string): Promise<void> {
  try {
    await rename(staging, folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    throw ioError("create", folder, error);
  }
}
