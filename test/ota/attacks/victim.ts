/**
 * The device under attack: the agent's watch over the metadata, its reports, the installer and the store, on a real folder. A module is
 * played by the test (test/support/install-rig.ts), so that an attack takes milliseconds.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { loadTrusted } from "../../../agent/provisioned-root.ts";
import { type AgentEvent, Reports } from "../../../agent/reports.ts";
import { DeviceTopics } from "../../../agent/topics.ts";
import { TrustWatch } from "../../../agent/trust-watch.ts";
import type { OtaErrorCode } from "../../../ota/errors.ts";
import { DELIVERY_IDLE_TIMEOUT_MS } from "../../../ota/limits.ts";
import type { RepositoryName } from "../../../ota/metadata.ts";
import { createVerifier } from "../../../ota/signature.ts";
import { saveChange } from "../../../ota/stored-trust.ts";
import { TrustedTime } from "../../../ota/trusted-time.ts";
import type { BlobBroker } from "../../support/blob-broker.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { InstallRig } from "../../support/install-rig.ts";
import { type MetadataSet, NOW_MS } from "../../support/signed-repository.ts";
import { DEVICE, type Fleet, MODULE, type PublishedRelease, releaseOf } from "./fleet.ts";

/** Payloads by the last level of their topics. */
type Payloads = Readonly<Record<string, Uint8Array>> | Readonly<Partial<MetadataSet>>;

interface VictimOptions {
  readonly hardware?: string;
  readonly broker?: BlobBroker;
}

const REPOSITORIES = ["image", "director"] as const;
/** What is not whole after this long is reported; twice, since it is asked for once more in between. */
const GRACE_MS = 100;

export class Victim {
  readonly rig: InstallRig;
  readonly events: AgentEvent[] = [];
  /** The device's clock, in milliseconds since 1970. */
  nowMs = NOW_MS;
  /** What the broker holds, to be sent again when the device asks. */
  readonly broker: Record<RepositoryName, Map<string, Uint8Array>> = {
    image: new Map(),
    director: new Map(),
  };
  readonly #fleet: Fleet;
  readonly #folder: string;
  readonly #options: VictimOptions;
  #watch: TrustWatch | undefined;
  /** The files that were last taken, by repository. */
  readonly #taken: Record<RepositoryName, readonly Uint8Array[]> = { image: [], director: [] };
  readonly #waiting = new Set<() => void>();

  private constructor(fleet: Fleet, folder: string, rig: InstallRig, options: VictimOptions) {
    this.#fleet = fleet;
    this.#folder = folder;
    this.rig = rig;
    this.#options = options;
  }

  /** A device of the fleet that runs release 1, version 1.0.0, and knows of nothing else. */
  static async create(t: ExecutionContext, fleet: Fleet, options: VictimOptions = {}): Promise<Victim> {
    const folder = await temporaryFolder(t);
    const rig = await InstallRig.create(t, options.broker === undefined ? {} : { broker: options.broker });
    const victim = new Victim(fleet, folder, rig, options);
    t.teardown(() => victim.#watch?.stop());
    for (const name of REPOSITORIES) {
      await writeFile(join(folder, `${name}.root.json`), await fleet.root(name));
    }
    await victim.#start();
    await victim.release(releaseOf("1.0.0", 1));
    return victim;
  }

  /** The operator publishes and assigns a release, and the device takes it. */
  async release(release: PublishedRelease): Promise<void> {
    this.send("image", await this.#fleet.publish(release));
    this.send("director", await this.#fleet.assign(release));
    this.offerBlobs(release);
    await this.rig.passTrial(release.made.release.version);
  }

  /** Puts a release's chunks on the broker: anybody can. */
  offerBlobs(...releases: readonly PublishedRelease[]): void {
    for (const { made } of releases) this.rig.broker.add(made.blobs);
  }

  /** Puts payloads on a repository's topics, as retained messages. */
  send(repository: RepositoryName, payloads: Payloads): void {
    for (const [name, payload] of Object.entries(payloads)) {
      if (payload.byteLength === 0) this.broker[repository].delete(name);
      else this.broker[repository].set(name, payload);
      this.#watch?.receive(repository, name, payload);
    }
  }

  /** Sends what the device has no reason to refuse, and waits until it is what it trusts. */
  async takes(repository: RepositoryName, payloads: Payloads): Promise<void> {
    this.send(repository, payloads);
    const sent = Object.values(payloads);
    const isTaken = (): boolean =>
      this.#taken[repository].some((bytes) => sent.some((each) => Buffer.compare(bytes, each) === 0));
    while (!isTaken()) await this.nextEvent();
  }

  /** The agent ends and another starts on the same folder; the broker sends it what it holds. */
  async restart(): Promise<void> {
    await this.#watch?.stop();
    await this.rig.installer.stop();
    await this.rig.restart();
    await this.#start();
    this.#sendAll();
  }

  /** Waits for an event with this code, from a position on; it names the attack as well, if it is one that has a name. */
  async refused(code: OtaErrorCode, attack: string | undefined, from = 0): Promise<AgentEvent> {
    for (;;) {
      const found = this.events.slice(from).find((event) => event.code === code);
      if (found !== undefined) {
        if (found.attack !== attack) throw new Error(`${code} is called ${found.attack}, not ${attack}`);
        return found;
      }
      await this.nextEvent();
    }
  }

  /** Resolves when something more was reported or taken. */
  nextEvent(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** A download waits for chunks until it gives up; another timer of the module is left alone. */
  async starve(): Promise<void> {
    const { clock } = this.rig;
    await this.rig.untilState(() => clock.pendingMs.includes(DELIVERY_IDLE_TIMEOUT_MS));
    clock.advance(DELIVERY_IDLE_TIMEOUT_MS);
  }

  /** The version runs, is what the state file has as committed, and nothing else was started after it. */
  expectRunning(t: ExecutionContext, version: string, module = MODULE): void {
    t.is(this.rig.runner.runningVersion(module), version);
    t.is(this.rig.store.modules().get(module)?.committed?.version, version);
    const started = this.rig.runner.log.filter((entry) => entry.startsWith("start "));
    t.is(started.at(-1), `start ${version}`);
  }

  async #start(): Promise<void> {
    const verifier = await createVerifier();
    const load = async (name: RepositoryName) =>
      (await loadTrusted(name, join(this.#folder, `${name}.root.json`), this.rig.store, verifier)).trusted;
    const reports = new Reports({
      // Events go nowhere but into `events`.
      link: { topics: new DeviceTopics("demo", DEVICE), publish: () => undefined },
      deviceId: DEVICE,
      log: () => undefined,
      onEvent: (event) => this.#add(event),
      snapshot: () => this.rig.installer.snapshot(),
    });
    this.rig.onReport = (report) => reports.install(report);
    const { hardware } = this.#options;
    const time = new TrustedTime(() => ({
      wallMs: this.nowMs,
      monotonicMs: 0,
      isSynchronised: undefined,
    }));
    this.#watch = new TrustWatch({
      trusted: { image: await load("image"), director: await load("director") },
      verifier,
      device: { id: DEVICE, groups: ["default"], ...(hardware === undefined ? {} : { hardware }) },
      now: (markMs) => time.nowMs(markMs),
      graceMs: GRACE_MS,
      save: async (name, change) => {
        await saveChange(this.rig.store.trust(name), change);
        this.#taken[name] = change.kind === "root" ? [change.bytes] : change.files.map(({ bytes }) => bytes);
        this.#wake();
      },
      committed: () => this.rig.installer.committed(),
      requestAgain: () => this.#sendAll(),
      onSelections: (selections) => this.rig.installer.setDesired(selections),
      onRefused: (error) => reports.refusedMetadata(error),
      onProblem: (error) => reports.failed(error),
    });
  }

  #sendAll(): void {
    for (const name of REPOSITORIES) {
      for (const [topic, payload] of this.broker[name]) this.#watch?.receive(name, topic, payload);
    }
  }

  #add(event: AgentEvent): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
