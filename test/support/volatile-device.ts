/**
 * A device on a `VolatileDisk`: store, installer, a runner whose modules keep private files with care, a broker that has everything, and a
 * held clock. Nothing in it waits for time, so that it is known when it rests: when nobody touches the disk any more.
 */

import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Disk } from "../../ota/disk.ts";
import { readWhole, writeDurably } from "../../ota/durable-file.ts";
import { OtaError } from "../../ota/errors.ts";
import { Installer, type InstallReport } from "../../ota/installer.ts";
import { makeDataFolder } from "../../ota/module-data.ts";
import { type ReleaseFileRecord, releaseId } from "../../ota/release.ts";
import type { ModuleFact, ModuleRunner, StagedModule } from "../../ota/runner.ts";
import { openStore, type Store } from "../../ota/store.ts";
import { BlobBroker } from "./blob-broker.ts";
import { HeldClock } from "./held-clock.ts";
import { sha256Of, type TestRelease } from "./releases.ts";
import type { VolatileDisk } from "./volatile-disk.ts";

export const STATE_DIR = "/state";

/** A trial's window where the manifest says nothing. */
const WINDOW_MS = 10_000;

/** Turns of the event loop without a call of the disk after which nothing is under way any more. */
const IDLE_TURNS = 3;

/** Of a module's second file, in bytes: a few sectors. */
const DATA_BYTES = 1_500;

/** What a version leaves in its private files, by name. */
export function dataOf(version: string): ReadonlyMap<string, string> {
  return new Map([
    ["writer", version],
    ["log", version.padEnd(DATA_BYTES, version)],
  ]);
}

/** Runs what it is told to. A module writes its files at its start, durably, as one that cares for them does. */
export class CarefulRunner implements ModuleRunner {
  readonly #disk: Disk;
  readonly running = new Map<
    string,
    { readonly version: string; readonly observe: (fact: ModuleFact) => void }
  >();
  readonly started: string[] = [];
  /** Versions that trap as soon as they run. */
  readonly traps = new Set<string>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async check(): Promise<void> {}

  async start({ release, dataDirectory }: StagedModule, observe: (fact: ModuleFact) => void): Promise<void> {
    if (this.running.has(release.module)) throw new Error(`${release.module} was started while it ran`);
    this.running.set(release.module, { version: release.version, observe });
    this.started.push(release.version);
    await this.#migrate(release.version, dataDirectory).catch(untilThereIsSpace);
    observe({ kind: "alive" });
    if (this.traps.has(release.version)) {
      this.running.delete(release.module);
      observe({ kind: "trap", code: "trap/wasm", message: "unreachable" });
    }
  }

  /** Takes over what an older version left; what a newer one left it does not know. */
  async #migrate(version: string, folder: string): Promise<void> {
    await makeDataFolder(this.#disk, folder);
    // What one that was killed left in the page cache is believed below.
    await this.#disk.syncDirectory(folder);
    for (const [name, text] of dataOf(version)) {
      const path = join(folder, name);
      const found = await readWhole(this.#disk, path, DATA_BYTES);
      if (found !== undefined && new TextDecoder().decode(found) >= text) continue;
      await writeDurably(this.#disk, path, new TextEncoder().encode(text));
    }
  }

  async stop(module: string): Promise<void> {
    this.running.delete(module);
  }
}

/** A module that can't write goes on: on a full disk it does its work all the same. */
function untilThereIsSpace(error: unknown): void {
  if (!(error instanceof OtaError && error.code === "store/disk-full")) throw error;
}

export type DeviceOptions = {
  /** What its broker has, once it is connected. */
  readonly releases: readonly TestRelease[];
  readonly onReport?: (report: InstallReport) => void;
  readonly storageBudgetBytes?: number;
};

export class VolatileDevice {
  readonly disk: VolatileDisk;
  readonly store: Store;
  readonly installer: Installer;
  readonly runner: CarefulRunner;
  readonly clock = new HeldClock();
  readonly reports: InstallReport[] = [];
  readonly damages: readonly string[];
  readonly #broker = new BlobBroker();
  readonly #releases: readonly TestRelease[];

  private constructor(
    disk: VolatileDisk,
    used: Disk,
    store: Store,
    damages: readonly string[],
    options: DeviceOptions,
  ) {
    this.disk = disk;
    this.store = store;
    this.damages = damages;
    this.runner = new CarefulRunner(used);
    this.#releases = options.releases;
    this.installer = new Installer({
      store,
      source: this.#broker,
      runner: this.runner,
      clock: this.clock,
      random: () => 0.5,
      onEvent: (report) => {
        this.reports.push(report);
        options.onReport?.(report);
      },
    });
  }

  /** Opens the store; `used` is the disk as this agent reaches it. Nothing runs before `installer.start()`. */
  static async open(disk: VolatileDisk, options: DeviceOptions, used: Disk = disk): Promise<VolatileDevice> {
    const damages: string[] = [];
    const store = await openStore(used, STATE_DIR, { onDamage: (message) => damages.push(message) });
    return new VolatileDevice(disk, used, store, damages, options);
  }

  /** The broker has everything from now on; until then it is silent. */
  connect(): void {
    for (const { blobs } of this.#releases) this.#broker.add(blobs);
    this.installer.retryNow();
  }

  /** Resolves when nothing happens any more but for the clock. */
  async rest(): Promise<void> {
    for (let idleTurns = 0, calls = this.disk.calls; idleTurns < IDLE_TURNS; idleTurns++) {
      await setImmediate();
      if (this.disk.calls !== calls) idleTurns = 0;
      calls = this.disk.calls;
    }
  }

  ask(...releases: readonly TestRelease[]): void {
    const desired = releases.map(({ release }) => [release.module, { kind: "selected", release }] as const);
    this.installer.setDesired(new Map(desired));
  }

  /** Lets time pass until a condition holds; false if it does not within some windows. */
  async passUntil(condition: () => boolean): Promise<boolean> {
    for (let windows = 0; windows < 12; windows++) {
      await this.rest();
      if (condition()) return true;
      this.clock.advance(WINDOW_MS);
    }
    return condition();
  }

  /** Asks for a release and waits for its end. */
  async install(release: TestRelease): Promise<boolean> {
    const { module, version } = release.release;
    const from = this.reports.length;
    this.ask(release);
    const isOver = ({ event, version: of }: InstallReport): boolean =>
      of === version && (event === "committed" || event === "rolled-back" || event === "failed");
    await this.passUntil(() => this.reports.slice(from).some(isOver) && !this.isUnderWay(module));
    await this.rest();
    return (
      this.installer.snapshot()[module]?.phase === "committed" && this.runningVersion(module) === version
    );
  }

  isUnderWay(module: string): boolean {
    const phase = this.installer.snapshot()[module]?.phase;
    return phase !== "committed" && phase !== "idle";
  }

  runningVersion(module: string): string | undefined {
    return this.runner.running.get(module)?.version;
  }

  /** What is wrong with the version folders: one that has its name has to be whole. */
  brokenVersions(): string[] {
    const files = this.disk.files();
    const prefix = `${STATE_DIR}/versions/`;
    const names = [...files.keys()].flatMap((path) =>
      path.startsWith(prefix) ? (path.slice(prefix.length).split("/")[0] ?? "") : [],
    );
    const whole = (name: string): boolean => {
      const { release } = this.#releases.find((each) => releaseId(each.release) === name) ?? {};
      const isThere = (file: string, { sha256 }: ReleaseFileRecord): boolean =>
        sha256Of(files.get(`${prefix}${name}/${file}`) ?? new Uint8Array()) === sha256;
      return (
        release !== undefined &&
        isThere("component.wasm", release.component) &&
        isThere("component.chunks", release.chunks) &&
        isThere("module.toml", release.manifest)
      );
    };
    return [...new Set(names)].filter((name) => name !== "" && !name.endsWith(".removed") && !whole(name));
  }

  /** A module's private files as they are on the disk, or those of its snapshot. */
  data(folder: string): ReadonlyMap<string, string> {
    const prefix = `${STATE_DIR}/data/${folder}/`;
    const found = [...this.disk.files()].filter(([path]) => path.startsWith(prefix) && path !== prefix);
    return new Map(
      found.map(([path, bytes]) => [path.slice(prefix.length), new TextDecoder().decode(bytes)]),
    );
  }
}
