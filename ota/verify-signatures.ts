/**
 * Whether enough keys of a role signed a file: TUF 1.0.31 §5.3.4, §5.4.2, §5.5.3, §5.6.3.
 *
 * "Each KEY MUST only contribute one SIGNATURE": counted by public key, since one key under two ids (with an unknown member more, or a PEM that is wrapped otherwise) is one key.
 */

import { canonicalJson } from "./json.ts";
import type { PublicKey } from "./keys.ts";
import type { ParsedFile, RoleKeys } from "./metadata.ts";
import type { SignatureVerifier } from "./signature.ts";
import { verifySignature } from "./signature-schemes.ts";

export interface SignatureTally {
  readonly kind: /** As many valid signatures as the threshold asks for. */
    | "met"
    /** Too few, and at least one claims a key of the role and is false, or there are none: nobody rightful made this file. */
    | "forged"
    /** Too few, and the others are by keys that do not belong to the role: a newer root might list them. */
    | "below-threshold";
  readonly validCount: number;
  readonly threshold: number;
}

/** Counts the valid signatures of distinct keys of a role. */
export function tallySignatures(
  file: ParsedFile<unknown>,
  keys: ReadonlyMap<string, PublicKey>,
  role: RoleKeys,
  verifier: SignatureVerifier,
): SignatureTally {
  const message = canonicalJson(file.signedJson);
  const validKeys = new Set<string>();
  let falseCount = 0;
  for (const signature of file.signatures) {
    const key = role.keyIds.includes(signature.keyId) ? keys.get(signature.keyId) : undefined;
    if (key === undefined) continue;
    const identity = verifySignature(key, message, signature.signature, verifier);
    if (identity === undefined) falseCount += 1;
    else validKeys.add(identity);
  }
  const { threshold } = role;
  const tally = { validCount: validKeys.size, threshold };
  if (validKeys.size >= threshold) return { kind: "met", ...tally };
  const isForged = falseCount > 0 || file.signatures.length === 0;
  return { kind: isForged ? "forged" : "below-threshold", ...tally };
}
