/**
 * Changes of one repository's metadata: what is signed, by whom, and what has to be signed again because of it.
 *
 * What is signed first is named by what follows: delegated targets, targets, snapshot, timestamp.
 */

import type { ParsedFile, Root, Snapshot, TargetInfo, Targets } from "../ota/metadata.ts";
import { isSignedBy } from "../ota/root-chain.ts";
import { type CommonFields, snapshotJson, targetsJson, timestampJson } from "../ota/sign-metadata.ts";
import type { SignatureVerifier } from "../ota/signature.ts";
import { tallySignatures } from "../ota/verify-signatures.ts";
import { type DelegationsJson, delegationsJsonOf, isBin, TOP_LEVEL, withBinKeys } from "./delegations.ts";
import { FleetError } from "./errors.ts";
import type { KeyNames } from "./keyring.ts";
import {
  newestRoot,
  refuseVersionJumps,
  type StartedMetadata,
  type StoredMetadata,
} from "./metadata-store.ts";
import { type OnlineRole, rootFile } from "./repository.ts";
import { keyNamesMember, keyNamesOf } from "./root-changes.ts";
import { type Signatory, type Signing, SigningBatch } from "./signing.ts";
import { type Withdrawn, withWithdrawn } from "./withdrawn-releases.ts";

/** What a change of the targets roles says; roles that it does not name stay as they are. */
export interface TargetsChange {
  /** All targets of a role from now on: `targets`, or a delegated role. */
  readonly contents?: ReadonlyMap<string, Iterable<TargetInfo>>;
  readonly delegations?: DelegationsJson;
  /** Of the delegated roles' keys. */
  readonly keyNames?: KeyNames;
  /** By role, what its file is to remember of releases that it lists no more. */
  readonly withdrawn?: ReadonlyMap<string, Withdrawn>;
}

/** Signs and writes new top-level targets, then the snapshot and timestamp that name them. */
export async function writeTargets(
  signing: Signing,
  stored: StartedMetadata,
  targets: Iterable<TargetInfo>,
): Promise<StoredMetadata> {
  return writeRoles(signing, stored, { contents: new Map([[TOP_LEVEL, targets]]) });
}

/**
 * Signs and writes targets roles, then the snapshot and timestamp that name them. Nothing is written before all of it is signed.
 *
 * With `withoutOnlineKeys` the targets alone are written where the keys of snapshot and timestamp are not here: `refreshRepository` where
 * they are completes it. Throws FleetError "fleet/key", "fleet/passphrase-…", "fleet/metadata-too-large",
 * "fleet/version-jump".
 */
export async function writeRoles(
  signing: Signing,
  stored: StartedMetadata,
  change: TargetsChange,
  options: { readonly withoutOnlineKeys?: boolean } = {},
): Promise<StoredMetadata> {
  refuseVersionJumps(stored);
  const batch = await SigningBatch.open(signing, stored.name);
  const withTargets = await signTargets(batch, stored, change);
  const canGoOn = (["snapshot", "timestamp"] as const).every((role) =>
    batch.canSign(signatoryOf(stored, role)),
  );
  const { snapshot, timestamp } = stored;
  if (options.withoutOnlineKeys === true && !canGoOn && snapshot !== undefined && timestamp !== undefined) {
    await batch.commit();
    return { ...withTargets, snapshot, timestamp };
  }
  const signed = await signSnapshot(batch, withTargets, signing.nowMs);
  await batch.commit();
  return signed;
}

/**
 * Takes a root in that has all its signatures, and signs again what the keys of the one before signed and its own did not. After a power cut
 * in between `refreshRepository` does the rest.
 */
export async function writeRoot(
  signing: Signing,
  before: StoredMetadata,
  root: ParsedFile<Root>,
  verifier: SignatureVerifier,
): Promise<StoredMetadata> {
  const stored = { ...before, roots: [...before.roots, root] };
  const first = firstUnsignedRole(stored, verifier);
  const batch = await SigningBatch.open(signing, stored.name);
  const file = rootFile(signing.repository.folder, stored.name, root.metadata.version);
  batch.add("root", file, root.bytes);
  const signed = first === undefined ? stored : await signFrom(batch, stored, first, signing.nowMs, []);
  await batch.commit();
  return signed;
}

/** Signs and writes a role's stored content again, and what names it; and those of `delegatedRoles`. */
export async function signAgain(
  signing: Signing,
  stored: StoredMetadata,
  first: OnlineRole,
  delegatedRoles: readonly string[] = [],
): Promise<StoredMetadata> {
  const batch = await SigningBatch.open(signing, stored.name);
  const signed = await signFrom(batch, stored, first, signing.nowMs, delegatedRoles);
  await batch.commit();
  return signed;
}

/** The topmost role that the newest root's keys did not sign. */
export function firstUnsignedRole(
  stored: StoredMetadata,
  verifier: SignatureVerifier,
): OnlineRole | undefined {
  const root = newestRoot(stored).metadata;
  return SIGNING_ORDER.find((role) => !isSignedBy(root, role, stored[role], verifier));
}

/** The delegated roles whose file the keys that they are delegated to did not sign. */
export function unsignedDelegatedRoles(
  stored: StoredMetadata,
  verifier: SignatureVerifier,
): readonly string[] {
  const { keys, roles } = stored.targets.metadata.delegations ?? { keys: new Map(), roles: [] };
  return roles
    .filter((delegation) => {
      const file = stored.delegated.get(delegation.name);
      return file !== undefined && tallySignatures(file, keys, delegation, verifier).kind !== "met";
    })
    .map(({ name }) => name);
}

/** What is signed first is named by what follows. */
const SIGNING_ORDER = ["targets", "snapshot", "timestamp"] as const;

export function rolesFrom(first: OnlineRole): readonly OnlineRole[] {
  return SIGNING_ORDER.slice(SIGNING_ORDER.indexOf(first));
}

/** Who signs a role that the root names. */
function signatoryOf(stored: StartedMetadata, role: OnlineRole): Signatory {
  const root = newestRoot(stored);
  return { keys: root.metadata.roles[role], names: keyNamesOf(root) };
}

/** Who signs a delegated role; undefined if nobody is delegated to. */
export function delegatedSignatory(topLevel: ParsedFile<Targets>, role: string): Signatory | undefined {
  const keys = topLevel.metadata.delegations?.roles.find(({ name }) => name === role);
  return keys && { keys, names: keyNamesOf(topLevel) };
}

async function signFrom(
  batch: SigningBatch,
  stored: StoredMetadata,
  first: OnlineRole,
  nowMs: number,
  delegatedRoles: readonly string[],
): Promise<StoredMetadata> {
  if (first === "timestamp" && delegatedRoles.length === 0) return signTimestamp(batch, stored, nowMs);
  refuseVersionJumps(stored);
  const again = [...delegatedRoles, ...(first === "targets" ? [TOP_LEVEL] : [])];
  const contents = new Map(
    again.map((role) => [role, (stored.delegated.get(role) ?? stored.targets).metadata.targets.values()]),
  );
  return signSnapshot(batch, await signTargets(batch, stored, { contents }), nowMs);
}

async function signTargets(
  batch: SigningBatch,
  stored: StartedMetadata,
  change: TargetsChange,
): Promise<StartedMetadata & Pick<StoredMetadata, "targets" | "delegated">> {
  const topLevel = await signTopLevel(batch, stored, change);
  const delegated = new Map(stored.delegated);
  const contents = new Map(change.contents);
  for (const bin of emptyOrRekeyedBins(stored, topLevel)) {
    if (!contents.has(bin)) contents.set(bin, delegated.get(bin)?.metadata.targets.values() ?? []);
  }
  contents.delete(TOP_LEVEL);
  for (const [role, targets] of contents) {
    const signatory = delegatedSignatory(topLevel, role);
    if (signatory === undefined)
      throw new FleetError("fleet/unknown-role", `no role ${role} is delegated to`);
    const sorted = sortedByPath(targets);
    const build = (fields: CommonFields) =>
      targetsJson({ ...withWithdrawn(fields, change.withdrawn?.get(role)), targets: sorted });
    delegated.set(role, await batch.delegated(role, signatory, delegated.get(role), build));
  }
  return { ...stored, targets: topLevel, delegated };
}

async function signTopLevel(
  batch: SigningBatch,
  stored: StartedMetadata,
  { contents, delegations, keyNames, withdrawn }: TargetsChange,
): Promise<ParsedFile<Targets>> {
  const { targets: before } = stored;
  const content = contents?.get(TOP_LEVEL);
  if (before !== undefined && content === undefined && delegations === undefined) return before;
  const sorted = sortedByPath(content ?? before?.metadata.targets.values() ?? []);
  const signatory = signatoryOf(stored, "targets");
  const { keys } = newestRoot(stored).metadata;
  const ownKeys = signatory.keys.keyIds.flatMap((keyId) => keys.get(keyId) ?? []);
  const next = withBinKeys(delegations ?? delegationsJsonOf(before?.signedJson), signatory.keys, ownKeys);
  const names = keyNames ?? (before === undefined ? new Map() : keyNamesOf(before));
  return batch.topLevel("targets", signatory, before, (common) => {
    const fields = withWithdrawn(common, withdrawn?.get(TOP_LEVEL));
    return {
      ...targetsJson({ ...fields, targets: sorted }),
      // Once there are delegations the member stays, empty at last: `base` brings the former ones.
      ...(next.roles.length === 0 && before?.metadata.delegations === undefined
        ? {}
        : { delegations: { ...next }, ...keyNamesMember(fields.base, names) }),
    };
  });
}

/** Bins that are new, or that the top-level targets have other keys for. */
function emptyOrRekeyedBins(stored: StartedMetadata, topLevel: ParsedFile<Targets>): readonly string[] {
  const before = stored.targets?.metadata.delegations?.roles ?? [];
  const bins = topLevel.metadata.delegations?.roles.filter(isBin) ?? [];
  return bins
    .filter(({ name, keyIds }) => {
      const old = before.find((each) => each.name === name);
      return old === undefined || old.keyIds.join() !== keyIds.join();
    })
    .map(({ name }) => name);
}

async function signSnapshot(
  batch: SigningBatch,
  stored: StartedMetadata & Pick<StoredMetadata, "targets" | "delegated">,
  nowMs: number,
): Promise<StoredMetadata> {
  const delegated = new Map([...stored.delegated].map(([role, file]) => [role, namedFile(file)]));
  const build = (fields: CommonFields) =>
    snapshotJson({ ...fields, targets: namedFile(stored.targets), delegated });
  const snapshot = await batch.topLevel("snapshot", signatoryOf(stored, "snapshot"), stored.snapshot, build);
  return signTimestamp(batch, { ...stored, snapshot }, nowMs);
}

async function signTimestamp(
  batch: SigningBatch,
  stored: StartedMetadata & Pick<StoredMetadata, "targets" | "delegated" | "snapshot">,
  nowMs: number,
): Promise<StoredMetadata> {
  const build = (fields: CommonFields) =>
    timestampJson({ ...fields, issuedMs: nowMs, snapshot: namedFile(stored.snapshot) });
  const timestamp = await batch.topLevel(
    "timestamp",
    signatoryOf(stored, "timestamp"),
    stored.timestamp,
    build,
  );
  return { ...stored, timestamp };
}

function sortedByPath(targets: Iterable<TargetInfo>): readonly TargetInfo[] {
  return [...targets].toSorted((left, right) => (left.path < right.path ? -1 : 1));
}

function namedFile({ metadata, bytes }: ParsedFile<Targets> | ParsedFile<Snapshot>): {
  version: number;
  bytes: Uint8Array;
} {
  return { version: metadata.version, bytes };
}
