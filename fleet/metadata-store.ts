/**
 * The folder's metadata of one repository: loading it, and signing what follows it.
 *
 * A change is up to three files, written in the order targets, snapshot, timestamp. Power may fail between
 * them: then targets.json is newer than snapshot.json says. `isConsistent` sees that, and the next command
 * that signs brings the others up to it.
 */

import { createHash } from "node:crypto";
import type { JsonObject } from "../ota/json.ts";
import { MAX_METADATA_BYTES } from "../ota/limits.ts";
import type {
  MetadataByRole,
  MetadataFile,
  ParsedFile,
  RepositoryName,
  RoleName,
  Root,
  Snapshot,
  TargetInfo,
  Targets,
  Timestamp,
} from "../ota/metadata.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import {
  type CommonFields,
  signMetadata,
  snapshotJson,
  targetsJson,
  timestampJson,
} from "../ota/sign-metadata.ts";
import type { Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { readFileIfPresent, writeFileDurably } from "./files.ts";
import { type KeyName, loadKey } from "./keys.ts";
import { MAX_ROOTS } from "./limits.ts";
import { metadataFile, type OnlineRole, type Repository, rootFile } from "./repository.ts";
import { lifetimeMs } from "./settings.ts";

/** All metadata of one repository as it lies in the folder. Nothing is verified but its form. */
export interface StoredMetadata {
  readonly name: RepositoryName;
  /** From version 1 on, without gaps. */
  readonly roots: readonly ParsedFile<Root>[];
  readonly targets: ParsedFile<Targets>;
  readonly snapshot: ParsedFile<Snapshot>;
  readonly timestamp: ParsedFile<Timestamp>;
}

/** A repository that has a root and perhaps nothing else yet. */
export type StartedMetadata = Pick<StoredMetadata, "name" | "roots"> & Partial<StoredMetadata>;

/** For whom and when something is signed. */
export interface Signing {
  readonly repository: Repository;
  readonly nowMs: number;
}

/** Which key signs a role. */
export function keyOf(name: RepositoryName, role: RoleName): KeyName {
  if (role === "root") return `${name}-root`;
  return name === "image" && role === "targets" ? "image-targets" : `${name}-online`;
}

/** Loads the metadata; throws FleetError "fleet/repository-damaged". */
export async function loadMetadata(repository: Repository, name: RepositoryName): Promise<StoredMetadata> {
  const { folder } = repository;
  const roots: ParsedFile<Root>[] = [];
  for (let version = 1; version <= MAX_ROOTS; version++) {
    const root = await loadFile(rootFile(folder, name, version), name, "root");
    if (root === undefined) break;
    roots.push(root);
  }
  if (roots.length === 0) throw damaged(`${rootFile(folder, name, 1)} is missing`);
  const load = async <Role extends OnlineRole>(role: Role): Promise<ParsedFile<MetadataByRole[Role]>> => {
    const path = metadataFile(folder, name, role);
    const file = await loadFile(path, name, role);
    if (file === undefined) throw damaged(`${path} is missing`);
    return file;
  };
  return {
    name,
    roots,
    targets: await load("targets"),
    snapshot: await load("snapshot"),
    timestamp: await load("timestamp"),
  };
}

/** Whether the timestamp names this snapshot, and the snapshot these targets. */
export function isConsistent({ targets, snapshot, timestamp }: StoredMetadata): boolean {
  const named = snapshot.metadata.files.get("targets.json");
  return (
    named !== undefined &&
    isNamed(named, targets.bytes) &&
    isNamed(timestamp.metadata.snapshot, snapshot.bytes)
  );
}

/** Signs and writes new targets, then the snapshot and timestamp that name them. */
export async function writeTargets(
  signing: Signing,
  stored: StartedMetadata,
  targets: Iterable<TargetInfo>,
): Promise<StoredMetadata> {
  const sign = await openSigner(signing, stored, ["targets", "snapshot", "timestamp"]);
  const sorted = [...targets].toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const targetsFile = await sign("targets", stored.targets, (fields) =>
    targetsJson({ ...fields, targets: sorted }),
  );
  return signSnapshot(sign, { ...stored, targets: targetsFile });
}

/** Signs and writes a snapshot of the stored targets, and a timestamp. */
export async function writeSnapshot(signing: Signing, stored: StoredMetadata): Promise<StoredMetadata> {
  return signSnapshot(await openSigner(signing, stored, ["snapshot", "timestamp"]), stored);
}

/** Signs and writes a timestamp of the stored snapshot. */
export async function writeTimestamp(signing: Signing, stored: StoredMetadata): Promise<StoredMetadata> {
  return signTimestamp(await openSigner(signing, stored, ["timestamp"]), stored);
}

type Sign = <Role extends OnlineRole>(
  role: Role,
  previous: ParsedFile<MetadataByRole[Role]> | undefined,
  build: (fields: CommonFields, nowMs: number) => JsonObject,
) => Promise<ParsedFile<MetadataByRole[Role]>>;

/** Loads the keys for all these roles first: a missing one must not leave a change half written. */
async function openSigner(
  signing: Signing,
  stored: StartedMetadata,
  roles: readonly OnlineRole[],
): Promise<Sign> {
  const { repository, nowMs } = signing;
  const { name } = stored;
  const signers = new Map<OnlineRole, Signer>();
  for (const role of roles) {
    const signer = await loadKey(repository.settings.keysFolder, keyOf(name, role));
    checkMaySign(stored, role, signer);
    signers.set(role, signer);
  }
  return async (role, previous, build) => {
    const signer = signers.get(role);
    if (signer === undefined) throw new Error(`no signer was opened for ${role}`);
    const fields = {
      version: (previous?.metadata.version ?? 0) + 1,
      expiresMs: nowMs + lifetimeMs(repository.settings.expiry, role),
      ...(previous === undefined ? {} : { base: previous.signedJson }),
    };
    const signed = build(fields, nowMs);
    const bytes = await signMetadata(signed, [signer]);
    checkSize(name, role, bytes);
    const file = parseMetadata(name, role, bytes);
    await writeFileDurably(metadataFile(repository.folder, name, role), bytes);
    return file;
  };
}

async function signSnapshot(
  sign: Sign,
  stored: StartedMetadata & Pick<StoredMetadata, "targets">,
): Promise<StoredMetadata> {
  const snapshot = await sign("snapshot", stored.snapshot, (fields) =>
    snapshotJson({ ...fields, targets: namedFile(stored.targets) }),
  );
  return signTimestamp(sign, { ...stored, snapshot });
}

async function signTimestamp(
  sign: Sign,
  stored: StartedMetadata & Pick<StoredMetadata, "targets" | "snapshot">,
): Promise<StoredMetadata> {
  const timestamp = await sign("timestamp", stored.timestamp, (fields, issuedMs) =>
    timestampJson({ ...fields, issuedMs, snapshot: namedFile(stored.snapshot) }),
  );
  return { ...stored, timestamp };
}

/** A signature by a key that the root does not list would be worth nothing to a device. */
function checkMaySign(stored: StartedMetadata, role: OnlineRole, signer: Signer): void {
  const root = stored.roots.at(-1);
  const allowed = root?.metadata.roles[role];
  const key = keyOf(stored.name, role);
  if (root === undefined || allowed === undefined || !allowed.keyIds.includes(signer.key.keyId)) {
    throw new FleetError(
      "fleet/key",
      `The key ${key} is not the one that the ${stored.name} root lists for ${role}: is it another fleet's?`,
    );
  }
  if (allowed.threshold > 1) {
    throw new FleetError(
      "fleet/key",
      `The ${stored.name} root asks for ${allowed.threshold} signatures on ${role}; signing with several keys is not supported yet`,
    );
  }
}

function checkSize(name: RepositoryName, role: OnlineRole, bytes: Uint8Array): void {
  if (bytes.byteLength <= MAX_METADATA_BYTES) return;
  const advice =
    name === "image"
      ? "a repository holds somewhat over a hundred releases until they can be spread over several files"
      : "finish rollouts (assign at 100 percent), and assign groups instead of single devices";
  throw new FleetError(
    "fleet/metadata-too-large",
    `${name}/${role}.json would have ${bytes.byteLength} bytes and a message holds ${MAX_METADATA_BYTES}; nothing was changed: ${advice}`,
  );
}

async function loadFile<Role extends RoleName>(
  path: string,
  name: RepositoryName,
  role: Role,
): Promise<ParsedFile<MetadataByRole[Role]> | undefined> {
  const bytes = await readFileIfPresent(path, MAX_METADATA_BYTES);
  if (bytes === undefined) return undefined;
  try {
    return parseMetadata(name, role, bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(`${path} is no metadata (${reason})`, { cause: error });
  }
}

function namedFile({ metadata, bytes }: ParsedFile<Targets> | ParsedFile<Snapshot>): {
  version: number;
  bytes: Uint8Array;
} {
  return { version: metadata.version, bytes };
}

function isNamed(file: MetadataFile, bytes: Uint8Array): boolean {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return file.length === bytes.byteLength && file.hashes.get("sha256") === sha256;
}

function damaged(what: string, options?: ErrorOptions): FleetError {
  return new FleetError("fleet/repository-damaged", `${what}: bring it back from git or the backup`, options);
}
