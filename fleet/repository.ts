/**
 * The repository folder, fit for git or a backup:
 *
 *     skerry.toml                                 settings (settings.ts)
 *     keys/                                       private keys, kept out of git (keys.ts)
 *     pending/                                    roots that wait for signatures (pending-root.ts)
 *     image/     <n>.root.json targets.json snapshot.json timestamp.json   what goes on the wire
 *                <role>.json                  of delegated targets
 *     director/  the same, without those
 *     targets/<publisher>/<name>/<version>/       component.wasm component.chunks module.toml
 *                                                 component.blobs: compressed chunks (stage-release.ts)
 */

import { access } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { RepositoryName, RoleName } from "../ota/metadata.ts";
import type { ReleaseFile } from "../ota/names.ts";
import type { Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { MAX_FOLDER_LEVELS } from "./limits.ts";
import type { Passphrases } from "./passphrases.ts";
import { type FleetSettings, readSettings, SETTINGS_FILE } from "./settings.ts";

/** The roles whose files carry no version in their name. */
export type OnlineRole = Exclude<RoleName, "root">;

export const REPOSITORY_NAMES: readonly RepositoryName[] = ["image", "director"];

export interface Repository {
  /** Absolute path. */
  readonly folder: string;
  readonly settings: FleetSettings;
  /** Without it: the keys of `settings.keysFolder` that need no passphrase. */
  readonly keyAccess?: KeyAccess;
}

/** How a command comes by private keys. */
export interface KeyAccess {
  /** Folders with keys beside `settings.keysFolder`: absolute paths. */
  readonly furtherFolders: readonly string[];
  readonly passphrases: Passphrases;
  /** The keys that were opened already, by their ids: scrypt is slow, and so are people. */
  readonly opened: Map<string, Signer>;
}

/** Opens the repository in a folder; throws FleetError "fleet/no-repository" or "fleet/settings". */
export async function openRepository(folder: string, keyAccess?: KeyAccess): Promise<Repository> {
  const absolute = resolve(folder);
  const settings = await readSettings(absolute);
  return { folder: absolute, settings, ...(keyAccess === undefined ? {} : { keyAccess }) };
}

/** The nearest folder with a skerry.toml, from `start` upwards; throws FleetError "fleet/no-repository". */
export async function findRepositoryFolder(start: string): Promise<string> {
  let folder = resolve(start);
  for (let level = 0; level < MAX_FOLDER_LEVELS; level++) {
    if (await exists(join(folder, SETTINGS_FILE))) return folder;
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  throw new FleetError(
    "fleet/no-repository",
    `There is no ${SETTINGS_FILE} in ${resolve(start)} or above it: create a repository with \`skerry keys init\`, or name its folder with --repo or SKERRY_REPO`,
  );
}

/** The file of a role's metadata, a delegated one's as well; a root's name carries its version. */
export function metadataFile(folder: string, repository: RepositoryName, role: string): string {
  return join(folder, repository, `${role}.json`);
}

export function rootFile(folder: string, repository: RepositoryName, version: number): string {
  return join(folder, repository, `${version}.root.json`);
}

/** A root that waits for signatures; the file's name says what it is when it travels. */
export function pendingRootFile(folder: string, repository: RepositoryName, version: number): string {
  return join(folder, "pending", `${repository}-${version}.root.json`);
}

/**
 * The folder of a release; `module` and `version` were checked (ota/names.ts), so they name no place outside.
 */
export function releaseFolder(folder: string, module: string, version: string): string {
  return join(folder, "targets", module, version);
}

export function releaseFile(folder: string, module: string, version: string, file: ReleaseFile): string {
  return join(releaseFolder(folder, module, version), file);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Not there, or not for us to see: the same for every use here.
    return false;
  }
}
