/** Releases for tests: by version, with real digests of small components. */

import { createHash } from "node:crypto";
import { encodeChunkList } from "../../ota/chunk-list.ts";
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
};

/** Makes a release of `acme/thermo`, its component cut into chunks of a fixed size. */
export function makeRelease(version: string, options: TestReleaseOptions = {}): TestRelease {
  const module = options.module ?? "acme/thermo";
  const component = options.component ?? new TextEncoder().encode(`component of ${module}@${version}`);
  const manifest = new TextEncoder().encode(
    options.manifest ?? `name = "${module}"\nversion = "${version}"\nworld = "command"\n`,
  );
  const blobs = new Map<string, Uint8Array>();
  const entries: { sha256: string; length: number }[] = [];
  const chunkBytes = options.chunkBytes ?? 65_536;
  for (let offset = 0; offset < component.length; offset += chunkBytes) {
    const chunk = component.subarray(offset, offset + chunkBytes);
    blobs.set(sha256Of(chunk), chunk);
    entries.push({ sha256: sha256Of(chunk), length: chunk.length });
  }
  const chunks = encodeChunkList(entries);
  blobs.set(sha256Of(chunks), chunks);
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

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function fileOf(bytes: Uint8Array): ReleaseFileRecord {
  return { length: bytes.length, sha256: sha256Of(bytes) };
}
