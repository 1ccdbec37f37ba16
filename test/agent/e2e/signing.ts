/** Metadata as a publisher, or whoever stole a key of his, signs it: any content, by the keys of a rig's repository. */
import type { Rig } from "../../../demo/rig.ts";
import { keyFile, openKey, readKeyFile } from "../../../fleet/keys.ts";
import { keyOf, loadMetadata, type StoredMetadata } from "../../../fleet/metadata-store.ts";
import type { RepositoryName, RoleName } from "../../../ota/metadata.ts";
import {
  type CommonFields,
  signMetadata,
  snapshotJson,
  targetsJson,
  timestampJson,
} from "../../../ota/sign-metadata.ts";
import type { Signer } from "../../../ota/signature.ts";

const DAY_MS = 86_400_000;

/** What a repository's folder holds, and the means to sign what could follow it. */
export class Forge {
  readonly stored: StoredMetadata;
  readonly #rig: Rig;

  private constructor(rig: Rig, stored: StoredMetadata) {
    this.#rig = rig;
    this.stored = stored;
  }

  static async open(rig: Rig, repository: RepositoryName): Promise<Forge> {
    return new Forge(rig, await loadMetadata(rig.repository, repository));
  }

  async signer(role: RoleName): Promise<Signer> {
    const { keysFolder } = this.#rig.repository.settings;
    return openKey(await readKeyFile(keyFile(keysFolder, keyOf(this.stored.name, role))), undefined);
  }

  /** The version after the stored one. */
  next(role: "timestamp" | "snapshot" | "targets", expiresMs = Date.now() + DAY_MS): CommonFields {
    const { metadata, signedJson } = this.stored[role];
    return { version: metadata.version + 1, expiresMs, base: signedJson };
  }

  /** A timestamp that names a snapshot. */
  async timestamp(
    fields: CommonFields = this.next("timestamp"),
    snapshot: { version: number; bytes: Uint8Array } = named(this.stored.snapshot),
  ): Promise<Uint8Array> {
    return signMetadata(timestampJson({ ...fields, snapshot }), [await this.signer("timestamp")]);
  }

  /** A snapshot that names targets. */
  async snapshot(
    fields: CommonFields = this.next("snapshot"),
    targets: { version: number; bytes: Uint8Array } = named(this.stored.targets),
  ): Promise<Uint8Array> {
    return signMetadata(snapshotJson({ ...fields, targets }), [await this.signer("snapshot")]);
  }

  /** Targets with the stored entries. */
  async targets(fields: CommonFields = this.next("targets")): Promise<Uint8Array> {
    const targets = this.stored.targets.metadata.targets.values();
    return signMetadata(targetsJson({ ...fields, targets }), [await this.signer("targets")]);
  }
}

function named(file: { readonly metadata: { readonly version: number }; readonly bytes: Uint8Array }) {
  return { version: file.metadata.version, bytes: file.bytes };
}
