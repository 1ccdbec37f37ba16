/**
 * The operator's private keys: one JSON file per key, readable by its owner alone.
 *
 *     {"format":"skerry-key","formatVersion":1,"name":"image-targets","scheme":"ed25519",
 *      "public":"<64 hex>","encryption":"none","seed":"<64 hex>"}
 *
 * `encryption` is the seam for keys under a passphrase: another word there says how `seed` is to be read.
 * Which key signs what: docs/ARCHITECTURE.md, "Metadata". The root keys and image-targets are offline keys,
 * the others may lie on a server.
 */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createSigner, generateSeed, type Signer } from "../ota/signature.ts";
import { FleetError } from "./errors.ts";
import { ioError, PRIVATE_MODE, readFileIfPresent, writeFileDurably } from "./files.ts";
import { MAX_KEY_FILE_BYTES } from "./limits.ts";

/** The keys of a fleet, by what they sign. An "online" key signs all roles but root that are not offline. */
export const KEY_NAMES = [
  "image-root",
  "image-targets",
  "image-online",
  "director-root",
  "director-online",
] as const;
export type KeyName = (typeof KEY_NAMES)[number];

export const OFFLINE_KEYS: readonly KeyName[] = ["image-root", "image-targets", "director-root"];

const FORMAT = "skerry-key";
const FORMAT_VERSION = 1;
const HEX_32_BYTES = /^[0-9a-f]{64}$/;

export function keyFile(folder: string, name: KeyName): string {
  return join(folder, `${name}.json`);
}

/** Makes a key and writes its file; throws "fleet/exists" if there is one. */
export async function createKey(folder: string, name: KeyName): Promise<Signer> {
  const path = keyFile(folder, name);
  if ((await readFileIfPresent(path, MAX_KEY_FILE_BYTES)) !== undefined) {
    throw new FleetError("fleet/exists", `${path} exists already: a key is never overwritten`);
  }
  const seed = await generateSeed();
  const signer = await createSigner(seed);
  const content = {
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    name,
    scheme: "ed25519",
    public: signer.key.public,
    encryption: "none",
    seed: Buffer.from(seed).toString("hex"),
  };
  await writeFileDurably(path, Buffer.from(`${JSON.stringify(content, null, 2)}\n`), PRIVATE_MODE);
  return signer;
}

/**
 * Loads a key; undefined if its file is not there (an offline key that lies elsewhere). Throws "fleet/key".
 */
export async function loadKeyIfPresent(folder: string, name: KeyName): Promise<Signer | undefined> {
  const path = keyFile(folder, name);
  const bytes = await readFileIfPresent(path, MAX_KEY_FILE_BYTES);
  if (bytes === undefined) return undefined;
  await refuseReadableByOthers(path);
  return parseKey(bytes.toString("utf8"), path, name);
}

/** Loads a key; throws "fleet/key" if it is missing or not one. */
export async function loadKey(folder: string, name: KeyName): Promise<Signer> {
  const signer = await loadKeyIfPresent(folder, name);
  if (signer === undefined) {
    throw new FleetError(
      "fleet/key",
      `The key ${name} is needed to sign this and ${keyFile(folder, name)} does not exist: bring it back, or name the folder that holds it with \`keys\` in skerry.toml`,
    );
  }
  return signer;
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

async function parseKey(text: string, path: string, name: KeyName): Promise<Signer> {
  const content = parseObject(text, path);
  if (content["format"] !== FORMAT || content["formatVersion"] !== FORMAT_VERSION) {
    throw new FleetError("fleet/key", `${path} is no key file of format ${FORMAT} ${FORMAT_VERSION}`);
  }
  if (content["name"] !== name) {
    throw new FleetError("fleet/key", `${path} holds the key "${String(content["name"])}", not ${name}`);
  }
  if (content["encryption"] !== "none") {
    throw new FleetError("fleet/key", `${path} is encrypted in a way that this version cannot read`);
  }
  const { seed } = content;
  if (typeof seed !== "string" || !HEX_32_BYTES.test(seed)) {
    throw new FleetError("fleet/key", `${path} is damaged: "seed" has to be 64 hexadecimal digits`);
  }
  const signer = await createSigner(Buffer.from(seed, "hex"));
  if (signer.key.public !== content["public"]) {
    throw new FleetError("fleet/key", `${path} is damaged: its public key does not belong to its seed`);
  }
  return signer;
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
