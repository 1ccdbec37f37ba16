/**
 * Whether files on the disk are what was signed: they may have lain there for long, and flash forgets. Hashed through one small buffer,
 * whatever their size.
 */

import { createHash } from "node:crypto";
import { sha256Of } from "./blob-window.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { readWhole, withFile } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { MAX_CHUNK_BYTES, MAX_PAYLOAD_BYTES } from "./limits.ts";
import { type ReleaseFileRecord, type ReleaseRecord, releaseName } from "./release.ts";
import type { Store } from "./store.ts";

/** Whether a release's version folder is there, with its component and manifest as they were signed. */
export async function isVersionIntact(store: Store, release: ReleaseRecord): Promise<boolean> {
  const { disk } = store;
  const path = store.componentPath(release);
  if (!(await isFileIntact(disk, store.manifestPath(release), release.manifest))) {
    return false;
  }
  if ((await disk.entry(path))?.sizeBytes !== release.component.length) {
    return false;
  }
  const digest = await withFile(disk, path, "read", (file) => hashFile(file, release.component.length));
  return digest === release.component.sha256;
}

/** @throws OtaError "store/corrupt" if a release on the disk is not what was signed */
export async function checkVersionIntact(store: Store, release: ReleaseRecord): Promise<void> {
  if (await isVersionIntact(store, release)) {
    return;
  }
  const what = "is not what was signed any more: it is fetched again; check the device's storage";
  throw new OtaError("store/corrupt", `${releaseName(release)} on the disk ${what}`);
}

/** Whether a file of at most one payload's size is there as it was signed. */
export async function isFileIntact(disk: Disk, path: string, file: ReleaseFileRecord): Promise<boolean> {
  if ((await disk.entry(path))?.sizeBytes !== file.length) {
    return false;
  }
  const bytes = await readWhole(disk, path, MAX_PAYLOAD_BYTES);
  return bytes !== undefined && sha256Of(bytes) === file.sha256;
}

/** SHA-256 of a file's first `lengthBytes`, in lower-case hexadecimal. */
export async function hashFile(file: DiskFile, lengthBytes: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(MAX_CHUNK_BYTES);
  for (let position = 0; position < lengthBytes; ) {
    const read: number = await file.read(buffer, position);
    if (read === 0) {
      break;
    }
    hash.update(buffer.subarray(0, read));
    position += read;
  }
  return hash.digest("hex");
}
