/**
 * Creates a repository: the folder, its settings, the keys, and first metadata of both repositories, all
 * empty.
 */

import { join, resolve } from "node:path";
import {
  type ParsedFile,
  type RepositoryName,
  ROLE_NAMES,
  type RoleKeys,
  type RoleName,
  type Root,
} from "../ota/metadata.ts";
import { isFleetName } from "../ota/names.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { rootJson, signMetadata } from "../ota/sign-metadata.ts";
import type { Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { makeFolder, writeFileDurably } from "./files.ts";
import { createKey, KEY_NAMES, type KeyName, keyFile, OFFLINE_KEYS } from "./keys.ts";
import { withRepositoryLock } from "./lock.ts";
import { keyOf, type Signing, writeTargets } from "./metadata-store.ts";
import { exists, REPOSITORY_NAMES, type Repository, rootFile } from "./repository.ts";
import { DEFAULT_BROKER_URL, isBrokerUrl, parseSettings, SETTINGS_FILE, settingsText } from "./settings.ts";

export interface InitOptions {
  readonly folder: string;
  /** Default "demo". */
  readonly fleet?: string;
  /** Default a broker on this machine. */
  readonly brokerUrl?: string;
  readonly nowMs?: number;
}

export interface InitResult {
  readonly repository: Repository;
  /** What every device needs: its trust starts there. Absolute paths. */
  readonly roots: Readonly<Record<RepositoryName, string>>;
  readonly offlineKeyFiles: readonly string[];
}

const KEYS_FOLDER = "keys";

/** Creates a repository; throws FleetError "fleet/exists" rather than overwrite anything. */
export async function initRepository(options: InitOptions): Promise<InitResult> {
  const folder = resolve(options.folder);
  const fleet = options.fleet ?? "demo";
  const brokerUrl = options.brokerUrl ?? DEFAULT_BROKER_URL;
  if (!isFleetName(fleet)) {
    throw new FleetError(
      "fleet/usage",
      `"${fleet}" is no fleet name: a-z, 0-9, _ and -, at most 64, starting with a letter or digit`,
    );
  }
  if (!isBrokerUrl(brokerUrl)) {
    throw new FleetError(
      "fleet/usage",
      `"${brokerUrl}" is no broker address: mqtt://host:port or mqtts://host:port`,
    );
  }
  await makeFolder(folder);
  return withRepositoryLock(folder, () => create(folder, fleet, brokerUrl, options.nowMs ?? Date.now()));
}

async function create(folder: string, fleet: string, brokerUrl: string, nowMs: number): Promise<InitResult> {
  for (const name of [SETTINGS_FILE, KEYS_FOLDER, ...REPOSITORY_NAMES, "targets"]) {
    if (!(await exists(join(folder, name)))) continue;
    throw new FleetError(
      "fleet/exists",
      `${join(folder, name)} exists already: choose another folder; nothing was changed`,
    );
  }
  const text = settingsText(fleet, brokerUrl);
  const repository = { folder, settings: await parseSettings(text, folder) };
  const signing = { repository, nowMs };
  const signers = await createKeys(repository.settings.keysFolder);
  for (const name of REPOSITORY_NAMES) {
    await makeFolder(join(folder, name));
    await writeTargets(signing, { name, roots: [await writeFirstRoot(signing, name, signers)] }, []);
  }
  await writeFileDurably(join(folder, ".gitignore"), Buffer.from(".skerry.lock*\n*.tmp\n*.password\n"));
  // Last: a folder without settings is no repository, so an interrupted creation is not taken for one.
  await writeFileDurably(join(folder, SETTINGS_FILE), Buffer.from(text));
  return {
    repository,
    roots: { image: rootFile(folder, "image", 1), director: rootFile(folder, "director", 1) },
    offlineKeyFiles: OFFLINE_KEYS.map((name) => keyFile(repository.settings.keysFolder, name)),
  };
}

async function createKeys(folder: string): Promise<ReadonlyMap<KeyName, Signer>> {
  await makeFolder(folder, 0o700);
  const ignore = "# Private keys do not belong into version control.\n*\n!.gitignore\n";
  await writeFileDurably(join(folder, ".gitignore"), Buffer.from(ignore));
  const signers = new Map<KeyName, Signer>();
  for (const name of KEY_NAMES) signers.set(name, await createKey(folder, name));
  return signers;
}

async function writeFirstRoot(
  signing: Signing,
  name: RepositoryName,
  signers: ReadonlyMap<KeyName, Signer>,
): Promise<ParsedFile<Root>> {
  const signerOf = (role: RoleName): Signer => {
    const signer = signers.get(keyOf(name, role));
    if (signer === undefined) throw new Error(`no key was made for ${name} ${role}`);
    return signer;
  };
  const roleKeys = (role: RoleName): RoleKeys => ({ keyIds: [signerOf(role).key.keyId], threshold: 1 });
  const keys = new Map(ROLE_NAMES.map((role) => [signerOf(role).key.keyId, signerOf(role).key]));
  const { folder, settings } = signing.repository;
  const signed = rootJson({
    version: 1,
    expiresMs: signing.nowMs + settings.expiry.rootMs,
    keys: [...keys.values()],
    roles: {
      root: roleKeys("root"),
      timestamp: roleKeys("timestamp"),
      snapshot: roleKeys("snapshot"),
      targets: roleKeys("targets"),
    },
  });
  const bytes = await signMetadata(signed, [signerOf("root")]);
  await writeFileDurably(rootFile(folder, name, 1), bytes);
  return parseMetadata(name, "root", bytes);
}
