/**
 * Brings a release onto the disk: manifest and chunk list first, then the component's chunks, each checked and written at its
 * place, in any order: copied from a version that is on the disk if it holds it, fetched otherwise. Memory holds the list and a window
 * of chunks, whatever the component's size.
 *
 * A download that was cut, by the network or the power, goes on where it was: what lies in `incoming` is believed only
 * after it was hashed again, so there is no record that could disagree with the bytes. Nothing of it is synced
 * before the end, which is one rename of the whole folder after its files are on the medium (`Store.promote`).
 */

import { join } from "node:path";
import type { BlobSource } from "./blob-source.ts";
import { fetchBlobs, sha256Of } from "./blob-window.ts";
import { chunkContent } from "./chunk-content.ts";
import { type Chunk, chunkListParts, MAX_CHUNK_LIST_BYTES, parseChunkList } from "./chunk-list.ts";
import type { Clock } from "./clock.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { readWhole, withFile } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { hashFile, isFileIntact, isVersionIntact } from "./intact.ts";
import {
  DELIVERY_IDLE_TIMEOUT_MS,
  DELIVERY_WINDOW_BLOBS,
  DELIVERY_WINDOW_BYTES,
  FREE_SPACE_RESERVE_BYTES,
  MAX_CHUNK_BYTES,
  MAX_COMPONENT_BYTES,
  MAX_PAYLOAD_BYTES,
} from "./limits.ts";
import { copyLocalChunks, type MissingContent } from "./local-chunks.ts";
import { type ReleaseFileRecord, type ReleaseRecord, releaseName } from "./release.ts";
import { checkBudget } from "./storage-budget.ts";
import { CHUNKS_FILE, COMPONENT_FILE, MANIFEST_FILE, type Store } from "./store.ts";
import { formatSize } from "./units.ts";

/** How far a component is, in bytes; what lay on the disk already counts as received. */
export type DeliveryProgress = { readonly received: number; readonly total: number };

export type DeliveryOptions = {
  readonly store: Store;
  readonly source: BlobSource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: DeliveryProgress) => void;
  /** Chunks asked for at a time, and how long to wait for the next one. */
  readonly windowBlobs?: number;
  readonly idleTimeoutMs?: number;
  /** What versions and downloads may take on the disk; the caller has looked at all but the parts of the chunk list. */
  readonly storageBudgetBytes?: number | undefined;
};

/**
 * Fetches a release into its version folder; fetches nothing if it is there and its files are what was signed. One call at a time:
 * the source has one receiver.
 *
 * @throws OtaError "delivery/…", "store/disk-full", "store/over-budget", "store/io"; what came so far is kept and believed after hashing
 */
export async function fetchRelease(release: ReleaseRecord, options: DeliveryOptions): Promise<void> {
  const { store } = options;
  checkSizes(release);
  if (await store.hasVersion(release)) {
    if (await isVersionIntact(store, release)) {
      return;
    }
    await store.discardVersion(release);
  }
  const folder = store.incomingDirectory(release);
  await store.disk.makeDirectory(folder);
  await checkFreeSpace(release, options);
  const chunks = parseChunkList(await fetchLists(release, options), release.component.length);
  const component = join(folder, COMPONENT_FILE);
  await withFile(store.disk, component, "update", async (file) => {
    await fetchComponent(release, chunks, file, options);
    await checkComponent(release, file);
  });
  await store.promote(release);
}

/** The lengths are signed; they are bounded all the same, since a stolen key signs anything. */
function checkSizes(release: ReleaseRecord): void {
  const bounds: readonly [string, ReleaseFileRecord, number][] = [
    ["component", release.component, MAX_COMPONENT_BYTES],
    ["chunk list", release.chunks, MAX_PAYLOAD_BYTES],
    ["manifest", release.manifest, MAX_PAYLOAD_BYTES],
  ];
  for (const [what, { length }, maxBytes] of bounds) {
    if (length > maxBytes) {
      throw new OtaError(
        "delivery/too-large",
        `${releaseName(release)}: its ${what} has ${length} bytes, at most ${maxBytes} are taken; publish a smaller one`,
      );
    }
  }
}

async function checkFreeSpace(release: ReleaseRecord, options: DeliveryOptions): Promise<void> {
  const { disk } = options.store;
  const folder = options.store.incomingDirectory(release);
  const present = (await disk.entry(join(folder, COMPONENT_FILE)))?.sizeBytes ?? 0;
  const lists = release.chunks.length + release.manifest.length;
  const neededBytes = Math.max(0, release.component.length - present) + lists + FREE_SPACE_RESERVE_BYTES;
  const freeBytes = await disk.freeBytes(folder);
  if (freeBytes < neededBytes) {
    throw new OtaError(
      "store/disk-full",
      `${releaseName(release)} needs ${formatSize(neededBytes)}, ${formatSize(freeBytes)} are free: free some, the agent tries again`,
    );
  }
}

/** Makes manifest and chunk list lie in the folder; gives the chunk list's bytes. */
async function fetchLists(release: ReleaseRecord, options: DeliveryOptions): Promise<Uint8Array> {
  const { disk } = options.store;
  const folder = options.store.incomingDirectory(release);
  const listPath = join(folder, CHUNKS_FILE);
  const manifestPath = join(folder, MANIFEST_FILE);
  const fetched = new Map<string, Uint8Array>();
  let list = await readChunkList(release, listPath, options);
  const wanted: ReleaseFileRecord[] = list === undefined ? [release.chunks] : [];
  if (!(await isFileIntact(disk, manifestPath, release.manifest))) {
    wanted.push(release.manifest);
  }
  const fetchAll = (blobs: readonly ReleaseFileRecord[]): Promise<void> =>
    fetchBlobs({
      ...windowOptions(release, options),
      wanted: blobs,
      take: async (blob, payload) => {
        // A copy: the payload is a window on a larger buffer of the socket's.
        fetched.set(blob.sha256, Uint8Array.from(payload));
      },
    });
  await fetchAll(wanted);
  const manifest = fetched.get(release.manifest.sha256);
  if (manifest !== undefined) {
    await writeFile(disk, manifestPath, manifest);
  }
  const head = list ?? fetched.get(release.chunks.sha256) ?? new Uint8Array();
  const parts = chunkListParts(head);
  const listBytes = parts.reduce((sum, { length }) => sum + length, release.chunks.length);
  await checkBudget(options.store, release, options.storageBudgetBytes, listBytes);
  if (list === undefined) {
    await fetchAll([...new Map(parts.map((part) => [part.sha256, part])).values()]);
    list = Buffer.concat([head, ...parts.map(({ sha256 }) => fetched.get(sha256) ?? new Uint8Array())]);
    await writeFile(disk, listPath, list);
  }
  return list;
}

/** The chunk list that lies in the folder, its parts behind its head; undefined unless it is whole and the signed one. */
async function readChunkList(
  { chunks }: ReleaseRecord,
  path: string,
  { store }: DeliveryOptions,
): Promise<Uint8Array | undefined> {
  const sizeBytes = (await store.disk.entry(path))?.sizeBytes ?? 0;
  if (sizeBytes < chunks.length || sizeBytes > MAX_CHUNK_LIST_BYTES) {
    return undefined;
  }
  const list = (await readWhole(store.disk, path, MAX_CHUNK_LIST_BYTES)) ?? new Uint8Array();
  const head = list.subarray(0, chunks.length);
  if (sha256Of(head) !== chunks.sha256) {
    return undefined;
  }
  let end = chunks.length;
  for (const { sha256, length } of chunkListParts(head)) {
    if (sha256Of(list.subarray(end, end + length)) !== sha256) {
      return undefined;
    }
    end += length;
  }
  return end === list.length ? list : undefined;
}

function writeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  return withFile(disk, path, "create", (file) => file.write(bytes, 0));
}

/** Writes the chunks that the file lacks, wherever they belong. */
async function fetchComponent(
  release: ReleaseRecord,
  chunks: readonly Chunk[],
  file: DiskFile,
  options: DeliveryOptions,
): Promise<void> {
  const missing = await findMissing(file, chunks);
  await copyLocalChunks(options.store, missing, file, options.signal);
  const total = release.component.length;
  const bytesOf = ({ chunk, offsets }: MissingContent): number => chunk.length * offsets.length;
  let received = total - [...missing.values()].reduce((sum, content) => sum + bytesOf(content), 0);
  options.onProgress?.({ received, total });
  await fetchBlobs({
    ...windowOptions(release, options),
    wanted: [...missing.values()],
    take: async (content, payload) => {
      const bytes = await chunkContent(content.chunk, payload, releaseName(release));
      for (const offset of content.offsets) {
        await file.write(bytes, offset);
      }
      received += bytesOf(content);
      options.onProgress?.({ received, total });
    },
  });
  // A longer file from another attempt would not be this component.
  await file.truncate(total);
}

/** By its digest, what the file does not hold yet, by hashing what it does hold; a content that occurs twice is fetched once. */
async function findMissing(file: DiskFile, chunks: readonly Chunk[]): Promise<Map<string, MissingContent>> {
  const missing = new Map<string, MissingContent & { readonly offsets: number[] }>();
  const buffer = new Uint8Array(MAX_CHUNK_BYTES);
  let isPastEnd = false;
  for (const chunk of chunks) {
    const { sha256, length, offset } = chunk;
    const range = buffer.subarray(0, length);
    const read: number = isPastEnd ? 0 : await file.read(range, offset);
    isPastEnd ||= read < length;
    if (read === length && sha256Of(range) === sha256) {
      continue;
    }
    const known = missing.get(sha256);
    if (known === undefined) {
      missing.set(sha256, { sha256: chunk.blob.sha256, length: chunk.blob.length, chunk, offsets: [offset] });
    } else {
      known.offsets.push(offset);
    }
  }
  return missing;
}

/** The whole component against its signed digest: what the chunk list promised chunk by chunk has to hold together. */
async function checkComponent(release: ReleaseRecord, file: DiskFile): Promise<void> {
  if ((await hashFile(file, release.component.length)) !== release.component.sha256) {
    throw new OtaError(
      "delivery/hash-mismatch",
      `${releaseName(release)}: its chunks do not make up the component that is signed; publish the release again under a new version`,
    );
  }
}

function windowOptions(release: ReleaseRecord, options: DeliveryOptions) {
  return {
    what: releaseName(release),
    source: options.source,
    clock: options.clock,
    signal: options.signal,
    windowBlobs: options.windowBlobs ?? DELIVERY_WINDOW_BLOBS,
    windowBytes: DELIVERY_WINDOW_BYTES,
    idleTimeoutMs: options.idleTimeoutMs ?? DELIVERY_IDLE_TIMEOUT_MS,
  };
}
