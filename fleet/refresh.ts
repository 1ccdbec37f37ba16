/**
 * Signs metadata again before it expires, and brings snapshot and timestamp up to the targets after an
 * interrupted write.
 *
 * Meant for a timer on a machine that has the online keys only: what needs an offline key that is not there
 * is warned about in good time.
 */

import type { RepositoryName, RoleName } from "../ota/metadata.ts";
import { createVerifier } from "../ota/signature.ts";
import { Keyring, showKey } from "./keyring.ts";
import { REFRESH_MARGIN_MS } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import {
  firstUnsignedRole,
  isConsistent,
  loadMetadata,
  newestRoot,
  rolesFrom,
  type Signing,
  type StoredMetadata,
  signAgain,
} from "./metadata-store.ts";
import { type OnlineRole, REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { keyNamesOf } from "./root-changes.ts";
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
    const keyring = await Keyring.open(repository);
    const verifier = await createVerifier();
    for (const name of REPOSITORY_NAMES) {
      const stored = await loadMetadata(repository, name);
      const canSignTargets = keyring.canSign(newestRoot(stored).metadata.roles.targets);
      const unsigned = firstUnsignedRole(stored, verifier);
      const due = firstDueRole(signing, stored, { canSignTargets, force: options.force === true });
      // What lacks the newest root's signatures comes first, even without its key: the refusal says which one is missing.
      const first = unsigned === "targets" ? unsigned : (due ?? unsigned);
      if (first !== undefined) {
        await signAgain(signing, stored, first);
        signed.push(...rolesFrom(first).map((role) => ({ repository: name, role })));
      }
      warnings.push(...warningsFor(signing, stored, canSignTargets));
    }
    return { signed, warnings };
  });
}

/**
 * The role to start from: what comes after it names it and is signed with it. Undefined if nothing has to be
 * signed.
 */
function firstDueRole(
  signing: Signing,
  stored: StoredMetadata,
  { canSignTargets, force }: { readonly canSignTargets: boolean; readonly force: boolean },
): OnlineRole | undefined {
  if (canSignTargets && isNearExpiry(signing, stored, "targets")) return "targets";
  if (force || !isConsistent(stored) || isNearExpiry(signing, stored, "snapshot")) return "snapshot";
  return isNearExpiry(signing, stored, "timestamp") ? "timestamp" : undefined;
}

function warningsFor(signing: Signing, stored: StoredMetadata, canSignTargets: boolean): readonly string[] {
  const { name } = stored;
  const root = newestRoot(stored);
  const warnings: string[] = [];
  if (!canSignTargets && isNearExpiry(signing, stored, "targets")) {
    const { expires } = stored.targets.metadata;
    const names = keyNamesOf(root);
    const keys = root.metadata.roles.targets.keyIds.map((keyId) => showKey(keyId, names)).join(", ");
    warnings.push(
      `${name} targets expire at ${expires}: devices will take no updates after that, and ${keys} cannot sign here: run \`skerry refresh\` where it is, or with --keys`,
    );
  }
  if (isNearExpiry(signing, stored, "root")) {
    warnings.push(
      `${name} root expires at ${root.metadata.expires}: devices will take no updates after that: run \`skerry keys renew --repository ${name}\`, then \`skerry keys sign\` where the root keys are`,
    );
  }
  return warnings;
}

/** Near is less than half of its lifetime, and less than REFRESH_MARGIN_MS. */
function isNearExpiry({ repository, nowMs }: Signing, stored: StoredMetadata, role: RoleName): boolean {
  const file = role === "root" ? newestRoot(stored) : stored[role];
  const marginMs = Math.min(lifetimeMs(repository.settings.expiry, role) / 2, REFRESH_MARGIN_MS);
  return file.metadata.expiresMs - nowMs < marginMs;
}
