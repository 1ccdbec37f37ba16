/**
 * The three files of a release, made in a folder of their own: the component's copy, its chunk list, the
 * manifest.
 *
 * The component is cut into chunks every 65,536 bytes while it is copied, so memory does not grow with it.
 */

import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ChunkEntry, encodeChunkList } from "../ota/chunk-list.ts";
import { MAX_CHUNK_BYTES, MAX_COMPONENT_BYTES } from "../ota/limits.ts";
import type { ReleaseFile } from "../ota/names.ts";
import { FleetError } from "./errors.ts";
import { ioError, makeFolder, PUBLIC_MODE, readRange, writeFileDurably } from "./files.ts";

interface StagedFile {
  readonly length: number;
  readonly sha256: string;
}

export interface StagedRelease {
  readonly files: Readonly<Record<ReleaseFile, StagedFile>>;
  readonly chunks: number;
}

/** Copies and makes the release's three files in a folder of their own, synced. */
export async function stageRelease(
  staging: string,
  componentPath: string,
  manifestBytes: Uint8Array,
): Promise<StagedRelease> {
  await rm(staging, { recursive: true, force: true });
  await makeFolder(staging);
  const { chunks, component } = await copyComponent(componentPath, join(staging, "component.wasm"));
  const chunkList = encodeChunkList(chunks);
  await writeFileDurably(join(staging, "component.chunks"), chunkList);
  await writeFileDurably(join(staging, "module.toml"), manifestBytes);
  const files = {
    "component.wasm": component,
    "component.chunks": describeFile(chunkList),
    "module.toml": describeFile(manifestBytes),
  };
  return { files, chunks: chunks.length };
}

interface CopiedComponent {
  readonly component: StagedFile;
  readonly chunks: readonly ChunkEntry[];
}

async function copyComponent(from: string, to: string): Promise<CopiedComponent> {
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
      const copied = await copyChunks(source, size, target);
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

async function copyChunks(source: FileHandle, size: number, target: FileHandle): Promise<CopiedComponent> {
  const whole = createHash("sha256");
  const chunks: ChunkEntry[] = [];
  for (let offset = 0; offset < size; offset += MAX_CHUNK_BYTES) {
    const bytes = await readRange(source, offset, Math.min(MAX_CHUNK_BYTES, size - offset));
    whole.update(bytes);
    chunks.push(describeFile(bytes));
    await target.writeFile(bytes);
  }
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { component: { length, sha256: whole.digest("hex") }, chunks };
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

function describeFile(bytes: Uint8Array): StagedFile {
  return { length: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function openFile(path: string, mode: "r" | "wx"): Promise<FileHandle> {
  try {
    return await open(path, mode, PUBLIC_MODE);
  } catch (error) {
    throw ioError(mode === "r" ? "read" : "create", path, error);
  }
}
