/**
 * A key's seed under a passphrase: scrypt (RFC 7914) derives the key of NaCl's secretbox (XSalsa20 and Poly1305), which holds the
 * 32 bytes. The members of a key file that say so:
 *
 *     "encryption":"scrypt-secretbox","scrypt":{"n":131072,"r":8,"p":1,"salt":"<64 hex>"},
 *     "nonce":"<48 hex>","box":"<96 hex>"
 *
 * The passphrase is taken in Unicode's form NFC, so that it is the same from every keyboard.
 */

import { scrypt } from "node:crypto";
import { promisify } from "node:util";
import type { JsonObject } from "../ota/json.ts";
import { FleetError } from "./errors.ts";
import { MAX_SCRYPT_MEMORY_BYTES } from "./limits.ts";

export const SCRYPT_SECRETBOX = "scrypt-secretbox";

/** What one guess costs: 128 MiB of memory and some tenths of a second. A power of two. */
const DEFAULT_COST = 131_072;
const BLOCK_SIZE = 8;
const PARALLELIZATION = 1;
const SALT_BYTES = 32;
const NONCE_BYTES = 24;
/** The seed and Poly1305's 16 bytes. */
const BOX_BYTES = 48;

interface ScryptParameters {
  readonly n: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
}

/** A seed that lies under a passphrase. */
export interface EncryptedSeed {
  readonly scrypt: ScryptParameters;
  readonly nonce: Uint8Array;
  readonly box: Uint8Array;
}

/** The members of a key file for a seed under a passphrase; `cost` is scrypt's N. */
export async function encryptSeed(
  seed: Uint8Array,
  passphrase: string,
  cost: number = DEFAULT_COST,
): Promise<JsonObject> {
  const { default: nacl } = await import("tweetnacl");
  const parameters = { n: cost, r: BLOCK_SIZE, p: PARALLELIZATION, salt: nacl.randomBytes(SALT_BYTES) };
  const nonce = nacl.randomBytes(NONCE_BYTES);
  const box = nacl.secretbox(seed, nonce, await deriveKey(passphrase, parameters));
  return {
    encryption: SCRYPT_SECRETBOX,
    scrypt: { ...parameters, salt: hex(parameters.salt) },
    nonce: hex(nonce),
    box: hex(box),
  };
}

/** The seed, or undefined if it is another passphrase. */
export async function decryptSeed(
  { scrypt: parameters, nonce, box }: EncryptedSeed,
  passphrase: string,
): Promise<Uint8Array | undefined> {
  const { default: nacl } = await import("tweetnacl");
  return nacl.secretbox.open(box, nonce, await deriveKey(passphrase, parameters)) ?? undefined;
}

/** Reads the members of a key file; throws FleetError "fleet/key". */
export function readEncryptedSeed(content: Readonly<Record<string, unknown>>, path: string): EncryptedSeed {
  const { scrypt: parameters, nonce, box } = content;
  const isRead = typeof parameters === "object" && parameters !== null;
  const { n, r, p, salt }: Record<string, unknown> = isRead ? { ...parameters } : {};
  if (!isPowerOfTwo(n) || !isSmallCount(r) || !isSmallCount(p) || 128 * n * r > MAX_SCRYPT_MEMORY_BYTES) {
    throw damaged(path, `"scrypt" has to be n, r and p that take at most ${MAX_SCRYPT_MEMORY_BYTES} bytes`);
  }
  return {
    scrypt: { n, r, p, salt: readHex(salt, SALT_BYTES, "salt", path) },
    nonce: readHex(nonce, NONCE_BYTES, "nonce", path),
    box: readHex(box, BOX_BYTES, "box", path),
  };
}

const scryptOf = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

async function deriveKey(passphrase: string, { n, r, p, salt }: ScryptParameters): Promise<Uint8Array> {
  // OpenSSL counts its own few buffers as well; without `maxmem` node allows 32 MiB.
  const maxmem = 128 * n * r + 128 * r * p + 1024 * 1024;
  return new Uint8Array(await scryptOf(passphrase.normalize("NFC"), salt, 32, { N: n, r, p, maxmem }));
}

function readHex(value: unknown, bytes: number, name: string, path: string): Uint8Array {
  if (typeof value === "string" && value.length === 2 * bytes && /^[0-9a-f]*$/.test(value)) {
    return new Uint8Array(Buffer.from(value, "hex"));
  }
  throw damaged(path, `"${name}" has to be ${2 * bytes} hexadecimal digits`);
}

function isPowerOfTwo(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(Math.log2(value)) && value >= 2;
}

function isSmallCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 16;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function damaged(path: string, what: string): FleetError {
  return new FleetError("fleet/key", `${path} is damaged: ${what}`);
}
