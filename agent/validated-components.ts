/**
 * Which component files this agent has validated since it was started, by the SHA-256 of all that is in them: a worker that
 * starts one of them need not load the validator. Hashed here because the agent has the hash loaded, and a worker would pay
 * 0.8 MiB for it.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

const READ_BYTES = 64 * 1024;

export class ValidatedComponents {
  /** The last one per module: what else it has is an older version, which its worker validates again. */
  readonly #digests = new Map<string, string>();

  /** Runs `validate` and, if it does not throw, remembers the file as it was before and after. */
  async remember(module: string, path: string, validate: () => Promise<void>): Promise<void> {
    const before = await fileDigest(path);
    await validate();
    if ((await fileDigest(path)) === before && before !== undefined) this.#digests.set(module, before);
  }

  /** Whether the file holds what was validated last for the module. */
  async holds(module: string, path: string): Promise<boolean> {
    const validated = this.#digests.get(module);
    return validated !== undefined && (await fileDigest(path)) === validated;
  }
}

/** SHA-256 in hex; `undefined` for a file that can't be read, which whoever opens it next reports. */
async function fileDigest(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    try {
      return await digestOf(file);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** Through one buffer: a stream makes a new one for each part, and they pile up to the file's size until they are collected. */
async function digestOf(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(READ_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
  }
}
