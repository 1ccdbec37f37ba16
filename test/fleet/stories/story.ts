/**
 * What the stories of stolen keys share: a fleet on Mosquitto with a real agent, an operator at the command line, and a thief who has
 * copies of key files and the broker's password.
 */

import { copyFile, mkdir, readFile, watch, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { keyFile, openKey, readKeyFile } from "../../../fleet/keys.ts";
import { loadMetadata, type StoredMetadata } from "../../../fleet/metadata-store.ts";
import { openRepository } from "../../../fleet/repository.ts";
import { assignmentJson } from "../../../ota/assignment.ts";
import type { JsonObject } from "../../../ota/json.ts";
import type { RepositoryName, TargetInfo } from "../../../ota/metadata.ts";
import { parseMetadata } from "../../../ota/parse-metadata.ts";
import {
  signMetadata,
  snapshotJson,
  targetInfo,
  targetsJson,
  timestampJson,
} from "../../../ota/sign-metadata.ts";
import type { Signer } from "../../../ota/signature.ts";
import { DEVICE, Device, startGuardedBroker } from "../../agent/e2e/harness.ts";
import { MODULE, steady } from "../../agent/e2e/releases.ts";
import { requireTool } from "../../support/tools.ts";
import { temporaryFolder } from "../fixture.ts";
import { run } from "../run-command.ts";

/** Longer than the slowest machine takes. */
const TRUSTED_TIMEOUT_MS = 30_000;
const YEAR_MS = 365 * 86_400_000;

/** A fleet whose device runs acme/thermo 1.0.0, with 2 of 3 root keys; undefined where Mosquitto is missing. */
export async function startStory(t: ExecutionContext): Promise<Story | undefined> {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return undefined;
  const broker = await startGuardedBroker();
  const device = await Device.create(broker, { rootKeys: { count: 3, threshold: 2 } });
  t.teardown(async () => {
    await device.close();
    await broker.mosquitto.dispose();
  });
  const story = new Story(t, device, await temporaryFolder(t), broker.operator?.password ?? "");
  await device.start();
  await story.release("1.0.0");
  return story;
}

export class Story {
  readonly device: Device;
  readonly folder: string;
  /** The operator's repository folder; `moveTo` changes it. */
  fleet: string;
  readonly #t: ExecutionContext;
  readonly #password: string;

  constructor(t: ExecutionContext, device: Device, folder: string, password: string) {
    this.#t = t;
    this.device = device;
    this.folder = folder;
    this.fleet = device.rig.repository.folder;
    this.#password = password;
  }

  /** Runs a command line of the operator's that has to succeed; gives what it printed. */
  async operator(line: string, ...argv: readonly string[]): Promise<string> {
    const env = { SKERRY_REPO: this.fleet, SKERRY_MQTT_PASSWORD: this.#password };
    const { exitCode, out, err } = await run([...line.split(" "), ...argv], { env });
    this.#t.is(exitCode, 0, `skerry ${line}: ${err}`);
    return out;
  }

  /** Runs one that has to fail; gives its message. */
  async fails(line: string): Promise<string> {
    const env = { SKERRY_REPO: this.fleet, SKERRY_MQTT_PASSWORD: this.#password };
    const { exitCode, err } = await run(line.split(" "), { env });
    this.#t.is(exitCode, 1, `skerry ${line}`);
    return err;
  }

  /** Publishes a version; nobody runs it yet. */
  async publish(version: string): Promise<void> {
    const { component, manifest } = await steady(version);
    const [componentFile, manifestFile] = [join(this.folder, "c.wasm"), join(this.folder, "module.toml")];
    await writeFile(componentFile, component);
    await writeFile(manifestFile, manifest);
    await this.operator("publish", componentFile, "--manifest", manifestFile, "--username", "operator");
  }

  /** Publishes and assigns a version, and waits until the device runs it for good. */
  async release(version: string): Promise<void> {
    const from = this.device.events.count;
    await this.publish(version);
    await this.operator(`assign ${MODULE}@${version} --username operator`);
    await this.device.event("committed", version, { from });
    await this.runs(version);
  }

  async runs(version: string): Promise<void> {
    await this.device.expectServing(this.#t, version);
  }

  /** Waits for a refusal of metadata from now on, or from an event's number on. */
  async refused(repository: RepositoryName, codes: readonly string[], from: number): Promise<void> {
    await this.device.events.until(
      `${repository}: ${codes.join(" or ")}`,
      (each) => each.event === "refused" && each.repository === repository && codes.includes(each.code ?? ""),
      from,
    );
    this.#t.pass();
  }

  /** Waits until the device has a repository's timestamp of this version, or a later one, on its disk. */
  async untilTrusted(name: RepositoryName, version: number): Promise<void> {
    const folder = join(this.device.rig.stateDir, "trust", name);
    const isThere = async (): Promise<boolean> => {
      const bytes = await readFile(join(folder, "timestamp.json"));
      return parseMetadata(name, "timestamp", bytes).metadata.version >= version;
    };
    const signal = AbortSignal.timeout(TRUSTED_TIMEOUT_MS);
    const changes = watch(folder, { signal });
    if (await isThere()) return;
    for await (const _change of changes) if (await isThere()) return;
  }

  /** A copy of these key files, as they are now. */
  async steal(...names: readonly string[]): Promise<Thief> {
    const loot = join(this.folder, `loot-${names.join("-")}`);
    await mkdir(loot);
    const signers: Signer[] = [];
    for (const name of names) {
      await copyFile(keyFile(join(this.fleet, "keys"), name), keyFile(loot, name));
      signers.push(await openKey(await readKeyFile(keyFile(loot, name)), undefined));
    }
    return new Thief(this, signers);
  }
}

/** What somebody else writes on a repository's topics. */
export interface Forgery {
  readonly targets?: readonly TargetInfo[];
  /** Added to each version. */
  readonly ahead?: number;
  /** When it claims to be signed, in milliseconds since 1970; default now. It is valid for a year from then. */
  readonly issuedMs?: number;
}

export class Thief {
  readonly #story: Story;
  readonly #signers: readonly Signer[];

  constructor(story: Story, signers: readonly Signer[]) {
    this.#story = story;
    this.#signers = signers;
  }

  /** What the broker would hold if all were well: the thief reads along. */
  async stored(name: RepositoryName): Promise<StoredMetadata> {
    return loadMetadata(await openRepository(this.#story.fleet), name);
  }

  /** Writes targets, snapshot and timestamp, all signed with the stolen keys. */
  async publishAll(
    name: RepositoryName,
    { targets, ahead = 1, issuedMs = Date.now() }: Forgery,
  ): Promise<void> {
    const stored = await this.stored(name);
    const fields = (role: "targets" | "snapshot" | "timestamp") => ({
      version: stored[role].metadata.version + ahead,
      expiresMs: issuedMs + YEAR_MS,
      base: stored[role].signedJson,
    });
    const entries = targets ?? [...stored.targets.metadata.targets.values()];
    const targetsBytes = await this.#sign(targetsJson({ ...fields("targets"), targets: entries }));
    const snapshotBytes = await this.#sign(
      snapshotJson({
        ...fields("snapshot"),
        targets: { version: fields("targets").version, bytes: targetsBytes },
      }),
    );
    const timestampBytes = await this.#sign(
      timestampJson({
        ...fields("timestamp"),
        issuedMs,
        snapshot: { version: fields("snapshot").version, bytes: snapshotBytes },
      }),
    );
    await this.put(`${name}/targets`, targetsBytes);
    await this.put(`${name}/snapshot`, snapshotBytes);
    await this.put(`${name}/timestamp`, timestampBytes);
  }

  /** Writes targets alone. */
  async publishTargets(name: RepositoryName, targets: readonly TargetInfo[]): Promise<void> {
    const { metadata, signedJson } = (await this.stored(name)).targets;
    const fields = { version: metadata.version + 1, expiresMs: Date.now() + YEAR_MS, base: signedJson };
    await this.put(`${name}/targets`, await this.#sign(targetsJson({ ...fields, targets })));
  }

  /** Writes a delegated role's targets. */
  async publishRole(role: string, targets: readonly TargetInfo[]): Promise<void> {
    const file = (await this.stored("image")).delegated.get(role);
    const version = (file?.metadata.version ?? 0) + 1;
    await this.put(
      `image/${role}`,
      await this.#sign(targetsJson({ version, expiresMs: Date.now() + YEAR_MS, targets })),
    );
  }

  /** Writes a root with these changes after the newest one. */
  async publishRoot(name: RepositoryName, change: (signed: JsonObject) => JsonObject): Promise<void> {
    const root = (await this.stored(name)).roots.at(-1);
    const version = (root?.metadata.version ?? 0) + 1;
    await this.put(`${name}/${version}.root`, await this.#sign(change({ ...root?.signedJson, version })));
  }

  /** Every role signed by the stolen keys alone. */
  ownRoles(): JsonObject {
    const keyids = this.#signers.map(({ key }) => key.keyId);
    const threshold = keyids.length;
    const role = { keyids, threshold };
    return { root: role, timestamp: role, snapshot: role, targets: role };
  }

  async put(topic: string, bytes: Uint8Array): Promise<void> {
    await this.#story.device.rig.publishRaw(topic, bytes);
  }

  /** The director's entry that sends the device to a version; its length and hash are the image repository's unless given. */
  async assignment(version: string, file?: { length: number; sha256: string }): Promise<TargetInfo> {
    const path = `${MODULE}/${version}/component.wasm`;
    const component = (await this.stored("image")).targets.metadata.targets.get(path);
    const assignment = assignmentJson({ kind: "pin", order: 1_000_000, device: DEVICE });
    const bytes = file ?? component ?? { length: 8, sha256: "00".repeat(32) };
    return targetInfo(path, bytes, { skerry: { assignments: [assignment] } });
  }

  #sign(signed: JsonObject): Promise<Uint8Array> {
    return signMetadata(signed, this.#signers);
  }
}
