/**
 * Signing several metadata files as one change: all are made in memory first, then written in the order in which devices would have to see them.
 * What a missing key or a file that grew too large stops has changed nothing; what power stops in between, `isConsistent` sees, and the next
 * command that signs completes.
 */

import type { JsonObject } from "../ota/json.ts";
import { MAX_METADATA_BYTES } from "../ota/limits.ts";
import type { MetadataByRole, ParsedFile, RepositoryName, RoleKeys, Targets } from "../ota/metadata.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { type CommonFields, signMetadata } from "../ota/sign-metadata.ts";
import { TOP_LEVEL } from "./delegations.ts";
import { FleetError } from "./errors.ts";
import { writeFileDurably } from "./files.ts";
import { type KeyNames, Keyring } from "./keyring.ts";
import { metadataFile, type OnlineRole, type Repository } from "./repository.ts";
import { lifetimeMs } from "./settings.ts";

/** For whom and when something is signed. */
export interface Signing {
  readonly repository: Repository;
  readonly nowMs: number;
}

/** Who signs a role. */
export interface Signatory {
  readonly keys: RoleKeys;
  readonly names: KeyNames;
}

/** Roots first, then what is named before what names it. */
const WRITING_ORDER = ["root", "delegated", "targets", "snapshot", "timestamp"] as const;
type Rank = (typeof WRITING_ORDER)[number];

export class SigningBatch {
  readonly #signing: Signing;
  readonly #name: RepositoryName;
  readonly #keyring: Keyring;
  readonly #files: { readonly rank: Rank; readonly path: string; readonly bytes: Uint8Array }[] = [];

  private constructor(signing: Signing, name: RepositoryName, keyring: Keyring) {
    this.#signing = signing;
    this.#name = name;
    this.#keyring = keyring;
  }

  static async open(signing: Signing, name: RepositoryName): Promise<SigningBatch> {
    return new SigningBatch(signing, name, await Keyring.open(signing.repository));
  }

  /** Whether enough keys are here. */
  canSign({ keys }: Signatory): boolean {
    return this.#keyring.canSign(keys);
  }

  /**
   * Signs the next version of a delegated role's targets. Throws FleetError "fleet/key", "fleet/passphrase-…",
   * "fleet/metadata-too-large".
   */
  delegated(
    role: string,
    signatory: Signatory,
    previous: ParsedFile<Targets> | undefined,
    build: (fields: CommonFields) => JsonObject,
  ): Promise<ParsedFile<Targets>> {
    return this.#sign("targets", role, signatory, previous, build);
  }

  /** Signs the next version of a role that the root names. Throws as `delegated`. */
  topLevel<Role extends OnlineRole>(
    role: Role,
    signatory: Signatory,
    previous: ParsedFile<MetadataByRole[Role]> | undefined,
    build: (fields: CommonFields) => JsonObject,
  ): Promise<ParsedFile<MetadataByRole[Role]>> {
    return this.#sign(role, role, signatory, previous, build);
  }

  /** A file that was signed already. */
  add(rank: Rank, path: string, bytes: Uint8Array): void {
    this.#files.push({ rank, path, bytes });
  }

  /** Writes all of it. Throws FleetError "fleet/io". */
  async commit(): Promise<void> {
    for (const rank of WRITING_ORDER) {
      for (const file of this.#files) if (file.rank === rank) await writeFileDurably(file.path, file.bytes);
    }
  }

  async #sign<Role extends OnlineRole>(
    kind: Role,
    role: string,
    { keys, names }: Signatory,
    previous: ParsedFile<MetadataByRole[Role]> | undefined,
    build: (fields: CommonFields) => JsonObject,
  ): Promise<ParsedFile<MetadataByRole[Role]>> {
    const { repository, nowMs } = this.#signing;
    const signers = await this.#keyring.signers(keys, `${this.#name}/${role}.json`, names);
    const signed = build({
      version: (previous?.metadata.version ?? 0) + 1,
      expiresMs: nowMs + lifetimeMs(repository.settings.expiry, kind),
      ...(previous === undefined ? {} : { base: previous.signedJson }),
    });
    const bytes = await signMetadata(signed, signers);
    checkSize(this.#name, role, bytes);
    this.add(role === kind ? kind : "delegated", metadataFile(repository.folder, this.#name, role), bytes);
    return parseMetadata(this.#name, kind, bytes, role);
  }
}

function checkSize(name: RepositoryName, role: string, bytes: Uint8Array): void {
  if (bytes.byteLength <= MAX_METADATA_BYTES) return;
  throw new FleetError(
    "fleet/metadata-too-large",
    `${name}/${role}.json would have ${bytes.byteLength} bytes and a message holds ${MAX_METADATA_BYTES}; nothing was changed: ${advice(name, role)}`,
  );
}

function advice(name: RepositoryName, role: string): string {
  if (name === "director")
    return "finish rollouts (assign at 100 percent), and assign groups instead of single devices";
  if (role === TOP_LEVEL) return "`skerry keys bins 16` spreads the releases over 16 files";
  if (role.startsWith("bin-")) return "`skerry keys bins` with twice as many spreads them further";
  return "a team's releases are one file: give its modules to several roles";
}
