/**
 * Ed25519 (RFC 8032 §5.1.7, PureEdDSA) behind one small interface.
 *
 * tweetnacl makes keys and signs, and verifies where node's OpenSSL has no Ed25519 (a FIPS build); elsewhere node:crypto verifies
 * (0.09 ms and 0.9 MiB against 4–8 ms and 9.8 MiB). Both compute the cofactorless equation and compare R byte for byte, and
 * what they leave to the caller differs, so `isStrict` below stands in front of either and they answer alike:
 *
 * - S must be below the group's order (RFC 8032 §5.1.7 step 1). OpenSSL checks it; tweetnacl does not: S + L would pass, so that one
 *   signature had two forms.
 * - The public key and R must be encoded canonically (y below the field's prime, §5.1.3 step 1). Neither checks it of the key.
 * - The public key and R must not be of small order: under such a key one signature fits many messages. tweetnacl and OpenSSL 3.0 take
 *   them, OpenSSL 3.5 does not.
 *
 * A key or an R with a part of small order (mixed order) is left to the equation, which both compute alike: without the cofactor, so that what holds
 * only when it is multiplied away is false.
 */

import { createPublicKey, verify as cryptoVerify } from "node:crypto";

import { ed25519PublicKey, type PublicKey } from "./keys.ts";

const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** What a private key is derived from (RFC 8032 §5.1.5 calls it the private key). */
const SEED_BYTES = 32;

/** Verifies Ed25519 signatures; false for anything that is not a strictly valid one, whatever its shape. */
export interface SignatureVerifier {
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Signs with one key. Asynchronous, so that a hardware token can stand behind it. */
export interface Signer {
  readonly key: PublicKey;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** The verifier of this machine: node:crypto's where it has Ed25519, tweetnacl otherwise. */
export async function createVerifier(): Promise<SignatureVerifier> {
  return nodeCryptoHasEd25519() ? nodeCryptoVerifier() : tweetnaclVerifier();
}

/** Verifies through OpenSSL. */
export function nodeCryptoVerifier(): SignatureVerifier {
  return {
    verify: (publicKey, message, signature) =>
      isStrict(publicKey, signature) && cryptoVerify(null, message, nodeCryptoKey(publicKey), signature),
  };
}

/** Verifies in JavaScript, on any machine. */
export async function tweetnaclVerifier(): Promise<SignatureVerifier> {
  const { default: nacl } = await import("tweetnacl");
  return {
    verify: (publicKey, message, signature) =>
      isStrict(publicKey, signature) && nacl.sign.detached.verify(message, signature, publicKey),
  };
}

/** A signer from its 32-byte seed; the seed is the secret to keep. */
export async function createSigner(seed: Uint8Array): Promise<Signer> {
  const { default: nacl } = await import("tweetnacl");
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return {
    key: ed25519PublicKey(publicKey),
    sign: async (message) => nacl.sign.detached(message, secretKey),
  };
}

/** A fresh random seed for `createSigner`. */
export async function generateSeed(): Promise<Uint8Array> {
  const { default: nacl } = await import("tweetnacl");
  return nacl.randomBytes(SEED_BYTES);
}

/** RFC 8032 §7.1, test 1: whether OpenSSL answers at all is only known by asking. */
const PROBE_KEY = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
const PROBE_SIGNATURE = Buffer.from(
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  "hex",
);

function nodeCryptoHasEd25519(): boolean {
  try {
    return cryptoVerify(null, new Uint8Array(), nodeCryptoKey(PROBE_KEY), PROBE_SIGNATURE);
  } catch {
    // A FIPS build throws one of several errors here; each means that tweetnacl has to verify.
    return false;
  }
}

function nodeCryptoKey(publicKey: Uint8Array): ReturnType<typeof createPublicKey> {
  const x = Buffer.from(publicKey).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

/** 2^255 - 19, the field's prime. */
const FIELD_PRIME = 2n ** 255n - 19n;
/** The order of the base point's group, RFC 8032 §5.1. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
/** The y of two of the four points of order 8; that of the other two is its negative. */
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
/** The y of the eight points of small order: order 1, 2, 4, 8 and 8. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  1n,
  FIELD_PRIME - 1n,
  0n,
  ORDER_8_Y,
  FIELD_PRIME - ORDER_8_Y,
]);

function isStrict(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.byteLength !== PUBLIC_KEY_BYTES || signature.byteLength !== SIGNATURE_BYTES) return false;
  const isBelowOrder = littleEndian(signature.subarray(32)) < GROUP_ORDER;
  return isBelowOrder && isSoundPoint(publicKey) && isSoundPoint(signature.subarray(0, 32));
}

/** Whether 32 bytes encode a y canonically that belongs to no point of small order. Not whether they are on the curve. */
function isSoundPoint(encoded: Uint8Array): boolean {
  const y = littleEndian(encoded) & (2n ** 255n - 1n);
  return y < FIELD_PRIME && !SMALL_ORDER_Y.has(y);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}
