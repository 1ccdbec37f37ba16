/**
 * The trusted metadata of one repository on the disk: TUF 1.0.31 §5.3.8, §5.4.5, §5.5.7, §5.6.6, and what must not be lost between two of
 * these writes.
 *
 *     root.json timestamp.json snapshot.json targets.json    as they arrived, each replaced durably
 *     record.json    {"anchor": SHA-256 of the provisioned root, "voidFrom"?: N}
 *
 * `voidFrom` stands there while root N takes over with other timestamp or snapshot keys (§5.3.11): from the moment that root N is on the disk the
 * stored timestamp and snapshot are worth nothing, even where a power cut left them there and one of their keys is still good. So the record is
 * written first and taken back last.
 */

import { join } from "node:path";

import type { Disk } from "./disk.ts";
import { readWhole, writeDurably } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { parseJson } from "./json.ts";
import { MAX_METADATA_BYTES, MAX_TRUST_RECORD_BYTES } from "./limits.ts";
import { ROLE_NAMES, type RoleName } from "./metadata.ts";
import { isSha256 } from "./names.ts";
import { isCount, isObject } from "./release.ts";

const RECORD_FILE = "record.json";

/** What is remembered beside the metadata. */
export interface TrustRecord {
  /** SHA-256 of the provisioned root that the stored metadata grew from; undefined where none was recorded. */
  readonly anchor: string | undefined;
  /** The stored timestamp and snapshot don't count under a root of this version or later. */
  readonly voidFrom: number | undefined;
}

/** What a repository's folder holds, unverified. */
export interface StoredTrust {
  readonly files: Readonly<Partial<Record<RoleName, Uint8Array>>>;
  readonly record: TrustRecord;
}

/** One repository's folder. */
export class TrustFolder {
  readonly #disk: Disk;
  readonly #folder: string;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Reads everything; a file over its bound is left out like one that is not there. Throws OtaError "store/io". */
  async load(): Promise<StoredTrust> {
    const files: Partial<Record<RoleName, Uint8Array>> = {};
    for (const role of ROLE_NAMES) {
      const bytes = await this.#read(`${role}.json`, MAX_METADATA_BYTES);
      if (bytes !== undefined) files[role] = bytes;
    }
    const record = await this.#read(RECORD_FILE, MAX_TRUST_RECORD_BYTES);
    return { files, record: parseRecord(record) };
  }

  /** Makes one role's verified metadata durable; a root that voids the older timestamp and snapshot goes by `replaceRoot`. */
  async save(role: RoleName, bytes: Uint8Array): Promise<void> {
    await writeDurably(this.#disk, join(this.#folder, `${role}.json`), bytes);
  }

  /** Makes a root durable under which the stored timestamp and snapshot don't count; no cut lets one count without the other. */
  async replaceRoot(version: number, bytes: Uint8Array): Promise<void> {
    const { record } = await this.load();
    await this.#saveRecord({ ...record, voidFrom: version });
    await this.save("root", bytes);
    await this.forget(["timestamp", "snapshot"], record.anchor);
  }

  /** Removes files, then records the root that the rest grew from, with nothing left to void. */
  async forget(roles: readonly RoleName[], anchor: string | undefined): Promise<void> {
    for (const role of roles) await this.#disk.remove(join(this.#folder, `${role}.json`));
    if (roles.length > 0) await this.#disk.syncDirectory(this.#folder);
    await this.#saveRecord({ anchor, voidFrom: undefined });
  }

  async #saveRecord(record: TrustRecord): Promise<void> {
    await writeDurably(this.#disk, join(this.#folder, RECORD_FILE), Buffer.from(JSON.stringify(record)));
  }

  async #read(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    try {
      return await readWhole(this.#disk, join(this.#folder, name), maxBytes);
    } catch (error) {
      // What can't be what it should comes again over the air, as whatever does not verify does.
      if (error instanceof OtaError && error.code === "store/corrupt") return undefined;
      throw error;
    }
  }
}

/** A spoiled record is none: then the metadata has to show by its signatures that it continues the provisioned root. */
function parseRecord(bytes: Uint8Array | undefined): TrustRecord {
  const none = { anchor: undefined, voidFrom: undefined };
  if (bytes === undefined) return none;
  try {
    const json: unknown = parseJson(bytes, { maxBytes: MAX_TRUST_RECORD_BYTES });
    if (!isObject(json)) return none;
    const { anchor, voidFrom } = json;
    return {
      anchor: typeof anchor === "string" && isSha256(anchor) ? anchor : undefined,
      voidFrom: isCount(voidFrom) ? voidFrom : undefined,
    };
  } catch (error) {
    if (error instanceof OtaError) return none;
    throw error;
  }
}
