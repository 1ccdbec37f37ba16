/**
 * Signs metadata again before it expires, and brings snapshot and timestamp up to the targets after an
 * interrupted write.
 *
 * Meant for a timer on a machine that has the online keys only: what needs an offline key that is not there
 * is warned about in good time.
 */

import type { ParsedFile, RepositoryName, RoleName } from "../ota/metadata.ts";
import { createVerifier, type SignatureVerifier } from "../ota/signature.ts";
import { Keyring, showKey } from "./keyring.ts";
import { REFRESH_MARGIN_MS } from "./limits.ts";
import { withRepositoryLock } from "./lock.ts";
import { isConsistent, loadMetadata, newestRoot, type StoredMetadata } from "./metadata-store.ts";
import { type OnlineRole, REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { keyNamesOf } from "./root-changes.ts";
import { lifetimeMs } from "./settings.ts";
import type { Signing } from "./signing.ts";
import {
  delegatedSignatory,
  firstUnsignedRole,
  rolesFrom,
  signAgain,
  unsignedDelegatedRoles,
} from "./write-metadata.ts";

export interface RefreshOptions {
  /** Sign snapshot and timestamp whatever time is left. */
  readonly force?: boolean;
  readonly nowMs?: number;
}

export interface RefreshResult {
  /** `role` may be a delegated one. */
  readonly signed: readonly { readonly repository: RepositoryName; readonly role: string }[];
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
    const signed: { repository: RepositoryName; role: string }[] = [];
    const warnings: string[] = [];
    const keyring = await Keyring.open(repository);
    const verifier = await createVerifier();
    for (const name of REPOSITORY_NAMES) {
      const stored = await loadMetadata(repository, name);
      const canSignTargets = keyring.canSign(newestRoot(stored).metadata.roles.targets);
      const unsigned = firstUnsignedRole(stored, verifier);
      const due = firstDueRole(signing, stored, { canSignTargets, force: options.force === true });
      const { signable, missing } = dueDelegatedRoles(signing, stored, keyring, verifier);
      // What lacks the newest root's signatures comes first, even without its key: the refusal says which one is missing.
      const online = unsigned === "targets" ? unsigned : (due ?? unsigned);
      const first = online ?? (signable.length > 0 ? "snapshot" : undefined);
      if (first !== undefined) {
        await signAgain(signing, stored, first, signable);
        signed.push(...[...signable, ...rolesFrom(first)].map((role) => ({ repository: name, role })));
      }
      warnings.push(...warningsFor(signing, stored, canSignTargets), ...missing);
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

interface DueDelegatedRoles {
  readonly signable: readonly string[];
  /** Warnings, for those whose keys are not here. */
  readonly missing: readonly string[];
}

/** Delegated roles near their expiry, or signed by other keys than they are delegated to. */
function dueDelegatedRoles(
  signing: Signing,
  stored: StoredMetadata,
  keyring: Keyring,
  verifier: SignatureVerifier,
): DueDelegatedRoles {
  const unsigned = unsignedDelegatedRoles(stored, verifier);
  const signable: string[] = [];
  const missing: string[] = [];
  for (const [role, file] of stored.delegated) {
    const signatory = delegatedSignatory(stored.targets, role);
    if (signatory === undefined) continue;
    if (!unsigned.includes(role) && !expiresSoon(signing, file, "targets")) continue;
    if (keyring.canSign(signatory.keys)) {
      signable.push(role);
      continue;
    }
    const keys = signatory.keys.keyIds.map((keyId) => showKey(keyId, signatory.names)).join(", ");
    const what = unsigned.includes(role)
      ? `${role}.json is not signed by the keys that it is delegated to`
      : `the releases of ${role} expire at ${file.metadata.expires}`;
    missing.push(
      `${what}: devices take no updates of its modules then, and ${keys} cannot sign here: run \`skerry refresh\` where it is, or with --keys`,
    );
  }
  return { signable, missing };
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

function isNearExpiry(signing: Signing, stored: StoredMetadata, role: RoleName): boolean {
  return expiresSoon(signing, role === "root" ? newestRoot(stored) : stored[role], role);
}

/** Soon is in less than half of its lifetime, and less than REFRESH_MARGIN_MS. */
function expiresSoon(
  { repository, nowMs }: Signing,
  { metadata }: ParsedFile<{ readonly expiresMs: number }>,
  role: RoleName,
): boolean {
  const marginMs = Math.min(lifetimeMs(repository.settings.expiry, role) / 2, REFRESH_MARGIN_MS);
  return metadata.expiresMs - nowMs < marginMs;
}
