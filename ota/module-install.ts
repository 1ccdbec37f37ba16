/**
 * Runs the install state machine of one module: one event at a time, the state written before its effects, the effects in
 * order, their outcomes back in the queue. All decisions are in `install-state.ts` and `health.ts`.
 */

import type { Clock } from "./clock.ts";
import { OtaError } from "./errors.ts";
import { step } from "./install-state.ts";
import type { Failure, InstallEffect, InstallEvent, InstallState, Step } from "./install-types.ts";
import { checkVersionIntact } from "./intact.ts";
import { PERSIST_RETRY_MS, RESTORE_ATTEMPTS } from "./limits.ts";
import type { Manifest } from "./manifest.ts";
import { discardSnapshot, restoreData, snapshotData } from "./module-data.ts";
import { ModuleRun } from "./module-run.ts";
import { type ReleaseRecord, releaseId } from "./release.ts";
import type { ModuleRunner, StagedModule } from "./runner.ts";
import type { Store } from "./store.ts";

type EmitEffect = Extract<InstallEffect, { kind: "emit" }>;

/** What one module's install shares with the others. */
export type ModuleInstallHost = {
  readonly store: Store;
  readonly runner: ModuleRunner;
  readonly clock: Clock;
  /** Fetches a release when its turn comes. */
  readonly fetch: (release: ReleaseRecord, signal: AbortSignal) => Promise<void>;
  /** Reads the manifest of a release that is fetched, and holds it against the release. */
  readonly readManifest: (release: ReleaseRecord) => Promise<Manifest>;
  readonly cleanUp: () => Promise<void>;
  readonly emit: (effect: Omit<EmitEffect, "kind">) => void;
  readonly onStateChange: () => void;
  /** In [0, 1): spreads the retries of a fleet. */
  readonly random: () => number;
};

type TimerName = "retry" | "restart" | "persist";

export class ModuleInstall {
  readonly #module: string;
  readonly #host: ModuleInstallHost;
  readonly #queue: InstallEvent[] = [];
  readonly #timers = new Map<TimerName, () => void>();
  #state: InstallState;
  #draining: Promise<void> = Promise.resolve();
  #isDraining = false;
  #isStopped = false;
  #fetching: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  /** The run whose facts count; those of an earlier one come too late. */
  #run: ModuleRun | undefined;

  constructor(module: string, state: InstallState, host: ModuleInstallHost) {
    this.#module = module;
    this.#state = state;
    this.#host = host;
  }

  get state(): InstallState {
    return this.#state;
  }

  /** Queues an event; it is processed after those before it. */
  dispatch(event: InstallEvent): void {
    // Whoever asks faster than a module restarts would fill memory.
    const isAskedAlready =
      event.kind === "restart-asked" && this.#queue.some(({ kind }) => kind === event.kind);
    if (this.#isStopped || isAskedAlready) {
      return;
    }
    this.#queue.push(event);
    if (!this.#isDraining) {
      this.#isDraining = true;
      this.#draining = this.#drain();
    }
  }

  /** Ends the run and writes the state; nothing happens after it. */
  async stop(): Promise<void> {
    this.dispatch({ kind: "stopping" });
    this.#isStopped = true;
    const fetching = this.#fetching;
    await this.#draining;
    await fetching?.done;
    for (const cancel of this.#timers.values()) {
      cancel();
    }
    this.#timers.clear();
  }

  async #drain(): Promise<void> {
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      // An agent that ends begins nothing new.
      if (!this.#isStopped || event.kind === "stopping") {
        await this.#process(event);
      }
    }
    this.#isDraining = false;
  }

  async #process(event: InstallEvent): Promise<void> {
    const before = this.#state;
    const next = step(before, event, this.#host.clock.nowMs());
    const notWritten = await this.#persist(next);
    if (notWritten !== undefined && next.mustPersist) {
      await this.#process({ kind: "not-durable", failure: notWritten });
      return;
    }
    this.#state = next.state;
    for (const effect of next.effects) {
      await this.#perform(effect);
    }
    if (next.state !== before) {
      this.#host.onStateChange();
    }
  }

  /** Gives the failure where the disk refuses; what need not be durable at once is then written later. */
  async #persist({ state, mustPersist }: Step): Promise<Failure | undefined> {
    try {
      await this.#host.store.saveModule(this.#module, state);
      this.#cancelTimer("persist");
      return undefined;
    } catch (error) {
      if (!mustPersist) {
        this.#setTimer(
          "persist",
          PERSIST_RETRY_MS,
          () => void this.#persist({ state: this.#state, effects: [], mustPersist }),
        );
      }
      return toFailure(error, "store/io");
    }
  }

  async #perform(effect: InstallEffect): Promise<void> {
    const { store, runner } = this.#host;
    const data = store.dataDirectory(this.#module);
    switch (effect.kind) {
      case "fetch":
        this.#startFetch(effect.release);
        return;
      case "cancel-fetch":
        this.#fetching?.abort.abort();
        return;
      case "verify":
        return this.#attempt("verified", "verify-failed", effect.release, "stage/internal", async () => {
          await runner.check(await this.#stagedModule(effect.release));
        });
      case "snapshot-data":
        return this.#attempt("prepared", "prepare-failed", effect.release, "store/io", () =>
          snapshotData(store.disk, data, effect.keepExisting),
        );
      case "restore-data":
        await this.#restoreData(data);
        return;
      case "discard-snapshot":
        await quietly(() => discardSnapshot(store.disk, data));
        return;
      case "start":
        return this.#start(effect.release);
      case "stop":
        this.#run?.abandon();
        await runner.stop(this.#module);
        return;
      case "schedule-retry":
        // Between half and all of the delay, so that a fleet does not come back as one.
        this.#setTimer("retry", effect.delayMs * (0.5 + this.#host.random() / 2), () =>
          this.dispatch({ kind: "retry-due" }),
        );
        return;
      case "schedule-restart":
        this.#setTimer("restart", effect.delayMs, () => this.dispatch({ kind: "restart-due" }));
        return;
      case "clean-up":
        await quietly(() => this.#host.cleanUp());
        return;
      case "emit": {
        const { kind: _, ...report } = effect;
        this.#host.emit(report);
        return;
      }
    }
  }

  /** In the background; one that is called off ends without a word. */
  #startFetch(release: ReleaseRecord): void {
    const abort = new AbortController();
    const run = async (): Promise<void> => {
      const outcome = await this.#host.fetch(release, abort.signal).then(
        (): InstallEvent => ({ kind: "fetched", id: releaseId(release) }),
        (error: unknown): InstallEvent => ({
          kind: "fetch-failed",
          id: releaseId(release),
          failure: toFailure(error, "store/io"),
        }),
      );
      if (!abort.signal.aborted) {
        this.dispatch(outcome);
      }
    };
    this.#fetching = { abort, done: run() };
  }

  async #attempt(
    success: "verified" | "prepared",
    failed: "verify-failed" | "prepare-failed",
    release: ReleaseRecord,
    unknownCode: string,
    run: () => Promise<void>,
  ): Promise<void> {
    const id = releaseId(release);
    try {
      await run();
    } catch (error) {
      this.#queue.unshift({ kind: failed, id, failure: toFailure(error, unknownCode) });
      return;
    }
    this.#queue.unshift({ kind: success, id });
  }

  /** A disk that fails may do it the next time; if it does not, the old version runs on whatever data there is: better than none running. */
  async #restoreData(data: string): Promise<void> {
    for (let attempt = 1; attempt <= RESTORE_ATTEMPTS; attempt++) {
      try {
        await restoreData(this.#host.store.disk, data);
        break;
      } catch (error) {
        if (attempt === RESTORE_ATTEMPTS) {
          this.#reportUnrestored(data, toFailure(error, "store/io"));
        }
      }
    }
    this.#queue.unshift({ kind: "restored" });
  }

  #reportUnrestored(data: string, { code, message }: Failure): void {
    const { phase } = this.#state;
    if (phase.kind === "rolling-back") {
      const what =
        `the module's data could not be put back as it was before the trial: ${message}. It is in ${data}.snapshot until the agent ` +
        "starts again; check the device's storage";
      this.#host.emit({ event: "failed", release: phase.release, code, message: what });
    }
  }

  async #start(release: ReleaseRecord): Promise<void> {
    const id = releaseId(release);
    const run = new ModuleRun({
      runner: this.#host.runner,
      clock: this.#host.clock,
      isTrial: () => this.#state.phase.kind === "trial",
      onEnd: (failure) => this.dispatch({ kind: "ended", id, failure }),
      onJudged: (failure) =>
        this.dispatch(failure === undefined ? { kind: "healthy", id } : { kind: "unhealthy", id, failure }),
    });
    this.#run = run;
    await run.start(release, async () => {
      // What runs is what was signed, at each start.
      await checkVersionIntact(this.#host.store, release);
      return this.#stagedModule(release);
    });
  }

  async #stagedModule(release: ReleaseRecord): Promise<StagedModule> {
    const { store, readManifest } = this.#host;
    return {
      release,
      manifest: await readManifest(release),
      componentPath: store.componentPath(release),
      dataDirectory: store.dataDirectory(this.#module),
    };
  }

  #setTimer(name: TimerName, delayMs: number, callback: () => void): void {
    this.#cancelTimer(name);
    this.#timers.set(name, this.#host.clock.setTimer(delayMs, callback));
  }

  #cancelTimer(name: TimerName): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}

/**
 * An error as the state machine and the operator see it. One without a code of ours gets the one of where it happened, but for the
 * system's own (EIO, EMFILE …), which are the device's: no release is to blame for them.
 */
function toFailure(error: unknown, unknownCode: string): Failure {
  if (error instanceof OtaError) {
    return { code: error.code, message: error.message };
  }
  const code = error instanceof Error && "syscall" in error ? "store/io" : unknownCode;
  return { code, message: error instanceof Error ? error.message : String(error) };
}

/** Tidying up that fails costs space, not correctness; the next clean-up tries again. */
export async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof OtaError)) {
      throw error;
    }
  }
}
