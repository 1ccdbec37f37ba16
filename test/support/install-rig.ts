/** A device's installer on a real folder, with a broker in this process, a runner that does as the test says, and a held clock. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Disk } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";
import { Installer, type InstallReport } from "../../ota/installer.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import type { ModuleFact, ModuleRunner, StagedModule } from "../../ota/runner.ts";
import { openStore, type Store } from "../../ota/store.ts";
import { BlobBroker } from "./blob-broker.ts";
import { temporaryFolder } from "./folders.ts";
import { HeldClock } from "./held-clock.ts";
import type { TestRelease } from "./releases.ts";

export const MODULE = "acme/thermo";
export const WINDOW_MS = 10_000;

/** Starts what it is told to, remembers it, and lets the test speak for the module. */
export class ScriptedRunner implements ModuleRunner {
  readonly log: string[] = [];
  readonly running = new Map<
    string,
    { readonly version: string; readonly observe: (fact: ModuleFact) => void }
  >();
  /** What a start does beside being remembered, by version: report facts, throw. */
  readonly onStart = new Map<string, (observe: (fact: ModuleFact) => void) => void | Promise<void>>();
  /** What the staging check does, by version: throw. */
  readonly onCheck = new Map<string, () => void>();

  async check({ release }: StagedModule): Promise<void> {
    this.log.push(`check ${release.version}`);
    this.onCheck.get(release.version)?.();
  }

  async start({ release, dataDirectory }: StagedModule, observe: (fact: ModuleFact) => void): Promise<void> {
    const { module, version } = release;
    if (this.running.has(module)) throw new Error(`${module} was started while it ran`);
    this.log.push(`start ${version}`);
    this.running.set(module, { version, observe });
    await mkdir(dataDirectory, { recursive: true });
    await writeFile(join(dataDirectory, "writer"), version);
    observe({ kind: "alive" });
    await this.onStart.get(version)?.(observe);
  }

  async stop(module: string): Promise<void> {
    const run = this.running.get(module);
    if (run !== undefined) this.log.push(`stop ${run.version}`);
    this.running.delete(module);
  }

  runningVersion(module = MODULE): string | undefined {
    return this.running.get(module)?.version;
  }

  /** The module ends by itself. */
  end(fact: ModuleFact, module = MODULE): void {
    const run = this.running.get(module);
    this.running.delete(module);
    run?.observe(fact);
  }
}

export class InstallRig {
  readonly folder: string;
  readonly clock = new HeldClock();
  readonly broker: BlobBroker;
  readonly reports: InstallReport[] = [];
  /** Told of each report, too. */
  onReport: (report: InstallReport) => void = () => undefined;
  runner = new ScriptedRunner();
  store: Store;
  installer: Installer;
  /** What the next agent finds its folder on. */
  disk: Disk;
  #life: Life;
  readonly #storageBudgetBytes: number | undefined;
  readonly #waiting = new Set<() => void>();

  private constructor(
    folder: string,
    disk: Disk,
    life: Life,
    store: Store,
    broker: BlobBroker,
    storageBudgetBytes: number | undefined,
  ) {
    this.#storageBudgetBytes = storageBudgetBytes;
    this.folder = folder;
    this.disk = disk;
    this.#life = life;
    this.store = store;
    this.broker = broker;
    this.installer = this.#newInstaller();
    this.clock.onTimer = () => this.#wake();
  }

  static async create(
    t: ExecutionContext,
    options: {
      readonly disk?: Disk;
      readonly broker?: BlobBroker;
      readonly folder?: string;
      readonly storageBudgetBytes?: number;
    } = {},
  ): Promise<InstallRig> {
    const disk = options.disk ?? createNodeDisk();
    const folder = options.folder ?? (await temporaryFolder(t));
    const life = { isOver: false };
    const store = await openStore(mortalDisk(disk, life), folder);
    const broker = options.broker ?? new BlobBroker();
    const rig = new InstallRig(folder, disk, life, store, broker, options.storageBudgetBytes);
    t.teardown(() => rig.installer.stop());
    return rig;
  }

  /** The agent dies, from one instruction to the next, and comes back with what is on the disk. */
  async crash(): Promise<void> {
    this.#life.isOver = true;
    await this.installer.stop();
    await this.restart();
  }

  /** A new agent on the same folder. */
  async restart(): Promise<void> {
    this.#life = { isOver: false };
    this.runner = new ScriptedRunner();
    this.store = await openStore(mortalDisk(this.disk, this.#life), this.folder);
    this.installer = this.#newInstaller();
    this.installer.start();
  }

  ask(...releases: readonly TestRelease[]): void {
    for (const release of releases) this.broker.add(release.blobs);
    this.installer.setDesired(
      new Map(releases.map(({ release }) => [release.module, { kind: "selected", release } as const])),
    );
  }

  /** Waits for a report that came or is to come, from a position on. */
  async until(event: InstallReport["event"], version?: string, from = 0): Promise<InstallReport> {
    for (;;) {
      const found = this.reports
        .slice(from)
        .find((report) => report.event === event && (version === undefined || report.version === version));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits until the installer's state satisfies a condition. */
  async untilState(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Installs a release whose trial goes well. */
  async install(release: TestRelease): Promise<void> {
    this.ask(release);
    await this.passTrial(release.release.version);
  }

  async passTrial(version: string): Promise<void> {
    const from = this.reports.length;
    await this.untilState(() => this.clock.pendingMs.includes(WINDOW_MS));
    this.clock.advance(WINDOW_MS);
    await this.until("committed", version, from);
    await this.untilState(() => this.installer.snapshot()[MODULE]?.phase === "committed");
  }

  /** The reports about a version but for progress, as `event` or `event code`. */
  told(version?: string): string[] {
    return this.reports
      .filter(
        (report) => report.event !== "progress" && (version === undefined || report.version === version),
      )
      .map(({ event, code }) => (code === undefined ? event : `${event} ${code}`));
  }

  #newInstaller(): Installer {
    const life = this.#life;
    return new Installer({
      store: this.store,
      source: this.broker,
      runner: this.runner,
      clock: this.clock,
      storageBudgetBytes: this.#storageBudgetBytes,
      random: () => 0.5,
      onEvent: (report) => {
        if (!life.isOver) this.reports.push(report);
        if (!life.isOver) this.onReport(report);
        this.#wake();
      },
      onStateChange: () => this.#wake(),
    });
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

/** Ends with the process that uses the disk. */
type Life = { isOver: boolean };

/** A disk that a dead process can't reach any more. */
function mortalDisk(disk: Disk, life: Life): Disk {
  const alive = <T>(run: () => Promise<T>): Promise<T> =>
    life.isOver ? Promise.reject(new OtaError("store/io", "the agent is dead")) : run();
  return {
    open: (path, mode) => alive(() => disk.open(path, mode)),
    entry: (path) => alive(() => disk.entry(path)),
    list: (path) => alive(() => disk.list(path)),
    makeDirectory: (path) => alive(() => disk.makeDirectory(path)),
    rename: (from, to) => alive(() => disk.rename(from, to)),
    remove: (path) => alive(() => disk.remove(path)),
    syncDirectory: (path) => alive(() => disk.syncDirectory(path)),
    freeBytes: (path) => alive(() => disk.freeBytes(path)),
  };
}
