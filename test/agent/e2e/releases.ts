/** Releases of the end-to-end tests: small modules written as text, and whatever else somebody with the signing keys may publish. */
import type { Rig } from "../../../demo/rig.ts";
import { assignRelease } from "../../../fleet/assign.ts";
import { loadMetadata } from "../../../fleet/metadata-store.ts";
import { writeTargets } from "../../../fleet/write-metadata.ts";
import { MAX_CHUNK_BYTES } from "../../../ota/limits.ts";
import { type ReleaseFile, targetPath } from "../../../ota/names.ts";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { commandText, reactorText } from "../../support/modules.ts";
import { makeRelease, sha256Of, type TestRelease } from "../../support/releases.ts";
import { componentFromText } from "../../support/wat.ts";

export const MODULE = "acme/thermo";

export interface ManifestOptions {
  readonly module?: string;
  readonly world?: "command" | "reactor";
  readonly window?: string;
  readonly require?: readonly string[];
  readonly interval?: string;
  readonly memory?: string;
  readonly sensor?: readonly string[];
  readonly serial?: readonly string[];
  readonly publish?: readonly string[];
  readonly storage?: string;
  readonly subscribe?: readonly string[];
}

export function manifestOf(version: string, options: ManifestOptions = {}): string {
  const world = options.world ?? "command";
  return [
    `name = "${options.module ?? MODULE}"`,
    `version = "${version}"`,
    `world = "${world}"`,
    "[request]",
    `sensor = ${JSON.stringify(options.sensor ?? ["ambient"])}`,
    `serial = ${JSON.stringify(options.serial ?? [])}`,
    `publish = ${JSON.stringify(options.publish ?? ["telemetry/#"])}`,
    ...(options.subscribe === undefined ? [] : [`subscribe = ${JSON.stringify(options.subscribe)}`]),
    `memory = "${options.memory ?? "1MiB"}"`,
    ...(options.storage === undefined ? [] : [`storage = "${options.storage}"`]),
    ...(world === "reactor" ? ["[reactor]", `interval = "${options.interval ?? "100ms"}"`] : []),
    "[health]",
    `window = "${options.window ?? "300ms"}"`,
    `require = ${JSON.stringify(options.require ?? ["alive"])}`,
    "",
  ].join("\n");
}

/** Publishes its version, which lies in memory at 128. */
export const publishVersion = (version: string): string =>
  `(drop (call $publish (i32.const 128) (i32.const ${version.length})))`;
const versionText = (version: string): string => `(data (i32.const 128) "${version}")`;
const SLEEP = "(call $sleep (i64.const 100000000))";

/** A command that publishes its version for ever, ten times a second. */
export function steady(version: string, options: ManifestOptions = {}): Promise<TestRelease> {
  return command(
    version,
    `(loop $again ${publishVersion(version)} ${SLEEP} (br $again)) (i32.const 0)`,
    options,
  );
}

/** A command that publishes its version ten times a second, and does something else after `rounds` of them. */
export function steadyThen(
  rounds: number,
  version: string,
  after: string,
  options: ManifestOptions = {},
): Promise<TestRelease> {
  const countDown = `(local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))`;
  const body = `(local $rounds i32) (local.set $rounds (i32.const ${rounds}))
    (loop $again ${publishVersion(version)} ${SLEEP} ${countDown} (br_if $again (local.get $rounds)))
    ${after} (i32.const 0)`;
  return command(version, body, options);
}

/** A command with these lines as its `run` (see test/support/modules.ts). */
export async function command(
  version: string,
  body: string,
  options: ManifestOptions = {},
): Promise<TestRelease> {
  return release(version, await componentFromText(commandText(body, versionText(version))), options);
}

/** A reactor with these lines; its version lies in memory at 128. */
export async function reactor(
  version: string,
  bodies: { init?: string; health?: string; onTimer?: string; onMessage?: string; further?: string },
  options: ManifestOptions = {},
): Promise<TestRelease> {
  const component = await componentFromText(
    reactorText(bodies, `${versionText(version)} ${bodies.further ?? ""}`),
  );
  return release(version, component, { ...options, world: "reactor" });
}

/** Any bytes as a release. */
export function release(
  version: string,
  component: Uint8Array,
  options: ManifestOptions & { readonly manifest?: string } = {},
): TestRelease {
  const manifest = options.manifest ?? manifestOf(version, options);
  return makeRelease(version, { module: options.module ?? MODULE, component, manifest });
}

/** `steady`, made larger by a custom section to this many chunks with different bytes. */
export async function steadyOfChunks(
  chunks: number,
  version: string,
  options: ManifestOptions = {},
): Promise<TestRelease> {
  const { component } = await steady(version, options);
  const paddingBytes = (chunks - 1) * MAX_CHUNK_BYTES + MAX_CHUNK_BYTES / 2 - component.length;
  const padded = Buffer.concat([component, customSection(paddingBytes, version)]);
  return release(version, padded, options);
}

/** A custom section of a component, of some `bytes`, the same for the same seed. */
function customSection(bytes: number, seed: string): Uint8Array {
  const content = Buffer.alloc(bytes);
  for (let offset = 0; offset < bytes; offset += 32) {
    Buffer.from(sha256Of(new TextEncoder().encode(`${seed} ${offset}`)), "hex").copy(content, offset);
  }
  // A name of seven bytes, then whatever follows.
  content.write("\x07padding", 0, "latin1");
  const size = [0, 7, 14, 21].map((shift, index) => ((bytes >>> shift) & 0x7f) | (index < 3 ? 0x80 : 0));
  return Buffer.concat([Uint8Array.from([0, ...size]), content]);
}

/** The digests of a release's chunks, in order. */
export function chunkDigests({ component }: TestRelease): string[] {
  const digests: string[] = [];
  for (let offset = 0; offset < component.length; offset += MAX_CHUNK_BYTES) {
    digests.push(sha256Of(component.subarray(offset, offset + MAX_CHUNK_BYTES)));
  }
  return digests;
}

/** The release with another chunk list, signed as if it were right. */
export function withChunkList(made: TestRelease, chunkList: Uint8Array): TestRelease {
  const chunks = { length: chunkList.length, sha256: sha256Of(chunkList) };
  const blobs = new Map([...made.blobs, [chunks.sha256, chunkList]]);
  return { ...made, release: { ...made.release, chunks }, blobs };
}

/** Signs a release into the image repository of the rig and assigns it to the device's group; nothing reaches the broker. */
export async function signRelease({ repository }: Rig, { release: record }: TestRelease): Promise<void> {
  const { module, version } = record;
  const image = await loadMetadata(repository, "image");
  const target = (file: ReleaseFile, { length, sha256 }: { length: number; sha256: string }) =>
    targetInfo(
      targetPath(module, version, file),
      { length, sha256 },
      file === "component.wasm" ? { skerry: { release: 1 } } : undefined,
    );
  await writeTargets({ repository, nowMs: Date.now() }, image, [
    ...image.targets.metadata.targets.values(),
    target("component.wasm", record.component),
    target("component.chunks", record.chunks),
    target("module.toml", record.manifest),
  ]);
  const audience = { kind: "group", group: "default", percent: 100 } as const;
  await assignRelease(repository, { module, version, audience });
}
