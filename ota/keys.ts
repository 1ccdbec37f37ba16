/**
 * Public keys and key ids: TUF 1.0.31 §4.2, Ed25519 is what Skerry makes; what others verify is in `signature-schemes.ts`.
 */

import { createHash } from "node:crypto";

import { canonicalJson, type JsonObject } from "./json.ts";

/** A public key as metadata lists it. */
export interface PublicKey {
  /** SHA-256 of the key object's canonical JSON, in hexadecimal. */
  readonly keyId: string;
  readonly keyType: string;
  readonly scheme: string;
  /** For Ed25519 the 32 bytes in hexadecimal, for RSA and ECDSA a PEM. */
  readonly public: string;
  /** The key object as it stands in the metadata, members unknown to this client included: the key id covers them. */
  readonly json: JsonObject;
}

/** The key object of an Ed25519 key, ready for metadata; `bytes` are the 32 bytes of the public key. */
export function ed25519PublicKey(bytes: Uint8Array): PublicKey {
  const hex = Buffer.from(bytes).toString("hex");
  const json = { keytype: "ed25519", scheme: "ed25519", keyval: { public: hex } };
  return { keyId: keyIdOf(json), keyType: "ed25519", scheme: "ed25519", public: hex, json };
}

/** The id of a key object. */
export function keyIdOf(key: JsonObject): string {
  return createHash("sha256").update(canonicalJson(key)).digest("hex");
}
