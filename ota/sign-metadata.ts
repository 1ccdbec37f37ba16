/**
 * The writer's side: builds and signs metadata files, TUF 1.0.31 §4.2 to §4.6. The operator's tools use it; the device does not.
 *
 * Each builder takes what it replaces as `base`, so that members that this client does not know stay in the file (§4, first paragraph).
 */

import { createHash } from "node:crypto";

import { canonicalJson, isJsonObject, type JsonObject } from "./json.ts";
import type { PublicKey } from "./keys.ts";
import { ROLE_NAMES, type RoleKeys, type RoleName, type TargetInfo } from "./metadata.ts";
import type { Signer } from "./signature.ts";

/** The version of the specification that is written. */
const SPEC_VERSION = "1.0.31";

export interface CommonFields {
  readonly version: number;
  /** Milliseconds since 1970; written down to the second. */
  readonly expiresMs: number;
  /** The `signed` object that this one replaces. */
  readonly base?: JsonObject;
}

/** The `signed` object of a root. */
export function rootJson(
  fields: CommonFields & {
    readonly keys: readonly PublicKey[];
    readonly roles: Readonly<Record<RoleName, RoleKeys>>;
  },
): JsonObject {
  const roles = ROLE_NAMES.map((role) => {
    const { keyIds, threshold } = fields.roles[role];
    return [role, { keyids: keyIds, threshold }] as const;
  });
  return {
    ...commonJson("root", fields),
    consistent_snapshot: false,
    keys: Object.fromEntries(fields.keys.map((key) => [key.keyId, key.json])),
    roles: Object.fromEntries(roles),
  };
}

/** Another metadata file: its version and its bytes. */
export interface NamedFile {
  readonly version: number;
  readonly bytes: Uint8Array;
}

/**
 * The `signed` object of a timestamp that names a snapshot. `issuedMs`, milliseconds since 1970, is when it is signed: devices without
 * a trustworthy clock go by it.
 */
export function timestampJson(
  fields: CommonFields & { readonly snapshot: NamedFile; readonly issuedMs?: number },
): JsonObject {
  const { issuedMs } = fields;
  const before = fields.base?.["skerry"];
  const skerry = {
    ...(isJsonObject(before) ? before : {}),
    ...(issuedMs === undefined ? {} : { issued: dateTime(issuedMs) }),
  };
  return {
    ...commonJson("timestamp", fields),
    ...(Object.keys(skerry).length === 0 ? {} : { skerry }),
    meta: { "snapshot.json": fileJson(fields.snapshot) },
  };
}

/** The `signed` object of a snapshot that names the top-level targets and those of delegated roles, by role. */
export function snapshotJson(
  fields: CommonFields & { readonly targets: NamedFile; readonly delegated?: ReadonlyMap<string, NamedFile> },
): JsonObject {
  const delegated = Array.from(fields.delegated ?? [], ([role, file]) => [`${role}.json`, fileJson(file)]);
  return {
    ...commonJson("snapshot", fields),
    meta: { "targets.json": fileJson(fields.targets), ...Object.fromEntries(delegated) },
  };
}

/** The `signed` object of a targets file. Delegations, if any, come with `base`. */
export function targetsJson(fields: CommonFields & { readonly targets: Iterable<TargetInfo> }): JsonObject {
  return {
    ...commonJson("targets", fields),
    targets: Object.fromEntries(Array.from(fields.targets, (target) => [target.path, target.json])),
  };
}

/** A target entry for metadata that is being written; `length` in bytes, `sha256` in lower-case hexadecimal. */
export function targetInfo(
  path: string,
  file: { readonly length: number; readonly sha256: string },
  custom?: JsonObject,
): TargetInfo {
  const { length, sha256 } = file;
  const json = { length, hashes: { sha256 }, ...(custom === undefined ? {} : { custom }) };
  return { path, length, sha256, hashes: new Map([["sha256", sha256]]), custom, json };
}

/** A metadata file's bytes: the object, signed by each signer over its canonical form. */
export async function signMetadata(signed: JsonObject, signers: readonly Signer[]): Promise<Uint8Array> {
  const message = canonicalJson(signed);
  const signatures: JsonObject[] = [];
  for (const signer of signers) {
    const signature = await signer.sign(message);
    signatures.push({ keyid: signer.key.keyId, sig: Buffer.from(signature).toString("hex") });
  }
  return new TextEncoder().encode(`${JSON.stringify({ signatures, signed })}\n`);
}

function commonJson(type: RoleName, fields: CommonFields): JsonObject {
  return {
    ...fields.base,
    _type: type,
    spec_version: SPEC_VERSION,
    version: fields.version,
    expires: dateTime(fields.expiresMs),
  };
}

function dateTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

function fileJson({ version, bytes }: NamedFile): JsonObject {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { version, length: bytes.byteLength, hashes: { sha256 } };
}
