/**
 * The root before one that somebody is asked to sign, as far as it can be believed: what is shown as changed is the difference to it.
 *
 * The file to be signed travels, and whoever carries it can put another root before it beside it, or a whole repository folder around it: then the
 * difference would be false. So it is taken from where it can't have travelled along, or it needs a signature of the keeper's own:
 *
 * - the file that the keeper names with --previous;
 * - the repository folder: one that was named, or that was found and did not come with the file. What waits in one that was found is the operator's
 *   own where neither it nor a key of the keeper's is named;
 * - what lies beside the file, or in a repository folder around it, if the key that the keeper names with --key signed it. Who exchanges the key
 *   file as well gets no signature: its public half has to belong to what the passphrase opens.
 */

import { realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { PublicKey } from "../ota/keys.ts";
import type { ParsedFile, Root } from "../ota/metadata.ts";
import type { SignatureVerifier } from "../ota/signature.ts";
import { tallySignatures } from "../ota/verify-signatures.ts";
import { FleetError } from "./errors.ts";
import { loadMetadata } from "./metadata-store.ts";
import { type RootOnFile, readRoot } from "./pending-root.ts";
import { type Repository, rootFile } from "./repository.ts";

export interface RootBefore {
  /** Undefined for a first root, and where there is none to go by. */
  readonly root: ParsedFile<Root> | undefined;
  /** A file that says it is that root, and that is not believed. */
  readonly unproven?: string;
}

/** Where to look. */
export interface RootBeforeSources {
  /** What --previous names. */
  readonly named: string | undefined;
  readonly repository: Repository | undefined;
  /** False if it was found around the current folder. */
  readonly isRepositoryNamed: boolean;
  /** False for what waits in the repository. */
  readonly isFileNamed: boolean;
  /** The keeper's own key. */
  readonly ownKey?: PublicKey | undefined;
  readonly verifier: SignatureVerifier;
}

/** Finds it; throws FleetError "fleet/usage" if --previous names another, "fleet/pending-root", "fleet/io". */
export async function rootBefore(onFile: RootOnFile, sources: RootBeforeSources): Promise<RootBefore> {
  const version = onFile.root.metadata.version - 1;
  if (version < 1) return { root: undefined };
  const { named, repository } = sources;
  if (named !== undefined) return { root: await namedRoot(named, onFile, version) };
  if (repository !== undefined && (await isOperators(repository, onFile, sources))) {
    const { roots } = await loadMetadata(repository, onFile.name);
    const root = roots.find(({ metadata }) => metadata.version === version);
    if (root !== undefined) return { root };
  }
  return aroundIt(onFile, version, sources);
}

async function namedRoot(named: string, { path }: RootOnFile, version: number): Promise<ParsedFile<Root>> {
  const { root } = await readRoot(named);
  if (root.metadata.version === version) return root;
  throw new FleetError(
    "fleet/usage",
    `${named} is root ${root.metadata.version}; the one before ${path} is root ${version}`,
  );
}

/** Whether a repository's folder can't have come with the file. */
async function isOperators(
  repository: Repository,
  { path }: RootOnFile,
  { isRepositoryNamed, isFileNamed, ownKey }: RootBeforeSources,
): Promise<boolean> {
  if (isRepositoryNamed || (!isFileNamed && ownKey === undefined)) return true;
  const [file, folder] = await Promise.all([realpath(path), realpath(repository.folder)]);
  return !file.startsWith(`${folder}${sep}`);
}

/** What may have travelled with the file: believed if the keeper's own key signed it. */
async function aroundIt(
  { path, name }: RootOnFile,
  version: number,
  { repository, ownKey, verifier }: RootBeforeSources,
): Promise<RootBefore> {
  const beside = [`${name}-${version}.root.json`, `${version}.root.json`].map((file) =>
    join(dirname(path), file),
  );
  const files = repository === undefined ? beside : [...beside, rootFile(repository.folder, name, version)];
  let unproven: string | undefined;
  for (const file of files) {
    const found = await rootIfAny(file);
    if (found === undefined || found.name !== name || found.root.metadata.version !== version) continue;
    if (ownKey !== undefined && isSignedBy(found.root, ownKey, verifier)) return { root: found.root };
    unproven ??= found.path;
  }
  return unproven === undefined ? { root: undefined } : { root: undefined, unproven };
}

function isSignedBy(root: ParsedFile<Root>, key: PublicKey, verifier: SignatureVerifier): boolean {
  const role = { keyIds: [key.keyId], threshold: 1 };
  return tallySignatures(root, new Map([[key.keyId, key]]), role, verifier).kind === "met";
}

async function rootIfAny(path: string): Promise<RootOnFile | undefined> {
  try {
    return await readRoot(path);
  } catch (error) {
    // What is no root says nothing about the one before.
    if (error instanceof FleetError) return undefined;
    throw error;
  }
}
