/** What the device trusts at its start: the roots that its owner put there, and what was stored under them. */

import { readFile } from "node:fs/promises";
import { OtaError } from "../ota/errors.ts";
import { type LoadedRepository, loadTrustedRepository } from "../ota/load-trusted.ts";
import type { RepositoryName } from "../ota/metadata.ts";
import type { SignatureVerifier } from "../ota/signature.ts";
import type { Store } from "../ota/store.ts";
import { loadStored } from "../ota/stored-trust.ts";
import type { TrustedRepository } from "../ota/trust-state.ts";

/**
 * Loads what is trusted of a repository; what is on the disk agrees with it when this returns. Throws OtaError "trust/…" for a provisioned root that
 * is none, naming its file, and "store/…".
 */
export async function loadTrusted(
  repository: RepositoryName,
  rootFile: string,
  store: Store,
  verifier: SignatureVerifier,
): Promise<LoadedRepository> {
  const provisionedRoot = await readFile(rootFile);
  try {
    return await loadStored(store.trust(repository), repository, provisionedRoot, verifier);
  } catch (error) {
    throw namingFile(error, rootFile);
  }
}

/** Whether the provisioned root can be trusted at all, without looking at what is stored. Throws as `loadTrusted` does. */
export async function checkProvisionedRoot(
  repository: RepositoryName,
  rootFile: string,
  verifier: SignatureVerifier,
): Promise<void> {
  const provisionedRoot = await readFile(rootFile);
  try {
    loadTrustedRepository(repository, provisionedRoot, {}, verifier);
  } catch (error) {
    throw namingFile(error, rootFile);
  }
}

function namingFile(error: unknown, rootFile: string): unknown {
  if (!(error instanceof OtaError) || error.code.startsWith("store/")) return error;
  const message = `${rootFile} is no root to trust (${error.message}): copy 1.root.json from the operator's repository again`;
  return new OtaError(error.code, message, { cause: error });
}

/** What to report of a root that was provisioned in place of another. */
export function rootReplaced({ repository, root }: TrustedRepository, replaced: number): OtaError {
  const { version } = root.metadata;
  return new OtaError(
    "trust/root-replaced",
    `${repository} root ${version} was provisioned anew in place of root ${replaced}; what that one led to is not trusted any more`,
  );
}
