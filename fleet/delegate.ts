/** What the operator changes of the image repository's delegations: teams, their keys, hash bins (delegations.ts). Each is signed at once. */

import { createHash } from "node:crypto";
import type { TargetInfo } from "../ota/metadata.ts";
import { isDelegatedRole } from "../ota/names.ts";
import {
  delegationsJsonOf,
  isBin,
  roleForPath,
  TOP_LEVEL,
  withBins,
  withoutKey,
  withRoleKeys,
  withTeam,
} from "./delegations.ts";
import { FleetError } from "./errors.ts";
import { type KeyNames, Keyring } from "./keyring.ts";
import type { NamedKey } from "./keys.ts";
import { withRepositoryLock } from "./lock.ts";
import { loadMetadata, newestRoot, type StoredMetadata } from "./metadata-store.ts";
import type { Repository } from "./repository.ts";
import { findKey, keyNamesOf } from "./root-changes.ts";
import { writeRoles } from "./write-metadata.ts";

/** A key of a delegated role. */
export interface DelegatedKey {
  readonly keyId: string;
  /** The roles that it signs. */
  readonly roles: readonly string[];
  readonly names: KeyNames;
}

/** Whether the role can sign: its key is here. If not, `skerry refresh` where it is does. */
export interface DelegationResult {
  readonly isSigned: boolean;
}

/**
 * Delegates the target paths of these patterns to a role with a key of its own; a role of that name is changed. Throws FleetError
 * "fleet/usage", "fleet/key" …
 */
export async function delegateToTeam(
  repository: Repository,
  team: { readonly role: string; readonly patterns: readonly string[]; readonly key: NamedKey },
  nowMs: number = Date.now(),
): Promise<DelegationResult> {
  const { role, patterns, key } = team;
  if (!isDelegatedRole(role) || role.startsWith("bin-")) {
    throw new FleetError(
      "fleet/usage",
      `"${role}" is no name for a team's role: a-z, 0-9, _ and -, at most 64, and none that TUF or the bins have`,
    );
  }
  return change(repository, nowMs, [role], key, (stored) =>
    withTeam(delegationsJsonOf(stored.targets.signedJson), role, { key: key.key, patterns }),
  );
}

/** Puts a new key in the place of a delegated role's; its releases are signed again with it if it is here. */
export async function replaceDelegatedKey(
  repository: Repository,
  old: DelegatedKey,
  key: NamedKey,
  nowMs: number = Date.now(),
): Promise<DelegationResult> {
  return change(repository, nowMs, old.roles, key, (stored) => {
    let json = delegationsJsonOf(stored.targets.signedJson);
    for (const { name, keyIds, threshold } of stored.targets.metadata.delegations?.roles ?? []) {
      if (!old.roles.includes(name)) continue;
      const next = keyIds.map((keyId) => (keyId === old.keyId ? key.key.keyId : keyId));
      json = withRoleKeys(json, name, { keyIds: next, threshold }, [key.key]);
    }
    return json;
  });
}

/**
 * Takes a key away. A role that would have too few keys left goes with it: devices find its releases no more, and what runs goes on.
 * Gives those roles. Throws FleetError "fleet/key" …
 */
export async function revokeDelegatedKey(
  repository: Repository,
  { keyId, roles }: DelegatedKey,
  nowMs: number = Date.now(),
): Promise<readonly string[]> {
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, "image");
    const lost = (stored.targets.metadata.delegations?.roles ?? [])
      .filter(({ name, keyIds, threshold }) => roles.includes(name) && keyIds.length - 1 < threshold)
      .map(({ name }) => name);
    const delegations = withoutKey(delegationsJsonOf(stored.targets.signedJson), keyId, lost);
    await writeRoles({ repository, nowMs }, stored, { delegations });
    return lost;
  });
}

async function change(
  repository: Repository,
  nowMs: number,
  roles: readonly string[],
  { key, name }: NamedKey,
  delegationsOf: (stored: StoredMetadata) => ReturnType<typeof delegationsJsonOf>,
): Promise<DelegationResult> {
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, "image");
    const isSigned = (await Keyring.open(repository)).find(key.keyId) !== undefined;
    const contents = new Map(
      roles.map((role) => [role, stored.delegated.get(role)?.metadata.targets.values() ?? []] as const),
    );
    const delegations = delegationsOf(stored);
    const names = [...keyNamesOf(stored.targets), [key.keyId, name] as const].filter(
      ([keyId]) => delegations.keys[keyId] !== undefined,
    );
    await writeRoles({ repository, nowMs }, stored, {
      delegations,
      keyNames: new Map(names),
      ...(isSigned ? { contents } : {}),
    });
    return { isSigned };
  });
}

/** The delegated key that a person means; undefined if it is none. */
export function findDelegatedKey({ targets }: StoredMetadata, text: string): DelegatedKey | undefined {
  const { delegations } = targets.metadata;
  const teams = delegations?.roles.filter((role) => !isBin(role)) ?? [];
  const names = keyNamesOf(targets);
  const keys = new Map(
    [...(delegations?.keys ?? [])].filter(([keyId]) => teams.some(({ keyIds }) => keyIds.includes(keyId))),
  );
  const keyId = findKey({ keys, names }, text);
  if (keyId === undefined) return undefined;
  return {
    keyId,
    names,
    roles: teams.filter(({ keyIds }) => keyIds.includes(keyId)).map(({ name }) => name),
  };
}

/** Spreads the releases that no team lists over `count` hash bins, each a file of its own. Throws FleetError "fleet/usage", "fleet/key" … */
export async function spreadOverBins(
  repository: Repository,
  count: number,
  nowMs: number = Date.now(),
): Promise<{ readonly largestBytes: number }> {
  return withRepositoryLock(repository.folder, async () => {
    const stored = await loadMetadata(repository, "image");
    const { keys, roles } = newestRoot(stored).metadata;
    const ownKeys = roles.targets.keyIds.flatMap((keyId) => keys.get(keyId) ?? []);
    const before = delegationsJsonOf(stored.targets.signedJson);
    const delegations = withBins(before, count, roles.targets, ownKeys);
    const written = await writeRoles({ repository, nowMs }, stored, {
      delegations,
      contents: spread(stored, count),
    });
    const sizes = [...written.delegated.values()].map(({ bytes }) => bytes.byteLength);
    return { largestBytes: Math.max(...sizes) };
  });
}

/** What each bin and the top-level role list from now on. */
function spread({ targets, delegated }: StoredMetadata, count: number): Map<string, TargetInfo[]> {
  const { delegations, targets: topLevel } = targets.metadata;
  const roles = delegations?.roles ?? [];
  const teams = { keys: new Map(), roles: roles.filter((role) => !isBin(role)) };
  const bins = roles.filter(isBin).flatMap(({ name }) => delegated.get(name)?.metadata.targets ?? []);
  const contents = new Map<string, TargetInfo[]>([[TOP_LEVEL, []]]);
  for (let index = 0; index < count; index++) contents.set(`bin-${index}`, []);
  for (const [path, target] of [...topLevel, ...bins.flatMap((each) => [...each])]) {
    // A team's word would end the search before a bin is asked: what stands at the top although a team covers it stays there.
    const role = roleForPath(teams, path) === TOP_LEVEL ? binOf(path, count) : TOP_LEVEL;
    contents.get(role)?.push(target);
  }
  return contents;
}

function binOf(path: string, count: number): string {
  const [first = 0] = createHash("sha256").update(path, "utf8").digest();
  return `bin-${Math.floor((first * count) / 256)}`;
}
