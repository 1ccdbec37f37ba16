/**
 * The operator's private keys: one JSON file per key, readable by its owner alone.
 *
 *     {"format":"skerry-key","formatVersion":1,"name":"image-targets","scheme":"ed25519",
 *      "public":"<64 hex>","encryption":"none","seed":"<64 hex>"}
 *
 * Under a passphrase other members stand in the place of `seed` (key-encryption.ts). What a person passes on of a key, so that
 * others can list it, is a file without the secret:
 *
 *     {"format":"skerry-public-key","formatVersion":1,"name":"image-root-2","scheme":"ed25519","public":"<64 hex>"}
 *
 * Which key signs what stands in the root (docs/ARCHITECTURE.md, "Metadata"); a key's name is for people.
 */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ed25519PublicKey, type PublicKey } from "../ota/keys.ts";
import { createSigner, generateSeed, type Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { createFileDurably, ioError, PRIVATE_MODE, readFileBounded, writeFileDurably } from "./files.ts";
import {
  decryptSeed,
  type EncryptedSeed,
  encryptSeed,
  readEncryptedSeed,
  SCRYPT_SECRETBOX,
} from "./key-encryption.ts";
import { MAX_KEY_FILE_BYTES } from "./limits.ts";
import type { Passphrases } from "./passphrases.ts";

/** A key file as it was read; its secret is not open yet. */
export interface KeyFile {
  readonly path: string;
  readonly name: string;
  readonly key: PublicKey;
  readonly secret:
    | { readonly kind: "plain"; readonly seed: Uint8Array }
    | { readonly kind: "encrypted"; readonly encrypted: EncryptedSeed };
}

/** A public key and what people call it. */
export interface NamedKey {
  readonly name: string;
  readonly key: PublicKey;
}

const FORMAT = "skerry-key";
const PUBLIC_FORMAT = "skerry-public-key";
const FORMAT_VERSION = 1;
const HEX_32_BYTES = /^[0-9a-f]{64}$/;
const KEY_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const PUBLIC_SUFFIX = ".pub.json";

export function isKeyName(text: string): boolean {
  return KEY_NAME.test(text);
}

/** The file of a key in a folder of keys. */
export function keyFile(folder: string, name: string): string {
  return join(folder, `${name}.json`);
}

/** The file with a key's public half. */
export function publicKeyFile(folder: string, name: string): string {
  return join(folder, `${name}${PUBLIC_SUFFIX}`);
}

/** Whether a file in a folder of keys holds a private key. */
export function isKeyFileName(name: string): boolean {
  return name.endsWith(".json") && isKeyName(name.slice(0, -".json".length));
}

/** Makes a key and writes its file; without a passphrase in the clear. Throws "fleet/exists" if there is one. */
export async function createKey(folder: string, name: string, passphrase?: string): Promise<Signer> {
  const seed = await generateSeed();
  const signer = await createSigner(seed);
  const content = await keyContent({ name, key: signer.key }, seed, passphrase);
  await createFileDurably(keyFile(folder, name), content, PRIVATE_MODE);
  return signer;
}

/** Writes a key file again, under another passphrase or (undefined) in the clear. Throws FleetError. */
export async function changePassphrase(
  file: KeyFile,
  passphrases: Passphrases | undefined,
  passphrase: string | undefined,
): Promise<void> {
  const content = await keyContent(file, await openSeed(file, passphrases), passphrase);
  await writeFileDurably(file.path, content, PRIVATE_MODE);
}

/** Writes what others need to list a key; replaces an older one. */
export async function writePublicKey(path: string, { name, key }: NamedKey): Promise<void> {
  await writeFileDurably(path, encode({ format: PUBLIC_FORMAT, ...headOf({ name, key }) }));
}

async function keyContent(
  named: NamedKey,
  seed: Uint8Array,
  passphrase: string | undefined,
): Promise<Buffer> {
  const secret =
    passphrase === undefined
      ? { encryption: "none", seed: Buffer.from(seed).toString("hex") }
      : await encryptSeed(seed, passphrase);
  return encode({ format: FORMAT, ...headOf(named), ...secret });
}

function headOf({ name, key }: NamedKey): object {
  return { formatVersion: FORMAT_VERSION, name, scheme: key.scheme, public: key.public };
}

function encode(content: object): Buffer {
  return Buffer.from(`${JSON.stringify(content, null, 2)}\n`);
}

/** Reads a key file; throws FleetError "fleet/key", "fleet/io". */
export async function readKeyFile(path: string): Promise<KeyFile> {
  const bytes = await readFileBounded(path, MAX_KEY_FILE_BYTES);
  await refuseReadableByOthers(path);
  const content = parseObject(bytes.toString("utf8"), path);
  const { name, key } = readHead(content, FORMAT, path);
  const { encryption, seed } = content;
  if (encryption === SCRYPT_SECRETBOX) {
    return { path, name, key, secret: { kind: "encrypted", encrypted: readEncryptedSeed(content, path) } };
  }
  if (encryption !== "none") {
    throw new FleetError("fleet/key", `${path} is encrypted in a way that this version cannot read`);
  }
  if (typeof seed !== "string" || !HEX_32_BYTES.test(seed)) {
    throw new FleetError("fleet/key", `${path} is damaged: "seed" has to be 64 hexadecimal digits`);
  }
  return { path, name, key, secret: { kind: "plain", seed: Buffer.from(seed, "hex") } };
}

/** Reads the file of a public key, or the public half of a private one; throws FleetError "fleet/key", "fleet/io". */
export async function readPublicKey(path: string): Promise<NamedKey> {
  const bytes = await readFileBounded(path, MAX_KEY_FILE_BYTES);
  const content = parseObject(bytes.toString("utf8"), path);
  return readHead(content, content["format"] === FORMAT ? FORMAT : PUBLIC_FORMAT, path);
}

/** The signer of a key file. Throws FleetError "fleet/passphrase-missing", "fleet/passphrase-wrong", "fleet/key". */
export async function openKey(file: KeyFile, passphrases: Passphrases | undefined): Promise<Signer> {
  return createSigner(await openSeed(file, passphrases));
}

async function openSeed({ path, key, secret }: KeyFile, passphrases?: Passphrases): Promise<Uint8Array> {
  const seed = secret.kind === "plain" ? secret.seed : await decrypt(path, secret.encrypted, passphrases);
  if ((await createSigner(seed)).key.public !== key.public) {
    throw new FleetError("fleet/key", `${path} is damaged: its public key does not belong to its seed`);
  }
  return seed;
}

async function decrypt(
  path: string,
  encrypted: EncryptedSeed,
  passphrases: Passphrases | undefined,
): Promise<Uint8Array> {
  if (passphrases !== undefined) return passphrases.open(path, (each) => decryptSeed(encrypted, each));
  throw new FleetError("fleet/passphrase-missing", `${path} is encrypted, and no passphrase was given`);
}

async function refuseReadableByOthers(path: string): Promise<void> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) === 0) return;
  } catch (error) {
    throw ioError("read", path, error);
  }
  throw new FleetError("fleet/key", `${path} can be read by others: run \`chmod 600 ${path}\``);
}

function readHead(content: Readonly<Record<string, unknown>>, format: string, path: string): NamedKey {
  const { name, scheme, public: publicHex } = content;
  if (content["format"] !== format || content["formatVersion"] !== FORMAT_VERSION) {
    throw new FleetError("fleet/key", `${path} is no file of format ${format} ${FORMAT_VERSION}`);
  }
  if (typeof name !== "string" || !isKeyName(name) || scheme !== "ed25519") {
    throw new FleetError("fleet/key", `${path} is damaged: "name" and "scheme" are not a key's`);
  }
  if (typeof publicHex !== "string" || !HEX_32_BYTES.test(publicHex)) {
    throw new FleetError("fleet/key", `${path} is damaged: "public" has to be 64 hexadecimal digits`);
  }
  return { name, key: ed25519PublicKey(Buffer.from(publicHex, "hex")) };
}

function parseObject(text: string, path: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return { ...parsed };
  } catch (error) {
    throw new FleetError("fleet/key", `${path} is damaged: no JSON`, { cause: error });
  }
  throw new FleetError("fleet/key", `${path} is damaged: no JSON object`);
}
