/**
 * The files of a release, made in a folder of their own: the component's copy, its chunk list, the manifest, and `component.blobs`, which
 * holds what goes over the wire and is no range of these three: each compressed chunk, in the order of the list, then the list's parts.
 *
 * The component is cut into chunks while it is copied, so memory does not grow with it. What is compressed is kept, not made again
 * when it is sent: another version of zstd gives other bytes.
 */

import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { type ChunkEntry, type Digested, encodeChunkList } from "../ota/chunk-list.ts";
import { MAX_CHUNK_BYTES, MAX_COMPONENT_BYTES } from "../ota/limits.ts";
import type { ReleaseFile } from "../ota/names.ts";
import { cutLength, cuttingOf, mustCutLongest } from "./cut-chunks.ts";
import { FleetError } from "./errors.ts";
import { ioError, makeFolder, PUBLIC_MODE, readRange, writeFileDurably } from "./files.ts";

/** zstd's level: one that pays, since a release is compressed once and sent to a fleet. */
const ZSTD_LEVEL = 19;

/** A chunk is sent as it is unless compression saves that part of it: decoding costs the device time. */
const LEAST_SAVING = 1 / 16;

/** What goes over the wire and is no range of another file of the release. */
export const BLOBS_FILE = "component.blobs";

export interface StagedRelease {
  readonly files: Readonly<Record<ReleaseFile, Digested>>;
  readonly chunks: number;
}

/** Copies and makes the release's files in a folder of their own, synced. */
export async function stageRelease(
  staging: string,
  componentPath: string,
  manifestBytes: Uint8Array,
): Promise<StagedRelease> {
  await rm(staging, { recursive: true, force: true });
  await makeFolder(staging);
  const blobs = await openFile(join(staging, BLOBS_FILE), "wx");
  const { chunks, component, chunkList } = await attemptWriting(
    blobs,
    join(staging, BLOBS_FILE),
    async () => {
      const copied = await copyComponent(componentPath, join(staging, "component.wasm"), blobs);
      const { head, parts } = encodeChunkList(copied.chunks);
      for (const part of parts) await blobs.writeFile(part);
      return { ...copied, chunkList: head };
    },
  );
  await writeFileDurably(join(staging, "component.chunks"), chunkList);
  await writeFileDurably(join(staging, "module.toml"), manifestBytes);
  const files = {
    "component.wasm": component,
    "component.chunks": describeFile(chunkList),
    "module.toml": describeFile(manifestBytes),
  };
  return { files, chunks: chunks.length };
}

async function attemptWriting<T>(file: FileHandle, path: string, write: () => Promise<T>): Promise<T> {
  try {
    const written = await write();
    await file.sync();
    return written;
  } catch (error) {
    throw ioError("write", path, error);
  } finally {
    await file.close();
  }
}

interface CopiedComponent {
  readonly component: Digested;
  readonly chunks: readonly ChunkEntry[];
}

async function copyComponent(from: string, to: string, blobs: FileHandle): Promise<CopiedComponent> {
  const source = await openFile(from, "r");
  try {
    const { size } = await source.stat();
    checkPreamble(from, await readRange(source, 0, PREAMBLE_BYTES));
    if (size > MAX_COMPONENT_BYTES) {
      throw new FleetError(
        "fleet/component-too-large",
        `${from} has ${size} bytes, a component at most ${MAX_COMPONENT_BYTES}: strip its debug sections`,
      );
    }
    const target = await openFile(to, "wx");
    try {
      const copied = await copyChunks(source, size, target, blobs);
      await target.sync();
      return copied;
    } finally {
      await target.close();
    }
  } catch (error) {
    throw ioError("copy", from, error);
  } finally {
    await source.close();
  }
}

async function copyChunks(
  source: FileHandle,
  size: number,
  target: FileHandle,
  blobs: FileHandle,
): Promise<CopiedComponent> {
  const whole = createHash("sha256");
  const chunks: ChunkEntry[] = [];
  const known = new Map<string, ChunkEntry>();
  const cutting = cuttingOf(size);
  let offset = 0;
  while (offset < size) {
    const window = await readRange(source, offset, Math.min(MAX_CHUNK_BYTES, size - offset));
    const length = mustCutLongest(chunks.length, size - offset) ? window.length : cutLength(window, cutting);
    // A file that shrinks under our hands.
    if (length === 0) break;
    const bytes = window.subarray(0, length);
    whole.update(bytes);
    await target.writeFile(bytes);
    offset += length;
    const content = describeFile(bytes);
    const chunk = known.get(content.sha256) ?? (await packChunk(content, bytes, blobs));
    known.set(content.sha256, chunk);
    chunks.push(chunk);
  }
  return { component: { length: offset, sha256: whole.digest("hex") }, chunks };
}

/** The chunk as it goes over the wire; what is compressed is appended to the blobs. */
async function packChunk(content: Digested, bytes: Uint8Array, blobs: FileHandle): Promise<ChunkEntry> {
  const compressed = zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
    pledgedSrcSize: bytes.length,
  });
  if (compressed.length > bytes.length * (1 - LEAST_SAVING)) return content;
  await blobs.writeFile(compressed);
  return { ...content, blob: describeFile(compressed) };
}

const PREAMBLE_BYTES = 8;
const MAGIC = "0061736d";
/**
 * Component Model binary format, "Component Definitions": version 0x0d, layer 1; a core module is version 1,
 * layer 0.
 */
const COMPONENT_PREAMBLE = `${MAGIC}0d000100`;
const CORE_MODULE_PREAMBLE = `${MAGIC}01000000`;

function checkPreamble(path: string, bytes: Uint8Array): void {
  const preamble = Buffer.from(bytes).toString("hex");
  if (preamble === COMPONENT_PREAMBLE) return;
  const what =
    preamble === CORE_MODULE_PREAMBLE
      ? "is a core module: make it a component with `wasm-tools component new` or `jco new`"
      : "is no WebAssembly component: publish the .wasm file that the component tools made";
  throw new FleetError("fleet/not-a-component", `${path} ${what}`);
}

function describeFile(bytes: Uint8Array): Digested {
  return { length: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function openFile(path: string, mode: "r" | "wx"): Promise<FileHandle> {
  try {
    return await open(path, mode, PUBLIC_MODE);
  } catch (error) {
    throw ioError(mode === "r" ? "read" : "create", path, error);
  }
}
