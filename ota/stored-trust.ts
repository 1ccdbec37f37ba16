/**
 * What is trusted, between a repository's folder on the disk (`trust-folder.ts`) and what is judged of it (`load-trusted.ts`,
 * `trusted-repository.ts`).
 */

import { type LoadedRepository, loadTrustedRepository } from "./load-trusted.ts";
import type { RepositoryName, RoleName } from "./metadata.ts";
import { hasOtherOnlineKeys } from "./root-chain.ts";
import type { SignatureVerifier } from "./signature.ts";
import type { TrustFolder } from "./trust-folder.ts";
import type { TrustedRepository } from "./trust-state.ts";
import type { Verdict } from "./trusted-repository.ts";

/** What became trusted of a repository: a set's files in the order of writing, or a root. */
export type TrustChange =
  | {
      readonly kind: "files";
      readonly files: readonly { readonly role: RoleName; readonly bytes: Uint8Array }[];
    }
  | {
      readonly kind: "root";
      readonly version: number;
      readonly bytes: Uint8Array;
      /** The stored timestamp and snapshot count no longer (TUF 1.0.31 §5.3.11). */
      readonly isRecovery: boolean;
    };

/** What a verdict changes on the disk. */
export function changeOf(
  before: TrustedRepository,
  { trusted, changedRoles }: Extract<Verdict, { kind: "updated" }>,
): TrustChange {
  if (changedRoles.includes("root")) {
    const { metadata, bytes } = trusted.root;
    const isRecovery = hasOtherOnlineKeys(before.root.metadata, metadata);
    return { kind: "root", version: metadata.version, bytes, isRecovery };
  }
  const files = changedRoles.flatMap((role) => {
    const file = trusted[role];
    return file === undefined ? [] : [{ role, bytes: file.bytes }];
  });
  return { kind: "files", files };
}

/** Makes durable what became trusted. Throws OtaError "store/…". */
export async function saveChange(folder: TrustFolder, change: TrustChange): Promise<void> {
  if (change.kind === "files") {
    for (const { role, bytes } of change.files) await folder.save(role, bytes);
  } else if (change.isRecovery) {
    await folder.replaceRoot(change.version, change.bytes);
  } else {
    await folder.save("root", change.bytes);
  }
}

/**
 * Loads a repository's trusted set under the provisioned root; what is on the disk agrees with it when this returns. Throws OtaError
 * "trust/…" for a provisioned root that is none, and "store/…".
 */
export async function loadStored(
  folder: TrustFolder,
  repository: RepositoryName,
  provisionedRoot: Uint8Array,
  verifier: SignatureVerifier,
): Promise<LoadedRepository> {
  const { files, record } = await folder.load();
  const loaded = loadTrustedRepository(repository, provisionedRoot, files, verifier, record);
  const { droppedRoles, anchor, trusted } = loaded;
  if (droppedRoles.length > 0 || record.anchor !== anchor || record.voidFrom !== undefined) {
    await folder.forget(droppedRoles, anchor);
  }
  // Kept even where it is the provisioned one: when another is provisioned, it tells which keys were rotated.
  if (files.root === undefined || droppedRoles.includes("root"))
    await folder.save("root", trusted.root.bytes);
  return loaded;
}
