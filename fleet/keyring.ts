/**
 * The key files at hand, found by what the root says: a role names key ids, and here are the files that hold them.
 *
 * The folders are `keys` of skerry.toml and the one that --keys names (a stick with offline keys).
 */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { RoleKeys } from "../ota/metadata.ts";
import type { Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { ioError, systemCode } from "./files.ts";
import { isKeyFileName, type KeyFile, keyFile, openKey, readKeyFile } from "./keys.ts";
import { MAX_KEY_FILES } from "./limits.ts";
import type { Passphrases } from "./passphrases.ts";
import type { KeyAccess, Repository } from "./repository.ts";

/** The digits of a key id that people are shown. */
const SHOWN_ID_DIGITS = 8;

/** Names of keys by their ids. */
export type KeyNames = ReadonlyMap<string, string>;

export class Keyring {
  readonly files: readonly KeyFile[];
  readonly #folders: readonly string[];
  readonly #passphrases: Passphrases | undefined;
  readonly #opened: Map<string, Signer>;

  private constructor(
    files: readonly KeyFile[],
    folders: readonly string[],
    keyAccess: KeyAccess | undefined,
  ) {
    this.files = files;
    this.#folders = folders;
    this.#passphrases = keyAccess?.passphrases;
    this.#opened = keyAccess?.opened ?? new Map();
  }

  /** Reads the key files of a repository's folders; a folder that is not there is empty. Throws FleetError "fleet/key", "fleet/io". */
  static async open({ settings, keyAccess }: Repository): Promise<Keyring> {
    const folders = [...new Set([settings.keysFolder, ...(keyAccess?.furtherFolders ?? [])])];
    const files: KeyFile[] = [];
    for (const folder of folders) files.push(...(await readKeysFolder(folder)));
    return new Keyring(files, folders, keyAccess);
  }

  find(keyId: string): KeyFile | undefined {
    return this.files.find((file) => file.key.keyId === keyId);
  }

  /** Whether enough keys of a role are here and can be opened, as far as that is known without asking. */
  canSign(role: RoleKeys): boolean {
    return this.#usable(role).length >= role.threshold;
  }

  /**
   * As many signers of a role as its threshold asks for. `what` is signed; `names` are for the message.
   *
   * Throws FleetError "fleet/key" if there are too few, "fleet/passphrase-…".
   */
  async signers(role: RoleKeys, what: string, names: KeyNames): Promise<readonly Signer[]> {
    const here = role.keyIds.flatMap((keyId) => this.find(keyId) ?? []);
    // Keys that need no passphrase first: a timer has nobody to ask.
    const ordered = here.toSorted((left, right) => Number(isEncrypted(left)) - Number(isEncrypted(right)));
    if (ordered.length < role.threshold) throw this.#tooFew(role, what, names, here.length);
    const signers: Signer[] = [];
    for (const file of ordered.slice(0, role.threshold)) signers.push(await this.signer(file));
    return signers;
  }

  async signer(file: KeyFile): Promise<Signer> {
    const { keyId } = file.key;
    const signer = this.#opened.get(keyId) ?? (await openKey(file, this.#passphrases));
    this.#opened.set(keyId, signer);
    return signer;
  }

  #usable({ keyIds }: RoleKeys): readonly KeyFile[] {
    const canAsk = this.#passphrases?.isAvailable === true;
    return this.files.filter((file) => keyIds.includes(file.key.keyId) && (canAsk || !isEncrypted(file)));
  }

  #tooFew(role: RoleKeys, what: string, names: KeyNames, found: number): FleetError {
    const wanted = role.keyIds.map((keyId) => showKey(keyId, names)).join(", ");
    const others = role.keyIds.flatMap((keyId) => {
      const name = names.get(keyId);
      const other = this.files.find((file) => file.name === name);
      return other === undefined || other.key.keyId === keyId ? [] : [other.path];
    });
    const hint =
      others.length === 0
        ? ""
        : `. ${others.join(", ")} holds another key than the one that the root lists under that name: is it another fleet's?`;
    return new FleetError(
      "fleet/key",
      `${what} is signed by ${role.threshold} of ${wanted}, and ${found === 0 ? "none of them is" : `only ${found} of them is`} in ` +
        `${this.#folders.join(", ")}: bring the key back, or name the folder that holds it with --keys${hint}`,
    );
  }
}

/** A key as people are told of it: `image-root-1 (3f2a91c0)`. */
export function showKey(keyId: string, names: KeyNames): string {
  const shown = keyId.slice(0, SHOWN_ID_DIGITS);
  const name = names.get(keyId);
  return name === undefined ? `key ${shown}` : `${name} (${shown})`;
}

export function isEncrypted(file: KeyFile): boolean {
  return file.secret.kind === "encrypted";
}

async function readKeysFolder(folder: string): Promise<readonly KeyFile[]> {
  const names = (await listFolder(folder)).filter(isKeyFileName).toSorted();
  if (names.length > MAX_KEY_FILES) {
    throw new FleetError("fleet/key", `${folder} holds ${names.length} key files, at most ${MAX_KEY_FILES}`);
  }
  const files: KeyFile[] = [];
  for (const name of names) {
    const file = await readKeyFile(join(folder, name));
    if (keyFile(folder, file.name) !== file.path) {
      throw new FleetError("fleet/key", `${file.path} holds the key "${file.name}": call the file so`);
    }
    files.push(file);
  }
  return files;
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw ioError("read", folder, error);
  }
}
