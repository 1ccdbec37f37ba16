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
import { isSignedBy } from "../ota/root-chain.ts";
import {
  type CommonFields,
  signMetadata,
  snapshotJson,
  targetsJson,
  timestampJson,
} from "../ota/sign-metadata.ts";
import type { SignatureVerifier, Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { readFileIfPresent, writeFileDurably } from "./files.ts";
import { Keyring } from "./keyring.ts";
import { MAX_ROOTS } from "./limits.ts";
import { metadataFile, type OnlineRole, type Repository, rootFile } from "./repository.ts";
import { keyNamesOf } from "./root-changes.ts";
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

/** The name of the key that a new repository's root lists for a role; with several root keys a number follows. */
export function keyOf(name: RepositoryName, role: RoleName): string {
  if (role === "root") return `${name}-root`;
  return name === "image" && role === "targets" ? "image-targets" : `${name}-online`;
}

/** The newest root. */
export function newestRoot({ name, roots }: Pick<StoredMetadata, "name" | "roots">): ParsedFile<Root> {
  const root = roots.at(-1);
  if (root === undefined) throw new TypeError(`the ${name} repository has no root`);
  return root;
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
  return signTargets(await openSigner(signing, stored, SIGNING_ORDER), stored, targets);
}

/**
 * Takes a root in that has all its signatures, and signs again what the keys of the one before signed and its own did not. Every key is
 * opened before anything is written; after a power cut in between `refreshRepository` does the rest.
 */
export async function writeRoot(
  signing: Signing,
  before: StoredMetadata,
  root: ParsedFile<Root>,
  verifier: SignatureVerifier,
): Promise<StoredMetadata> {
  const stored = { ...before, roots: [...before.roots, root] };
  const first = firstUnsignedRole(stored, verifier);
  const sign = await openSigner(signing, stored, first === undefined ? [] : rolesFrom(first));
  await writeFileDurably(rootFile(signing.repository.folder, stored.name, root.metadata.version), root.bytes);
  return first === undefined ? stored : signFrom(sign, stored, first);
}

/** Signs and writes a role's stored content again, and what names it. */
export async function signAgain(
  signing: Signing,
  stored: StoredMetadata,
  first: OnlineRole,
): Promise<StoredMetadata> {
  return signFrom(await openSigner(signing, stored, rolesFrom(first)), stored, first);
}

/** The topmost role that the newest root's keys did not sign. */
export function firstUnsignedRole(
  stored: StoredMetadata,
  verifier: SignatureVerifier,
): OnlineRole | undefined {
  const root = newestRoot(stored).metadata;
  return SIGNING_ORDER.find((role) => !isSignedBy(root, role, stored[role], verifier));
}

/** What is signed first is named by what follows. */
const SIGNING_ORDER = ["targets", "snapshot", "timestamp"] as const;

export function rolesFrom(first: OnlineRole): readonly OnlineRole[] {
  return SIGNING_ORDER.slice(SIGNING_ORDER.indexOf(first));
}

type Sign = <Role extends OnlineRole>(
  role: Role,
  previous: ParsedFile<MetadataByRole[Role]> | undefined,
  build: (fields: CommonFields, nowMs: number) => JsonObject,
) => Promise<ParsedFile<MetadataByRole[Role]>>;

/** Opens the keys for all these roles first: a missing one must not leave a change half written. */
async function openSigner(
  signing: Signing,
  stored: StartedMetadata,
  roles: readonly OnlineRole[],
): Promise<Sign> {
  const { repository, nowMs } = signing;
  const { name } = stored;
  const root = newestRoot(stored);
  const keyring = await Keyring.open(repository);
  const signersByRole = new Map<OnlineRole, readonly Signer[]>();
  for (const role of roles) {
    const what = `${name}/${role}.json`;
    signersByRole.set(role, await keyring.signers(root.metadata.roles[role], what, keyNamesOf(root)));
  }
  return async (role, previous, build) => {
    const signers = signersByRole.get(role);
    if (signers === undefined) throw new Error(`no signer was opened for ${role}`);
    const fields = {
      version: (previous?.metadata.version ?? 0) + 1,
      expiresMs: nowMs + lifetimeMs(repository.settings.expiry, role),
      ...(previous === undefined ? {} : { base: previous.signedJson }),
    };
    const signed = build(fields, nowMs);
    const bytes = await signMetadata(signed, signers);
    checkSize(name, role, bytes);
    const file = parseMetadata(name, role, bytes);
    await writeFileDurably(metadataFile(repository.folder, name, role), bytes);
    return file;
  };
}

function signFrom(sign: Sign, stored: StoredMetadata, first: OnlineRole): Promise<StoredMetadata> {
  switch (first) {
    case "targets":
      return signTargets(sign, stored, stored.targets.metadata.targets.values());
    case "snapshot":
      return signSnapshot(sign, stored);
    case "timestamp":
      return signTimestamp(sign, stored);
  }
}

async function signTargets(
  sign: Sign,
  stored: StartedMetadata,
  targets: Iterable<TargetInfo>,
): Promise<StoredMetadata> {
  const sorted = [...targets].toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const targetsFile = await sign("targets", stored.targets, (fields) =>
    targetsJson({ ...fields, targets: sorted }),
  );
  return signSnapshot(sign, { ...stored, targets: targetsFile });
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
