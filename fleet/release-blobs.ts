/**
 * What a release is on the wire: the blobs that its folder is sent as, each read when it is needed and held against its digest, since
 * what is sent has to be what was signed. Where they lie: stage-release.ts.
 */

import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Chunk, chunkListParts, type Digested, parseChunkList } from "../ota/chunk-list.ts";
import { MAX_COMPONENT_BYTES, MAX_PAYLOAD_BYTES } from "../ota/limits.ts";
import type { TargetInfo } from "../ota/metadata.ts";
import { type TargetPath, targetPath } from "../ota/names.ts";
import { FleetError } from "./errors.ts";
import { ioError, readFileBounded, readRange, systemCode } from "./files.ts";
import { type Repository, releaseFolder } from "./repository.ts";
import { BLOBS_FILE } from "./stage-release.ts";
import { sha256Hex } from "./sync.ts";

interface ReleaseBlob extends Digested {
  /** Reads the bytes from the folder; they have that digest, or it throws FleetError "fleet/repository-damaged". */
  load(): Promise<Uint8Array>;
}

export interface ReleaseBlobs {
  readonly chunks: readonly Chunk[];
  /** Chunk list and manifest, then the list's parts, then the chunks; each once. */
  readonly blobs: readonly ReleaseBlob[];
}

/** What identifies the release: the digests and lengths of its files, as its targets list them. */
export interface ReleaseFiles {
  readonly componentBytes: number;
  readonly chunkList: Digested;
  readonly manifest: Digested;
}

/** The files of a release as the image targets list them; throws FleetError "fleet/repository-damaged" where they don't. */
export function listedFiles(
  { module, version }: TargetPath,
  component: TargetInfo,
  targets: ReadonlyMap<string, TargetInfo>,
): ReleaseFiles {
  const usable = (file: "component.chunks" | "module.toml"): Digested => {
    const target = targets.get(targetPath(module, version, file));
    if (target === undefined || target.length > MAX_PAYLOAD_BYTES) {
      throw new FleetError(
        "fleet/repository-damaged",
        `The image targets list ${component.path} without a usable ${file}: publish it as a new version`,
      );
    }
    return { sha256: target.sha256, length: target.length };
  };
  return {
    componentBytes: component.length,
    chunkList: usable("component.chunks"),
    manifest: usable("module.toml"),
  };
}

/** The files of a release as they lie in its folder, whatever lists them; throws FleetError "fleet/io". */
export async function filesInFolder(
  repository: Repository,
  { module, version }: { readonly module: string; readonly version: string },
): Promise<ReleaseFiles> {
  const folder = releaseFolder(repository.folder, module, version);
  const describe = async (file: string): Promise<Digested> => {
    const bytes = await readFileBounded(join(folder, file), MAX_PAYLOAD_BYTES);
    return { sha256: sha256Hex(bytes), length: bytes.length };
  };
  return {
    componentBytes: await sizeOf(join(folder, "component.wasm")),
    chunkList: await describe("component.chunks"),
    manifest: await describe("module.toml"),
  };
}

/** The blobs of a release in the repository; throws FleetError "fleet/repository-damaged" or "fleet/io", OtaError for a chunk list that is none. */
export async function readReleaseBlobs(
  repository: Repository,
  { module, version }: { readonly module: string; readonly version: string },
  files: ReleaseFiles,
): Promise<ReleaseBlobs> {
  const folder = releaseFolder(repository.folder, module, version);
  const rangeOf = (file: string, { sha256, length }: Digested, offset: number): ReleaseBlob => ({
    sha256,
    length,
    load: () => loadPart(join(folder, file), { sha256, length, offset }),
  });
  const head = rangeOf("component.chunks", files.chunkList, 0);
  const headBytes = await head.load();
  const parts = chunkListParts(headBytes);
  const packed = await sizeOf(join(folder, BLOBS_FILE));
  let offset = packed - parts.reduce((sum, { length }) => sum + length, 0);
  const partBlobs = parts.map((part) => {
    const blob = rangeOf(BLOBS_FILE, part, Math.max(0, offset));
    offset += part.length;
    return blob;
  });
  const list = Buffer.concat([headBytes, ...(await Promise.all(partBlobs.map((part) => part.load())))]);
  const chunks = parseChunkList(list, Math.min(files.componentBytes, MAX_COMPONENT_BYTES));
  const blobs = [
    head,
    rangeOf("module.toml", files.manifest, 0),
    ...partBlobs,
    ...chunkBlobs(chunks, rangeOf),
  ];
  return { chunks, blobs: [...new Map(blobs.map((blob) => [blob.sha256, blob])).values()] };
}

type RangeOf = (file: string, blob: Digested, offset: number) => ReleaseBlob;

/** A chunk that is sent as it is lies in the component, a compressed one with the others, in the order of the list. */
function chunkBlobs(chunks: readonly Chunk[], rangeOf: RangeOf): readonly ReleaseBlob[] {
  const blobs = new Map<string, ReleaseBlob>();
  let packedOffset = 0;
  for (const { sha256, blob, offset } of chunks) {
    if (blobs.has(blob.sha256)) continue;
    if (blob.sha256 === sha256) {
      blobs.set(blob.sha256, rangeOf("component.wasm", blob, offset));
    } else {
      blobs.set(blob.sha256, rangeOf(BLOBS_FILE, blob, packedOffset));
      packedOffset += blob.length;
    }
  }
  return [...blobs.values()];
}

/** Reads a part of a file and holds it against its digest. */
async function loadPart(path: string, part: Digested & { readonly offset: number }): Promise<Uint8Array> {
  const bytes = await readPart(path, part.offset, part.length);
  if (sha256Hex(bytes) === part.sha256) return bytes;
  throw new FleetError(
    "fleet/repository-damaged",
    `${path} is not what was signed: bring it back from git or the backup`,
  );
}

async function readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      return await readRange(file, offset, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError("read", path, error);
  }
}

/** In bytes; none for a file that is not there, as in releases with a chunk list of format 1. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw ioError("read", path, error);
  }
}
