/**
 * Signatures of metadata by key type and scheme: TUF 1.0.31 §4.2.
 *
 * - `ed25519`: what Skerry signs with (`signature.ts`).
 * - `rsa` with `rsassa-pss-sha256`, and `ecdsa` with `ecdsa-sha2-nistp256` (also under its older key type of that name): what repositories of other tools
 *   carry. The public key is SPKI in PEM; node:crypto verifies.
 *
 * Strictly: RSA of 2,048 to 4,096 bits with a salt as long as the digest, ECDSA on P-256 with a DER signature. An ECDSA signature has a second form (n - s),
 * which is taken: nothing goes by a signature's bytes. Keys of any other type verify nothing.
 */

import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";

import type { PublicKey } from "./keys.ts";
import { MAX_RSA_BITS, MIN_RSA_BITS } from "./limits.ts";
import type { SignatureVerifier } from "./signature.ts";

/**
 * Verifies a signature in hexadecimal. Gives what tells the key from others, the same for every way to write it, or undefined if the
 * signature is not a valid one of that key.
 */
export function verifySignature(
  key: PublicKey,
  message: Uint8Array,
  signature: string,
  ed25519: SignatureVerifier,
): string | undefined {
  if (!SIGNATURE_HEX.test(signature)) return undefined;
  const bytes = Buffer.from(signature, "hex");
  const kind = `${key.keyType} ${key.scheme}`;
  if (kind === "ed25519 ed25519") {
    const isValid =
      PUBLIC_KEY_HEX.test(key.public) && ed25519.verify(Buffer.from(key.public, "hex"), message, bytes);
    return isValid ? key.public : undefined;
  }
  const scheme = SCHEMES.get(kind);
  const publicKey = scheme && parsePem(key.public);
  if (publicKey === undefined || scheme?.accepts(publicKey) !== true) return undefined;
  return scheme.verify(publicKey, message, bytes) ? identityOf(publicKey) : undefined;
}

const SIGNATURE_HEX = /^(?:[0-9a-f]{2})+$/;
const PUBLIC_KEY_HEX = /^[0-9a-f]{64}$/;
const SHA256_BYTES = 32;

interface Scheme {
  accepts(key: KeyObject): boolean;
  verify(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean;
}

const RSA_PSS: Scheme = {
  accepts({ asymmetricKeyType, asymmetricKeyDetails }) {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    return asymmetricKeyType === "rsa" && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
  },
  verify(key, message, signature) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify("sha256", message, { key, padding, saltLength: SHA256_BYTES }, signature);
  },
};

const ECDSA_P256: Scheme = {
  accepts: ({ asymmetricKeyType, asymmetricKeyDetails }) =>
    asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === "prime256v1",
  verify: (key, message, signature) => verify("sha256", message, { key, dsaEncoding: "der" }, signature),
};

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ["rsa rsassa-pss-sha256", RSA_PSS],
  ["ecdsa ecdsa-sha2-nistp256", ECDSA_P256],
  ["ecdsa-sha2-nistp256 ecdsa-sha2-nistp256", ECDSA_P256],
]);

/** Only SPKI: node:crypto would take a private key or a certificate as well. */
function parsePem(text: string): KeyObject | undefined {
  if (!text.startsWith("-----BEGIN PUBLIC KEY-----")) return undefined;
  try {
    return createPublicKey({ key: text, format: "pem", type: "spki" });
  } catch {
    // Whatever OpenSSL does not read as a key is none; it verifies nothing.
    return undefined;
  }
}

/** By the key's numbers: an SPKI writes one point of a curve in several forms, and OpenSSL keeps the one that it read. */
function identityOf(key: KeyObject): string {
  const { kty, n, e, x, y } = key.export({ format: "jwk" });
  return [kty, n, e, x, y].join();
}
