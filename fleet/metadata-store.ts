/**
 * The folder's metadata of one repository, as it lies there.
 *
 * A change is several files, written so that what names a file comes after it (write-metadata.ts). Power may fail between them: then
 * targets.json is newer than snapshot.json says. `isConsistent` sees that, and the next command that signs brings the others up to it.
 */

import { createHash } from "node:crypto";
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
import { isDelegatedRole } from "../ota/names.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { type DelegatedFiles, listedTargets, TOP_LEVEL } from "./delegations.ts";
import { FleetError } from "./errors.ts";
import { readFileIfPresent } from "./files.ts";
import { MAX_ROOTS, MAX_VERSION_JUMP } from "./limits.ts";
import { metadataFile, type OnlineRole, type Repository, rootFile } from "./repository.ts";

/** All metadata of one repository as it lies in the folder. Nothing is verified but its form. */
export interface StoredMetadata {
  readonly name: RepositoryName;
  /** From version 1 on, without gaps. */
  readonly roots: readonly ParsedFile<Root>[];
  readonly targets: ParsedFile<Targets>;
  /** Of each role that targets delegate to or that the snapshot lists, if it was signed yet. */
  readonly delegated: DelegatedFiles;
  readonly snapshot: ParsedFile<Snapshot>;
  readonly timestamp: ParsedFile<Timestamp>;
}

/** A repository that has a root and perhaps nothing else yet. */
export type StartedMetadata = Pick<StoredMetadata, "name" | "roots"> & Partial<StoredMetadata>;

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
  const targets = await load("targets");
  const snapshot = await load("snapshot");
  const delegated = await loadDelegated(folder, name, targets.metadata, snapshot.metadata);
  return { name, roots, targets, delegated, snapshot, timestamp: await load("timestamp") };
}

async function loadDelegated(
  folder: string,
  name: RepositoryName,
  targets: Targets,
  snapshot: Snapshot,
): Promise<DelegatedFiles> {
  const listed = [...snapshot.files.keys()].map((file) => file.replace(/\.json$/, ""));
  const delegated = targets.delegations?.roles.map((role) => role.name) ?? [];
  const files = new Map<string, ParsedFile<Targets>>();
  for (const role of new Set([...delegated, ...listed].filter(isDelegatedRole))) {
    const path = metadataFile(folder, name, role);
    const file = await loadFile(path, name, "targets", role);
    if (file !== undefined) files.set(role, file);
    else if (listed.includes(role)) throw damaged(`${path} is missing`);
  }
  return files;
}

/** Every target of the repository that devices find, by path. */
export function listedTargetsOf({ targets, delegated }: StoredMetadata): ReadonlyMap<string, TargetInfo> {
  return listedTargets(targets.metadata, delegated);
}

/** Whether the timestamp names this snapshot, and the snapshot these targets. */
export function isConsistent({ targets, delegated, snapshot, timestamp }: StoredMetadata): boolean {
  const { files } = snapshot.metadata;
  return (
    [[TOP_LEVEL, targets] as const, ...delegated].every(([role, { bytes }]) =>
      isNamed(files.get(`${role}.json`), bytes),
    ) && isNamed(timestamp.metadata.snapshot, snapshot.bytes)
  );
}

/**
 * Refuses to sign a snapshot that would name a team's file with an absurd version: devices that saw it take no lower one, whoever signs it. Throws
 * FleetError "fleet/version-jump".
 */
export function refuseVersionJumps({ delegated = new Map(), snapshot }: Partial<StoredMetadata>): void {
  for (const [role, { metadata }] of delegated) {
    const named = snapshot?.metadata.files.get(`${role}.json`)?.version ?? 0;
    if (metadata.version - named <= MAX_VERSION_JUMP) continue;
    const file = `image/${role}.json`;
    // Nothing is signed over this file, its key's rotation included: it has to be put right first.
    const remedy =
      named === 0
        ? `remove it, and publish again what it listed`
        : `bring the former one back, from git, the backup or the broker, which keeps it on the topic …/image/${role} (docs/OPERATIONS.md, "A team of publishers")`;
    throw new FleetError(
      "fleet/version-jump",
      `${file} has version ${metadata.version}, and the snapshot names version ${named}: nothing was signed, since no version might be left for the role. ` +
        `\`skerry publish\` did not write that: first ${remedy}; then take its key away with \`skerry keys rotate ${role}\``,
    );
  }
}

async function loadFile<Role extends RoleName>(
  path: string,
  name: RepositoryName,
  role: Role,
  roleName: string = role,
): Promise<ParsedFile<MetadataByRole[Role]> | undefined> {
  const bytes = await readFileIfPresent(path, MAX_METADATA_BYTES);
  if (bytes === undefined) return undefined;
  try {
    return parseMetadata(name, role, bytes, roleName);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw damaged(`${path} is no metadata (${reason})`, { cause: error });
  }
}

function isNamed(file: MetadataFile | undefined, bytes: Uint8Array): boolean {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return file?.length === bytes.byteLength && file.hashes.get("sha256") === sha256;
}

function damaged(what: string, options?: ErrorOptions): FleetError {
  return new FleetError("fleet/repository-damaged", `${what}: bring it back from git or the backup`, options);
}
