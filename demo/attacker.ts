/**
 * Somebody who got the broker's password, and with it the right to write any topic, but none of the fleet's keys: announces a release of
 * his own with metadata signed by keys of his own, formally perfect.
 */
import { createHash } from "node:crypto";
import { loadMetadata } from "../fleet/metadata-store.ts";
import { encodeChunkList } from "../ota/chunk-list.ts";
import { MAX_CHUNK_BYTES } from "../ota/limits.ts";
import { targetPath } from "../ota/names.ts";
import { signMetadata, snapshotJson, targetInfo, targetsJson, timestampJson } from "../ota/sign-metadata.ts";
import { createSigner, generateSeed } from "../ota/signature.ts";
import type { Rig } from "./rig.ts";

const WEEK_MS = 7 * 24 * 60 * 60 * 1_000;

/** Puts forged image metadata on the broker that brings `module` in `version`; `skerry sync` takes it away again. */
export async function forgeRelease(
  rig: Rig,
  module: string,
  version: string,
  component: Uint8Array,
): Promise<void> {
  const signer = await createSigner(await generateSeed());
  const { targets: genuine, snapshot, timestamp } = await loadMetadata(rig.repository, "image");
  const expiresMs = Date.now() + WEEK_MS;
  const after = (version: number) => ({ version: version + 1, expiresMs });

  const chunks: Uint8Array[] = [];
  for (let start = 0; start < component.byteLength; start += MAX_CHUNK_BYTES) {
    chunks.push(component.subarray(start, start + MAX_CHUNK_BYTES));
  }
  const { head: chunkList } = encodeChunkList(chunks.map(describe));
  const forgedTargets = await signMetadata(
    targetsJson({
      ...after(genuine.metadata.version),
      targets: [
        ...genuine.metadata.targets.values(),
        targetInfo(targetPath(module, version, "component.wasm"), describe(component), {
          skerry: { release: 99 },
        }),
        targetInfo(targetPath(module, version, "component.chunks"), describe(chunkList)),
      ],
    }),
    [signer],
  );
  const targetsFile = { version: genuine.metadata.version + 1, bytes: forgedTargets };
  const forgedSnapshot = await signMetadata(
    snapshotJson({ ...after(snapshot.metadata.version), targets: targetsFile }),
    [signer],
  );
  const snapshotFile = { version: snapshot.metadata.version + 1, bytes: forgedSnapshot };
  const forgedTimestamp = await signMetadata(
    timestampJson({ ...after(timestamp.metadata.version), snapshot: snapshotFile }),
    [signer],
  );
  for (const blob of [...chunks, chunkList]) await rig.publishRaw(`blob/${sha256(blob)}`, blob);
  await rig.publishRaw("image/targets", forgedTargets);
  await rig.publishRaw("image/snapshot", forgedSnapshot);
  await rig.publishRaw("image/timestamp", forgedTimestamp);
}

function describe(bytes: Uint8Array): { length: number; sha256: string } {
  return { length: bytes.byteLength, sha256: sha256(bytes) };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
