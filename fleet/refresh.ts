/**
 * Signs metadata again before it expires, and brings snapshot and timestamp up to the targets after an
 * interrupted write.
 *
 * Meant for a timer on a machine that has the online keys only: what needs an offline key that is not there
 * is warned about in good time.
 */

import type { RepositoryName, RoleName } from "../ota/metadata.ts";
import { loadKeyIfPresent } from "./keys.ts";
import { REFRESH_MARGIN_MS } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import {
  isConsistent,
  keyOf,
  loadMetadata,
  type Signing,
  type StoredMetadata,
  writeSnapshot,
  writeTargets,
  writeTimestamp,
} from "./metadata-store.ts";
import { type OnlineRole, REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { lifetimeMs } from "./settings.ts";

export interface RefreshOptions {
  /** Sign snapshot and timestamp whatever time is left. */
  readonly force?: boolean;
  readonly nowMs?: number;
}

export interface RefreshResult {
  readonly signed: readonly { readonly repository: RepositoryName; readonly role: OnlineRole }[];
  /** What only somebody with an offline key can do, ready for a person. */
  readonly warnings: readonly string[];
}

/** Refreshes the folder; the broker follows with `syncRepository`. Throws FleetError. */
export async function refreshRepository(
  repository: Repository,
  options: RefreshOptions = {},
): Promise<RefreshResult> {
  const signing = { repository, nowMs: options.nowMs ?? Date.now() };
  return withRepositoryLock(repository.folder, async () => {
    const signed: { repository: RepositoryName; role: OnlineRole }[] = [];
    const warnings: string[] = [];
    for (const name of REPOSITORY_NAMES) {
      const stored = await loadMetadata(repository, name);
      const canSignTargets =
        (await loadKeyIfPresent(repository.settings.keysFolder, keyOf(name, "targets"))) !== undefined;
      const first = options.force === true ? "snapshot" : firstRoleToSign(signing, stored, canSignTargets);
      signed.push(...(await signFrom(signing, stored, first)).map((role) => ({ repository: name, role })));
      warnings.push(...warningsFor(signing, stored, canSignTargets));
    }
    return { signed, warnings };
  });
}

/**
 * The role to start from: what comes after it names it and is signed with it. Undefined if nothing has to be
 * signed.
 */
function firstRoleToSign(
  signing: Signing,
  stored: StoredMetadata,
  canSignTargets: boolean,
): OnlineRole | undefined {
  if (canSignTargets && isNearExpiry(signing, stored, "targets")) return "targets";
  if (!isConsistent(stored) || isNearExpiry(signing, stored, "snapshot")) return "snapshot";
  return isNearExpiry(signing, stored, "timestamp") ? "timestamp" : undefined;
}

async function signFrom(
  signing: Signing,
  stored: StoredMetadata,
  first: OnlineRole | undefined,
): Promise<readonly OnlineRole[]> {
  switch (first) {
    case undefined:
      return [];
    case "targets":
      await writeTargets(signing, stored, stored.targets.metadata.targets.values());
      return ["targets", "snapshot", "timestamp"];
    case "snapshot":
      await writeSnapshot(signing, stored);
      return ["snapshot", "timestamp"];
    case "timestamp":
      await writeTimestamp(signing, stored);
      return ["timestamp"];
  }
}

function warningsFor(signing: Signing, stored: StoredMetadata, canSignTargets: boolean): readonly string[] {
  const { name } = stored;
  const warnings: string[] = [];
  if (!canSignTargets && isNearExpiry(signing, stored, "targets")) {
    const { expires } = stored.targets.metadata;
    warnings.push(
      `${name} targets expire at ${expires} and the key ${keyOf(name, "targets")} is not here: run \`skerry refresh\` where it is`,
    );
  }
  if (isNearExpiry(signing, stored, "root")) {
    warnings.push(
      `${name} root expires at ${stored.roots.at(-1)?.metadata.expires}: devices will take no updates after that; the root has to be rotated before`,
    );
  }
  return warnings;
}

/** Near is less than half of its lifetime, and less than REFRESH_MARGIN_MS. */
function isNearExpiry({ repository, nowMs }: Signing, stored: StoredMetadata, role: RoleName): boolean {
  const file = role === "root" ? stored.roots.at(-1) : stored[role];
  const marginMs = Math.min(lifetimeMs(repository.settings.expiry, role) / 2, REFRESH_MARGIN_MS);
  return file === undefined || file.metadata.expiresMs - nowMs < marginMs;
}
