/**
 * Creates a repository: the folder, its settings, the keys, and first metadata of both repositories, all
 * empty.
 */

import { constants } from "node:fs";
import { cp } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ParsedFile, RepositoryName, RoleName, Root } from "../ota/metadata.ts";
import { isFleetName } from "../ota/names.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { signMetadata } from "../ota/sign-metadata.ts";
import type { Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { ioError, makeFolder, readFileBounded, writeFileDurably } from "./files.ts";
import { createKey, keyFile } from "./keys.ts";
import { MAX_INITIAL_ROOT_KEYS, MAX_SETTINGS_BYTES } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import { keyOf, loadMetadata, type StartedMetadata } from "./metadata-store.ts";
import { Passphrases } from "./passphrases.ts";
import { exists, metadataFile, REPOSITORY_NAMES, type Repository, rootFile } from "./repository.ts";
import { rootSigned } from "./root-changes.ts";
import { DEFAULT_BROKER_URL, isBrokerUrl, parseSettings, SETTINGS_FILE, settingsText } from "./settings.ts";
import type { Signing } from "./signing.ts";
import { writeTargets } from "./write-metadata.ts";

export interface InitOptions {
  readonly folder: string;
  /** Default "demo". */
  readonly fleet?: string;
  /** Default a broker on this machine. */
  readonly brokerUrl?: string;
  /** Root keys of each repository, and how many of them have to sign; default 1 and more than half of them. */
  readonly rootKeys?: number;
  readonly threshold?: number;
  /**
   * An older repository whose settings, releases and assignments the new one takes over, under keys of its own: for when its root keys are
   * lost or stolen. `fleet` and `brokerUrl` are its own then.
   */
  readonly from?: Repository;
  /** Of the offline keys; without it they lie in the clear. */
  readonly passphrase?: string;
  /** Of the keys for snapshot and timestamp, and the director's targets. */
  readonly onlinePassphrase?: string;
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
  const plan = planKeys(options);
  const { from } = options;
  if (from !== undefined) {
    const text = await readFileBounded(join(from.folder, SETTINGS_FILE), MAX_SETTINGS_BYTES);
    await makeFolder(folder);
    return withRepositoryLock(from.folder, () =>
      withRepositoryLock(folder, () => create(folder, text.toString("utf8"), plan, options)),
    );
  }
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
  return withRepositoryLock(folder, () => create(folder, settingsText(fleet, brokerUrl), plan, options));
}

/** A key to be made: its name tells what it signs. */
interface PlannedKey {
  readonly name: string;
  readonly repository: RepositoryName;
  readonly roles: readonly RoleName[];
  readonly isOffline: boolean;
}

interface KeyPlan {
  readonly keys: readonly PlannedKey[];
  readonly threshold: number;
}

function planKeys({ rootKeys = 1, threshold = Math.floor(rootKeys / 2) + 1 }: InitOptions): KeyPlan {
  if (!Number.isInteger(rootKeys) || rootKeys < 1 || rootKeys > MAX_INITIAL_ROOT_KEYS) {
    throw new FleetError("fleet/usage", `a repository starts with 1 to ${MAX_INITIAL_ROOT_KEYS} root keys`);
  }
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > rootKeys) {
    throw new FleetError("fleet/usage", `of ${rootKeys} root keys a threshold of 1 to ${rootKeys} can sign`);
  }
  const keys = REPOSITORY_NAMES.flatMap((repository) => {
    const rootName = keyOf(repository, "root");
    const roots = Array.from({ length: rootKeys }, (_each, index) => ({
      name: rootKeys === 1 ? rootName : `${rootName}-${index + 1}`,
      repository,
      roles: ["root"] as const,
      isOffline: true,
    }));
    const others = Map.groupBy(["targets", "snapshot", "timestamp"] as const, (role) =>
      keyOf(repository, role),
    );
    return [
      ...roots,
      ...Array.from(others, ([name, roles]) => ({
        name,
        repository,
        roles,
        isOffline: name === "image-targets",
      })),
    ];
  });
  return { keys, threshold };
}

async function create(
  folder: string,
  text: string,
  plan: KeyPlan,
  options: InitOptions,
): Promise<InitResult> {
  for (const name of [SETTINGS_FILE, KEYS_FOLDER, ...REPOSITORY_NAMES, "targets"]) {
    if (!(await exists(join(folder, name)))) continue;
    throw new FleetError(
      "fleet/exists",
      `${join(folder, name)} exists already: choose another folder; nothing was changed`,
    );
  }
  const settings = await parseSettings(text, folder);
  const signers = await createKeys(settings.keysFolder, plan, options);
  const opened = new Map([...signers.values()].map((signer) => [signer.key.keyId, signer]));
  const keyAccess = { furtherFolders: [], passphrases: new Passphrases(), opened };
  const repository = { folder, settings, keyAccess };
  const signing = { repository, nowMs: options.nowMs ?? Date.now() };
  if (options.from !== undefined) await copyReleases(options.from.folder, folder);
  for (const name of REPOSITORY_NAMES) {
    await makeFolder(join(folder, name));
    const roots = [await writeFirstRoot(signing, name, plan, signers)];
    // Versions go on, release counters and assignments stay: what devices know of them still holds.
    const before: Omit<StartedMetadata, "roots"> =
      options.from === undefined ? { name } : await loadMetadata(options.from, name);
    for (const [role, { bytes }] of before.delegated ?? []) {
      await writeFileDurably(metadataFile(folder, name, role), bytes);
    }
    await writeTargets(signing, { ...before, roots }, before.targets?.metadata.targets.values() ?? []);
  }
  await writeFileDurably(join(folder, ".gitignore"), Buffer.from(".skerry.lock*\n*.tmp\n*.password\n"));
  // Last: a folder without settings is no repository, so an interrupted creation is not taken for one.
  await writeFileDurably(join(folder, SETTINGS_FILE), Buffer.from(text));
  return {
    repository: { folder, settings },
    roots: { image: rootFile(folder, "image", 1), director: rootFile(folder, "director", 1) },
    offlineKeyFiles: plan.keys
      .filter(({ isOffline }) => isOffline)
      .map(({ name }) => keyFile(settings.keysFolder, name)),
  };
}

async function copyReleases(from: string, to: string): Promise<void> {
  const source = join(from, "targets");
  if (!(await exists(source))) return;
  try {
    await cp(source, join(to, "targets"), { recursive: true, mode: constants.COPYFILE_FICLONE });
  } catch (error) {
    throw ioError("copy", source, error);
  }
}

async function createKeys(
  folder: string,
  { keys }: KeyPlan,
  { passphrase, onlinePassphrase }: InitOptions,
): Promise<ReadonlyMap<string, Signer>> {
  await makeFolder(folder, 0o700);
  const ignore = "# Private keys do not belong into version control.\n*\n!.gitignore\n";
  await writeFileDurably(join(folder, ".gitignore"), Buffer.from(ignore));
  const signers = new Map<string, Signer>();
  for (const { name, isOffline } of keys) {
    signers.set(name, await createKey(folder, name, isOffline ? passphrase : onlinePassphrase));
  }
  return signers;
}

async function writeFirstRoot(
  signing: Signing,
  name: RepositoryName,
  { keys, threshold }: KeyPlan,
  signers: ReadonlyMap<string, Signer>,
): Promise<ParsedFile<Root>> {
  const own = keys.filter(({ repository }) => repository === name);
  const signersOf = (role: RoleName): readonly Signer[] =>
    own.filter(({ roles }) => roles.includes(role)).flatMap((key) => signers.get(key.name) ?? []);
  const roleKeys = (role: RoleName, needed = 1) => ({
    keyIds: signersOf(role).map(({ key }) => key.keyId),
    threshold: needed,
  });
  const named = own.flatMap((planned) => {
    const key = signers.get(planned.name)?.key;
    return key === undefined ? [] : [{ name: planned.name, key }];
  });
  const content = {
    keys: new Map(named.map(({ key }) => [key.keyId, key])),
    roles: {
      root: roleKeys("root", threshold),
      timestamp: roleKeys("timestamp"),
      snapshot: roleKeys("snapshot"),
      targets: roleKeys("targets"),
    },
    names: new Map(named.map(({ name: keyName, key }) => [key.keyId, keyName])),
  };
  const { folder, settings } = signing.repository;
  const expiresMs = signing.nowMs + settings.expiry.rootMs;
  const bytes = await signMetadata(rootSigned(name, content, { version: 1, expiresMs }), signersOf("root"));
  await writeFileDurably(rootFile(folder, name, 1), bytes);
  return parseMetadata(name, "root", bytes);
}
