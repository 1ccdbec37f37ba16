/**
 * Installs what the director asks for, module by module: the effects around the pure state machine (`install-state.ts`), on
 * a store, a source of blobs and a runner.
 *
 * Modules are independent of each other but for downloads, which take turns: a device has memory for one window of chunks.
 */

import type { BlobSource } from "./blob-source.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import { fetchRelease } from "./delivery.ts";
import { readWhole } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { INITIAL_STATE } from "./install-state.ts";
import type { InstallEffect, InstallEventName, InstallState } from "./install-types.ts";
import { MAX_MODULES, MAX_PAYLOAD_BYTES, PROGRESS_STEPS } from "./limits.ts";
import { checkManifestMatches, type Manifest, parseManifest } from "./manifest.ts";
import { ModuleInstall, type ModuleInstallHost, quietly } from "./module-install.ts";
import { type ReleaseRecord, releaseId, releaseName, toReleaseRecord } from "./release.ts";
import type { ModuleRunner } from "./runner.ts";
import { checkBudget, isShortOfRoom } from "./storage-budget.ts";
import type { Store } from "./store.ts";

/** What goes out for one transition; the agent adds time and device. */
export type InstallReport = {
  readonly event: InstallEventName;
  readonly module: string;
  /** The version that the event is about; of a refusal by the metadata it may be unknown. */
  readonly version: string | undefined;
  readonly code?: string;
  readonly message?: string;
  /** `rolled-back`: the version that runs again. */
  readonly to?: string;
  /** `progress`: bytes of the component. */
  readonly received?: number;
  readonly total?: number;
};

/** What the director wants of a module (`selection.ts`). */
export type Desired =
  | { readonly kind: "selected"; readonly release: ReleaseRecord }
  | { readonly kind: "refused"; readonly error: OtaError };

/** One module in the state topic. */
export type ModuleSnapshot = {
  readonly phase: "idle" | "fetching" | "verifying" | "staged" | "trial" | "rolling-back" | "committed";
  /** The version that runs at this moment. */
  readonly running: string | null;
  readonly staged: string | null;
  readonly trial: string | null;
  /** What it goes back to from a trial, and starts with. */
  readonly committed: string | null;
  readonly desired: string | null;
  readonly failed: { readonly version: string; readonly code: string; readonly message: string } | null;
};

export type InstallerOptions = {
  readonly store: Store;
  readonly source: BlobSource;
  readonly runner: ModuleRunner;
  readonly onEvent: (report: InstallReport) => void;
  /** `snapshot()` may have changed. */
  readonly onStateChange?: () => void;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** What versions and downloads may take on the disk, in bytes; without a bound all that is free. */
  readonly storageBudgetBytes?: number | undefined;
  /** Chunks asked for at a time, and how long to wait for one. */
  readonly windowBlobs?: number;
  readonly idleTimeoutMs?: number;
};

export class Installer {
  readonly #options: InstallerOptions;
  readonly #clock: Clock;
  readonly #modules = new Map<string, ModuleInstall>();
  /** Refusals by the metadata that were reported, so that the same one is not reported with each evaluation. */
  readonly #refusals = new Map<string, string>();
  #lastFetch: Promise<void> = Promise.resolve();
  #desired: ReadonlyMap<string, Desired> = new Map();
  /** Modules that are being forgotten; one that is assigned again meanwhile is opened anew afterwards. */
  readonly #forgetting = new Map<string, Promise<void>>();

  constructor(options: InstallerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /** Takes up every module where the agent left it, by the state file: before and without the broker. Committed ones start after the delay. */
  start(startDelayMs = 0): void {
    for (const [module, state] of this.#options.store.modules()) {
      this.#open(module, state).dispatch({ kind: "recover", startDelayMs });
    }
  }

  /** What the director wants now, of all modules; those that it does not mention go on with what is committed. */
  setDesired(desired: ReadonlyMap<string, Desired>): void {
    this.#desired = desired;
    for (const [module, wish] of desired) {
      if (wish.kind === "refused") {
        this.#reportRefusal(module, wish.error);
      } else {
        this.#desire(module, toReleaseRecord(wish.release));
      }
    }
    for (const [module, install] of this.#modules) {
      if (!desired.has(module)) {
        install.dispatch({ kind: "desired", release: undefined });
      }
    }
  }

  #desire(module: string, release: ReleaseRecord): void {
    if (this.#forgetting.has(module)) {
      return;
    }
    let install = this.#modules.get(module);
    if (install === undefined && this.#modules.size >= MAX_MODULES) {
      const message = `${releaseName(release)} would be one module more than the ${MAX_MODULES} that a device keeps`;
      const details = { version: release.version };
      this.#reportRefusal(module, new OtaError("trust/bad-assignment", message, { details }));
      return;
    }
    install ??= this.#open(module, INITIAL_STATE);
    this.#refusals.delete(module);
    install.dispatch({ kind: "desired", release });
  }

  /** Tries what waits for another attempt at once: the broker is back. */
  retryNow(): void {
    for (const install of this.#modules.values()) {
      install.dispatch({ kind: "retry-due" });
    }
  }

  /** Starts a committed module anew; false if it has nothing committed, or another version is on trial. */
  restart(module: string): boolean {
    const install = this.#modules.get(module);
    if (
      install === undefined ||
      install.state.committed === undefined ||
      install.state.serving.kind === "down"
    ) {
      return false;
    }
    install.dispatch({ kind: "restart-asked" });
    return true;
  }

  /** Ends downloads and modules and writes the state. The installer is of no use after it. */
  async stop(): Promise<void> {
    await Promise.all([...this.#modules.values()].map((install) => install.stop()));
    await Promise.all(this.#forgetting.values());
    await this.#lastFetch;
  }

  /** The committed releases, by module. */
  committed(): ReadonlyMap<string, ReleaseRecord> {
    const committed = new Map<string, ReleaseRecord>();
    for (const [module, { state }] of this.#modules) {
      if (state.committed !== undefined) committed.set(module, state.committed);
    }
    return committed;
  }

  /** Every module as the state topic shows it. */
  snapshot(): Record<string, ModuleSnapshot> {
    return Object.fromEntries(
      [...this.#modules].map(([module, install]) => [module, toSnapshot(install.state)]),
    );
  }

  #open(module: string, state: InstallState): ModuleInstall {
    const host: ModuleInstallHost = {
      store: this.#options.store,
      runner: this.#options.runner,
      clock: this.#clock,
      fetch: (release, signal) => this.#fetchInTurn(release, signal),
      readManifest: (release) => this.#readManifest(release),
      cleanUp: () => this.#cleanUp(),
      emit: ({ release, ...report }) => this.#report(release, report),
      onStateChange: () => {
        this.#forgetUnused(module);
        this.#options.onStateChange?.();
      },
      random: this.#options.random ?? Math.random,
    };
    const install = new ModuleInstall(module, state, host);
    this.#modules.set(module, install);
    return install;
  }

  /** What nobody assigns and nothing is committed of leaves nothing behind. */
  #forgetUnused(module: string): void {
    const install = this.#modules.get(module);
    if (install === undefined || !isUnused(install.state)) {
      return;
    }
    this.#modules.delete(module);
    this.#forgetting.set(module, this.#forget(module, install));
  }

  async #forget(module: string, install: ModuleInstall): Promise<void> {
    await install.stop();
    // What the disk refuses to forget is forgotten after the next start.
    await quietly(() => this.#options.store.forgetModule(module));
    await quietly(() => this.#cleanUp());
    this.#forgetting.delete(module);
    const wish = this.#desired.get(module);
    if (wish?.kind === "selected") {
      this.#desire(module, toReleaseRecord(wish.release));
    }
  }

  #fetchInTurn(release: ReleaseRecord, signal: AbortSignal): Promise<void> {
    const fetch = this.#lastFetch.then(() => this.#fetch(release, signal));
    this.#lastFetch = fetch.catch(() => undefined);
    return fetch;
  }

  /** Where room is short, what nobody needs any more makes it, once; then the versions before, so that no device is stuck with two. */
  async #fetch(release: ReleaseRecord, signal: AbortSignal): Promise<void> {
    const waysToRoom = [() => this.#cleanUp(), () => this.#cleanUp("without previous")];
    for (;;) {
      try {
        return await this.#tryToFetch(release, signal);
      } catch (error) {
        const makeRoom = isShortOfRoom(error) ? waysToRoom.shift() : undefined;
        if (makeRoom === undefined) {
          throw error;
        }
        await quietly(makeRoom);
      }
    }
  }

  async #tryToFetch(release: ReleaseRecord, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return;
    }
    const { store, source, storageBudgetBytes, windowBlobs, idleTimeoutMs } = this.#options;
    await checkBudget(store, release, storageBudgetBytes);
    let lastStep = -1;
    await fetchRelease(release, {
      store,
      source,
      clock: this.#clock,
      signal,
      storageBudgetBytes,
      ...(windowBlobs === undefined ? {} : { windowBlobs }),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      onProgress: ({ received, total }) => {
        const step = Math.floor((received / total) * PROGRESS_STEPS);
        if (step > lastStep) {
          lastStep = step;
          this.#report(release, { event: "progress", received, total });
        }
      },
    });
  }

  async #readManifest(release: ReleaseRecord): Promise<Manifest> {
    const path = this.#options.store.manifestPath(release);
    const bytes = await readWhole(this.#options.store.disk, path, MAX_PAYLOAD_BYTES);
    if (bytes === undefined) {
      throw new OtaError("store/corrupt", `${releaseName(release)} is not in the store: ${path} is missing`);
    }
    const manifest = await parseManifest(bytes);
    checkManifestMatches(manifest, release);
    return manifest;
  }

  /**
   * Keeps what runs, is on trial, is being fetched, and as long as there is room for it what was committed before: going back to it needs no
   * download, and the next one finds chunks in it.
   */
  #cleanUp(how?: "without previous"): Promise<void> {
    return this.#options.store.cleanUp((isOf) =>
      [...this.#modules.values()].some(({ state }) =>
        referencedBy(how === undefined ? state : { ...state, previous: undefined }).some(isOf),
      ),
    );
  }

  #reportRefusal(module: string, error: OtaError): void {
    const text = `${error.code} ${error.message}`;
    if (this.#refusals.get(module) === text) {
      return;
    }
    this.#refusals.set(module, text);
    const { version } = error.details;
    const { code, message } = error;
    this.#options.onEvent({
      event: "refused",
      module,
      version: typeof version === "string" ? version : undefined,
      code,
      message,
    });
  }

  #report(
    release: ReleaseRecord,
    report: Omit<Extract<InstallEffect, { kind: "emit" }>, "kind" | "release"> & {
      readonly received?: number;
      readonly total?: number;
    },
  ): void {
    const { event, ...facts } = report;
    this.#options.onEvent({ event, module: release.module, version: release.version, ...facts });
  }
}

/** The releases whose folders a module still needs. */
function referencedBy({ committed, previous, desired, failed, phase }: InstallState): ReleaseRecord[] {
  // What the device's policy refused is checked again at the next start; what failed otherwise is not needed any more.
  const isDesiredUseless =
    desired !== undefined && releaseId(desired) === failed?.id && !failed.code.startsWith("stage/");
  return [
    committed,
    previous,
    isDesiredUseless ? undefined : desired,
    "release" in phase ? phase.release : undefined,
  ].filter((release) => release !== undefined);
}

/** Nothing of it is on the device, nothing is asked for, and nothing is under way. */
function isUnused({ desired, committed, previous, phase }: InstallState): boolean {
  return (
    desired === undefined && committed === undefined && previous === undefined && phase.kind === "settled"
  );
}

function toSnapshot(state: InstallState): ModuleSnapshot {
  const { committed, desired, failed, phase, serving } = state;
  const settled = committed === undefined ? "idle" : "committed";
  const trial = phase.kind === "trial" ? phase.release.version : null;
  const failure =
    phase.kind === "fetching" && phase.failure !== undefined
      ? { version: phase.release.version, ...phase.failure }
      : failed;
  return {
    phase: phase.kind === "settled" ? settled : phase.kind,
    running: trial ?? (serving.kind === "up" ? (committed?.version ?? null) : null),
    staged: phase.kind === "staged" ? phase.release.version : null,
    trial,
    committed: committed?.version ?? null,
    desired: desired?.version ?? null,
    failed:
      failure === undefined
        ? null
        : { version: failure.version, code: failure.code, message: failure.message },
  };
}
