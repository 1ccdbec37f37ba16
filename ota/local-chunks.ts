/**
 * Chunks that lie on the disk already, in the components of the versions that are there: found by their chunk lists, hashed, and copied
 * to where they belong, instead of being fetched (docs/ARCHITECTURE.md, "The device's disk").
 *
 * Nothing in those folders is believed. A list or a range that is not what it should be is passed over, and what a clean-up takes away
 * meanwhile is fetched like anything else; a fault of the disk where the new version is written is an error as ever.
 */

import { join } from "node:path";
import { sha256Of } from "./blob-window.ts";
import { type Chunk, MAX_CHUNK_LIST_BYTES, parseChunkList } from "./chunk-list.ts";
import type { DiskFile } from "./disk.ts";
import { readWhole } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { MAX_CHUNK_BYTES } from "./limits.ts";
import { CHUNKS_FILE, COMPONENT_FILE, type Store } from "./store.ts";

/** Content that a component lacks, named by its blob, with the places that it belongs to. */
export type MissingContent = {
  readonly sha256: string;
  readonly length: number;
  readonly chunk: Chunk;
  readonly offsets: readonly number[];
};

/**
 * Writes into `target` what the version folders hold of `missing` (by the content's digest), and takes that out of the map.
 */
export async function copyLocalChunks(
  store: Store,
  missing: Map<string, MissingContent>,
  target: DiskFile,
  signal: AbortSignal,
): Promise<void> {
  const buffer = new Uint8Array(MAX_CHUNK_BYTES);
  for (const folder of await store.versionDirectories()) {
    if (missing.size === 0 || signal.aborted) {
      return;
    }
    const useful = (await readChunkList(store, folder)).filter(({ sha256 }) => missing.has(sha256));
    const source =
      useful.length === 0
        ? undefined
        : await unlessGone(() => store.disk.open(join(folder, COMPONENT_FILE), "read"));
    if (source === undefined) {
      continue;
    }
    try {
      for (const { sha256, offset } of useful) {
        const content = missing.get(sha256);
        if (content === undefined || signal.aborted) {
          continue;
        }
        const range = buffer.subarray(0, content.chunk.length);
        if (!(await holds(source, range, offset, sha256))) {
          continue;
        }
        for (const place of content.offsets) {
          await target.write(range, place);
        }
        missing.delete(sha256);
      }
    } finally {
      await source.close();
    }
  }
}

/** The chunks of a version folder; none if its list is not usable. */
async function readChunkList(store: Store, folder: string): Promise<readonly Chunk[]> {
  const { disk } = store;
  const chunks = await unlessGone(async () => {
    const component = await disk.entry(join(folder, COMPONENT_FILE));
    const list = await readWhole(disk, join(folder, CHUNKS_FILE), MAX_CHUNK_LIST_BYTES);
    return component === undefined || list === undefined ? [] : parseChunkList(list, component.sizeBytes);
  });
  return chunks ?? [];
}

/** Fills `range` from the file; whether that is the content. */
async function holds(file: DiskFile, range: Uint8Array, offset: number, sha256: string): Promise<boolean> {
  const read = await unlessGone(() => file.read(range, offset));
  return read === range.length && sha256Of(range) === sha256;
}

/** Undefined for what can't be read, whatever the reason: then it is fetched. */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof OtaError) {
      return undefined;
    }
    throw error;
  }
}
