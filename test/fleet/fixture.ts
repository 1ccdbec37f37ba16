/** Repositories and components for the fleet's tests. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { initRepository } from "../../fleet/init.ts";
import { type PublishResult, publishRelease } from "../../fleet/publish.ts";
import type { Repository } from "../../fleet/repository.ts";
import type { Mosquitto } from "../support/mosquitto.ts";

export const NOW_MS = Date.parse("2030-01-01T00:00:00Z");
export const DAY_MS = 86_400_000;

/** A folder that goes away with the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-fleet-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A fresh repository of fleet "demo". */
export async function newRepository(
  t: ExecutionContext,
  options: { readonly broker?: Mosquitto; readonly brokerUrl?: string; readonly nowMs?: number } = {},
): Promise<Repository> {
  const folder = join(await temporaryFolder(t), "fleet");
  const brokerUrl = options.broker?.url ?? options.brokerUrl ?? "mqtt://127.0.0.1:1";
  const { repository } = await initRepository({ folder, brokerUrl, nowMs: options.nowMs ?? Date.now() });
  return repository;
}

/**
 * A component that does nothing: a preamble and one custom section, filled from the seed so that no two
 * chunks are alike.
 */
export function componentBytes(sizeBytes: number, seed: number): Uint8Array {
  const bytes = Buffer.alloc(sizeBytes);
  const section = Buffer.from([0x00, 0, 0, 0, 0, 0x01, 0x78]);
  const contentLength = sizeBytes - 8 - 6;
  // LEB128, padded to five bytes.
  for (let index = 0; index < 5; index++) {
    section[1 + index] = ((contentLength >>> (7 * index)) & 0x7f) | (index < 4 ? 0x80 : 0);
  }
  let state = seed + 1;
  for (let offset = 0; offset + 4 <= sizeBytes; offset += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, offset);
  }
  Buffer.from("0061736d0d000100", "hex").copy(bytes);
  section.copy(bytes, 8);
  return bytes;
}

export function manifestText(module: string, version: string): string {
  return `name = "${module}"\nversion = "${version}"\nworld = "command"\n[request]\npublish = ["telemetry/#"]\n`;
}

export interface ReleaseToPublish {
  readonly module?: string;
  readonly version?: string;
  readonly component?: Uint8Array;
  readonly manifest?: string;
  readonly nowMs?: number;
}

/** Publishes into the folder; by default acme/thermo@1.0.0 with 150,000 bytes (three chunks). */
export async function publish(
  repository: Repository,
  release: ReleaseToPublish = {},
): Promise<PublishResult> {
  const { module = "acme/thermo", version = "1.0.0" } = release;
  const folder = await mkdtemp(join(tmpdir(), "skerry-release-"));
  try {
    const componentPath = join(folder, "component.wasm");
    const manifestPath = join(folder, "module.toml");
    await writeFile(componentPath, release.component ?? componentBytes(150_000, 1));
    await writeFile(manifestPath, release.manifest ?? manifestText(module, version));
    const now = release.nowMs === undefined ? {} : { nowMs: release.nowMs };
    return await publishRelease(repository, { componentPath, manifestPath, ...now });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
