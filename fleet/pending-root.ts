/**
 * A root on its way into a repository: prepared by one person, signed by others on their own machines, taken in when the thresholds
 * of the root before it and its own are met (TUF 1.0.31 §5.3.4, §6.1).
 *
 * It is a root as TUF writes it, with the signatures that it has so far, in a file that travels: `pending/image-2.root.json`. A further
 * change before it is complete makes it another root, without signatures.
 */

import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { OtaError } from "../ota/errors.ts";
import { canonicalJson } from "../ota/json.ts";
import { MAX_METADATA_BYTES } from "../ota/limits.ts";
import type { ParsedFile, RepositoryName, Root } from "../ota/metadata.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import { signMetadata } from "../ota/sign-metadata.ts";
import { createVerifier, type SignatureVerifier, type Signer } from "../ota/signature.ts";
import { verifySignature } from "../ota/signature-schemes.ts";
import { tallySignatures } from "../ota/verify-signatures.ts";
import { FleetError } from "./errors.ts";
import { makeFolder, readFileBounded, readFileIfPresent, syncFolder, writeFileDurably } from "./files.ts";
import { withRepositoryLock } from "./lock.ts";
import { loadMetadata, newestRoot, type StoredMetadata } from "./metadata-store.ts";
import { pendingRootFile, REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { changeRoot, contentOf, type RootChange, repositoryOfRoot, rootSigned } from "./root-changes.ts";
import { writeRoot } from "./write-metadata.ts";

/** A root in a file of its own, wherever it lies. */
export interface RootOnFile {
  readonly path: string;
  readonly name: RepositoryName;
  readonly root: ParsedFile<Root>;
}

/** A threshold that a root does not meet yet. */
interface MissingSignatures {
  /** The version of the root whose keys have to sign. */
  readonly version: number;
  readonly count: number;
  readonly keyIds: readonly string[];
}

export interface RootSignatures {
  /** Keys with a valid signature, of those that may sign. */
  readonly signedBy: readonly string[];
  readonly missing: readonly MissingSignatures[];
}

/** Reads a root that lies anywhere; throws FleetError "fleet/pending-root" if it is none, "fleet/io". */
export async function readRoot(path: string): Promise<RootOnFile> {
  const bytes = await readFileBounded(path, MAX_METADATA_BYTES);
  for (const name of REPOSITORY_NAMES) {
    const root = parseRoot(path, name, bytes);
    const stated = repositoryOfRoot(root) ?? statedByPath(path);
    if (stated === name) return { path, name, root };
  }
  throw new FleetError(
    "fleet/pending-root",
    `${path} does not say whether it is the image or the director repository's root: call it image-<n>.root.json or director-<n>.root.json`,
  );
}

/** Roots of before they said so themselves: `image/1.root.json`, `image-2.root.json`. */
function statedByPath(path: string): RepositoryName | undefined {
  return REPOSITORY_NAMES.find(
    (name) => basename(dirname(path)) === name || basename(path).startsWith(`${name}-`),
  );
}

/** The root that waits in a repository, if there is one. */
export async function readPendingRoot(
  repository: Repository,
  stored: StoredMetadata,
): Promise<RootOnFile | undefined> {
  const { name } = stored;
  const path = pendingRootFile(repository.folder, name, nextVersion(stored));
  const bytes = await readFileIfPresent(path, MAX_METADATA_BYTES);
  return bytes === undefined ? undefined : { path, name, root: parseRoot(path, name, bytes) };
}

/**
 * Prepares a repository's next root, or changes the one that is being prepared. Without changes it is the same root with a later expiry.
 * Throws FleetError "fleet/usage", "fleet/locked" …
 */
export async function prepareRoot(
  repository: Repository,
  name: RepositoryName,
  changes: readonly RootChange[],
  nowMs: number = Date.now(),
): Promise<RootOnFile> {
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, name);
    const { root: base } = (await readPendingRoot(repository, stored)) ?? { root: newestRoot(stored) };
    const signed = rootSigned(name, changes.reduce(changeRoot, contentOf(base)), {
      version: nextVersion(stored),
      expiresMs: nowMs + repository.settings.expiry.rootMs,
      base: base.signedJson,
    });
    const path = pendingRootFile(repository.folder, name, nextVersion(stored));
    const bytes = await signMetadata(signed, []);
    const root = parseRoot(path, name, bytes);
    await makeFolder(dirname(path));
    await writeFileDurably(path, bytes);
    return { path, name, root };
  });
}

/** Which signatures a root has, and which it lacks by the root before it (where that is known) and by itself. */
export function judgeSignatures(
  root: ParsedFile<Root>,
  previous: ParsedFile<Root> | undefined,
  verifier: SignatureVerifier,
): RootSignatures {
  const signedBy = new Set<string>();
  const missing: MissingSignatures[] = [];
  for (const { keys, roles, version } of [...(previous === undefined ? [] : [previous]), root].map(
    (each) => each.metadata,
  )) {
    const unsigned: string[] = [];
    for (const keyId of roles.root.keyIds) {
      const one = { keyIds: [keyId], threshold: 1 };
      if (tallySignatures(root, keys, one, verifier).kind === "met") signedBy.add(keyId);
      else unsigned.push(keyId);
    }
    const { kind, validCount } = tallySignatures(root, keys, roles.root, verifier);
    if (kind !== "met") missing.push({ version, count: roles.root.threshold - validCount, keyIds: unsigned });
  }
  return { signedBy: [...signedBy], missing };
}

/**
 * Adds signatures to a root's file: those of `signers`, and those of `other`, which has to be the same root. What is known to be false (by the
 * keys of the root itself or of `previous`) is left out, so that no file that came by mail takes a good signature's place. Throws FleetError.
 */
export async function addSignatures(
  onFile: RootOnFile,
  signers: readonly Signer[],
  {
    other,
    previous,
    verifier,
  }: {
    readonly other: RootOnFile | undefined;
    readonly previous: ParsedFile<Root> | undefined;
    readonly verifier: SignatureVerifier;
  },
): Promise<RootOnFile> {
  const { path, name, root } = onFile;
  if (other !== undefined) refuseOtherRoot(onFile, other);
  const message = canonicalJson(root.signedJson);
  const keys = new Map([...(previous?.metadata.keys ?? []), ...root.metadata.keys]);
  const signatures = new Map<string, string>();
  for (const { keyId, signature } of [...(other?.root.signatures ?? []), ...root.signatures]) {
    const key = keys.get(keyId);
    const isFalse = key !== undefined && verifySignature(key, message, signature, verifier) === undefined;
    if (!isFalse) signatures.set(keyId, signature);
  }
  for (const signer of signers) {
    signatures.set(signer.key.keyId, Buffer.from(await signer.sign(message)).toString("hex"));
  }
  const list = Array.from(signatures, ([keyid, sig]) => ({ keyid, sig }));
  const bytes = Buffer.from(`${JSON.stringify({ signatures: list, signed: root.signedJson })}\n`);
  const signed = parseRoot(path, name, bytes);
  await writeFileDurably(path, bytes);
  return { path, name, root: signed };
}

/**
 * Takes a complete root into the repository, with all that has to be signed again under its keys. False if signatures are missing: then
 * it waits in the repository. Throws FleetError "fleet/pending-root" for a root that does not follow the newest one, "fleet/key".
 */
export async function takeRoot(
  repository: Repository,
  { name, root, path }: RootOnFile,
  nowMs: number = Date.now(),
): Promise<boolean> {
  const verifier = await createVerifier();
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, name);
    const pending = pendingRootFile(repository.folder, name, nextVersion(stored));
    refuseWrongVersion(path, root, stored);
    if (judgeSignatures(root, newestRoot(stored), verifier).missing.length > 0) {
      await makeFolder(dirname(pending));
      await writeFileDurably(pending, root.bytes);
      return false;
    }
    await writeRoot({ repository, nowMs }, stored, root, verifier);
    await rm(pending, { force: true });
    await makeFolder(dirname(pending));
    await syncFolder(dirname(pending));
    return true;
  });
}

function refuseWrongVersion(path: string, { metadata }: ParsedFile<Root>, stored: StoredMetadata): void {
  if (metadata.version === nextVersion(stored)) return;
  throw new FleetError(
    "fleet/pending-root",
    `${path} is ${stored.name} root ${metadata.version}, and the repository is at root ${newestRoot(stored).metadata.version}: prepare the change again`,
  );
}

function refuseOtherRoot({ path, root }: RootOnFile, other: RootOnFile): void {
  const [one, two] = [root, other.root].map(({ signedJson }) => canonicalJson(signedJson));
  if (one !== undefined && two !== undefined && Buffer.compare(one, two) === 0) return;
  throw new FleetError(
    "fleet/pending-root",
    `${path} is another root than ${other.path}, which was changed since: pass that one on instead`,
  );
}

function parseRoot(path: string, name: RepositoryName, bytes: Uint8Array): ParsedFile<Root> {
  try {
    return parseMetadata(name, "root", bytes);
  } catch (error) {
    if (!(error instanceof OtaError)) throw error;
    throw new FleetError("fleet/pending-root", `${path} is no root: ${error.message}`, { cause: error });
  }
}

function nextVersion(stored: StoredMetadata): number {
  return newestRoot(stored).metadata.version + 1;
}
