/** How many signatures a device checks: counted in the agent's own judgement of the metadata, with both repositories as they are. */
import type { Rig } from "../demo/rig.ts";
import { loadMetadata } from "../fleet/metadata-store.ts";
import { loadTrustedRepository } from "../ota/load-trusted.ts";
import type { RepositoryName } from "../ota/metadata.ts";
import { createVerifier, type SignatureVerifier } from "../ota/signature.ts";
import { NOTHING_RECEIVED, type ReceivedMetadata, type TrustedRepository } from "../ota/trust-state.ts";
import { verifyRepository } from "../ota/trusted-repository.ts";

export interface SignatureChecks {
  /** By a device that has trusted nothing yet. */
  readonly fromNothing: number;
  /** By one that has all of it and is sent it again. */
  readonly nothingNew: number;
}

export async function countSignatureChecks({ repository }: Rig): Promise<SignatureChecks> {
  const checks = { fromNothing: 0, nothingNew: 0 };
  const real = await createVerifier();
  let count = 0;
  const verifier: SignatureVerifier = {
    verify(...signed) {
      count += 1;
      return real.verify(...signed);
    },
  };
  for (const name of ["image", "director"] as const satisfies readonly RepositoryName[]) {
    const { roots, timestamp, snapshot, targets } = await loadMetadata(repository, name);
    const received: ReceivedMetadata = {
      ...NOTHING_RECEIVED,
      roots: new Map(roots.map((root) => [root.metadata.version, root.bytes])),
      timestamp: timestamp.bytes,
      snapshot: snapshot.bytes,
      targets: targets.bytes,
    };
    count = 0;
    const provisioned = roots[0]?.bytes ?? new Uint8Array();
    const trusted = trustAll(
      loadTrustedRepository(name, provisioned, {}, verifier).trusted,
      received,
      verifier,
    );
    checks.fromNothing += count;
    count = 0;
    if (verifyRepository(trusted, received, Date.now(), verifier).kind !== "current") throw notCurrent(name);
    checks.nothingNew += count;
  }
  return checks;
}

function trustAll(
  first: TrustedRepository,
  received: ReceivedMetadata,
  verifier: SignatureVerifier,
): TrustedRepository {
  let trusted = first;
  for (;;) {
    const verdict = verifyRepository(trusted, received, Date.now(), verifier);
    if (verdict.kind === "current") return trusted;
    if (verdict.kind === "incomplete") throw notCurrent(trusted.repository);
    trusted = verdict.trusted;
  }
}

function notCurrent(name: RepositoryName): Error {
  return new Error(`the ${name} repository in the folder is not one that a device would trust`);
}
