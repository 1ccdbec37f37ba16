/**
 * Build steps whose results are kept: `.cache/qemu/<name>-<hash>`, the hash being of everything that went into it. A result that is there is whole
 * (it gets its name when it is finished), and is never changed.
 */
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../.cache/qemu/", import.meta.url));
const HASH_DIGITS = 16;

/** What a step is made of: texts and bytes, in order. */
export type StepInputs = readonly (string | Uint8Array)[];

/**
 * The folder with a step's result; builds it first unless it is there.
 *
 * @param build makes the result in the folder that it is given
 */
export async function cached(
  name: string,
  inputs: StepInputs,
  note: (line: string) => void,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const result = join(CACHE, `${name}-${hashOf(inputs)}`);
  if (await exists(result)) return result;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, `${name}.unfinished-`));
  const began = performance.now();
  note(`building ${name} …`);
  try {
    await build(unfinished);
    await rename(unfinished, result);
  } catch (error) {
    // Somebody else may have finished the same step meanwhile.
    await rm(unfinished, { recursive: true, force: true });
    if (await exists(result)) return result;
    throw error;
  }
  note(`built ${name} in ${Math.round((performance.now() - began) / 1000)} s`);
  return result;
}

function hashOf(inputs: StepInputs): string {
  const hash = createHash("sha256");
  for (const input of inputs) {
    const bytes = typeof input === "string" ? Buffer.from(input) : input;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex").slice(0, HASH_DIGITS);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
