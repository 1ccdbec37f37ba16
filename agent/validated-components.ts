/**
 * Which component files this agent has validated since it was started, by the SHA-256 of all that is in them: a worker that
 * starts one of them need not load the validator. Hashed here because the agent has the hash loaded, and a worker would pay
 * 0.8 MiB for it.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

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
  const hash = createHash("sha256");
  try {
    for await (const part of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(part);
  } catch {
    return undefined;
  }
  return hash.digest("hex");
}
