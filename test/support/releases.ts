/** Releases for tests: by version, with real digests of small components. */

import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { type ChunkEntry, encodeChunkList } from "../../ota/chunk-list.ts";
import type { ReleaseFileRecord, ReleaseRecord } from "../../ota/release.ts";

/** A release with the blobs that it is delivered as, by digest. */
export type TestRelease = {
  readonly release: ReleaseRecord;
  readonly component: Uint8Array;
  readonly manifest: Uint8Array;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
};

export type TestReleaseOptions = {
  readonly module?: string;
  readonly component?: Uint8Array;
  readonly manifest?: string;
  readonly chunkBytes?: number;
  /** Chunks go over the wire as zstd frames. */
  readonly compressed?: boolean;
};

/** Makes a release of `acme/thermo`, its component cut into chunks of a fixed size. */
export function makeRelease(version: string, options: TestReleaseOptions = {}): TestRelease {
  const module = options.module ?? "acme/thermo";
  const component = options.component ?? new TextEncoder().encode(`component of ${module}@${version}`);
  const manifest = new TextEncoder().encode(
    options.manifest ?? `name = "${module}"\nversion = "${version}"\nworld = "command"\n`,
  );
  const blobs = new Map<string, Uint8Array>();
  const entries: ChunkEntry[] = [];
  const chunkBytes = options.chunkBytes ?? 65_536;
  for (let offset = 0; offset < component.length; offset += chunkBytes) {
    const chunk = component.subarray(offset, offset + chunkBytes);
    const blob = options.compressed === true ? zstdCompressSync(chunk) : chunk;
    blobs.set(sha256Of(blob), blob);
    entries.push({ ...fileOf(chunk), blob: fileOf(blob) });
  }
  const { head: chunks, parts } = encodeChunkList(entries);
  for (const message of [chunks, ...parts]) blobs.set(sha256Of(message), message);
  blobs.set(sha256Of(manifest), manifest);
  return {
    release: {
      module,
      version,
      release: 1,
      component: fileOf(component),
      chunks: fileOf(chunks),
      manifest: fileOf(manifest),
    },
    component,
    manifest,
    blobs,
  };
}

/** A chunk list of format 1, as they were written once. */
export function oldChunkList(entries: readonly ReleaseFileRecord[]): Uint8Array {
  const list = Buffer.alloc(8 + 36 * entries.length);
  list.write("SKCL\u0001", "latin1");
  for (const [index, { sha256, length }] of entries.entries()) {
    list.write(sha256, 8 + 36 * index, "hex");
    list.writeUInt32BE(length, 40 + 36 * index);
  }
  return list;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function fileOf(bytes: Uint8Array): ReleaseFileRecord {
  return { length: bytes.length, sha256: sha256Of(bytes) };
}
