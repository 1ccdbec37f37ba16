/** The vocabulary of the install state machine (`install-state.ts`): states, events, effects. */

import type { ReleaseRecord } from "./release.ts";

/** Why something was refused, ended or rolled back; the code goes out in the event. */
export type Failure = { readonly code: string; readonly message: string };

/** A release that is not tried again until the director asks for another. */
export type FailedRelease = Failure & {
  /** `releaseId`: the component's and the manifest's digests. */
  readonly id: string;
  readonly version: string;
};

export type Phase =
  /** Nothing under way: `idle` without a committed version, `committed` with one. */
  | { readonly kind: "settled" }
  | {
      readonly kind: "fetching";
      readonly release: ReleaseRecord;
      /** Failed attempts so far, at whatever phase before the trial, and the latest failure. */
      readonly attempts: number;
      readonly failure: Failure | undefined;
      /** Between two attempts. */
      readonly waiting: boolean;
    }
  | { readonly kind: "verifying"; readonly release: ReleaseRecord; readonly attempts: number }
  /** Fit to run; the old version is being stopped and the module's data copied. */
  | { readonly kind: "staged"; readonly release: ReleaseRecord; readonly attempts: number }
  | {
      readonly kind: "trial";
      readonly release: ReleaseRecord;
      /** Durable before each start, so that a start that kills the agent counts. */
      readonly starts: number;
      /** Whether it was started by this run of the agent. */
      readonly running: boolean;
      /** Its window was passed, only the durable write of `committed` is missing. */
      readonly healthy: boolean;
    }
  /** The new version is being stopped and the data restored; without failure if the director recalled it. */
  | { readonly kind: "rolling-back"; readonly release: ReleaseRecord; readonly failure: Failure | undefined };

/** The phases of some kinds. */
export type PhaseOf<Kind extends Phase["kind"]> = Extract<Phase, { kind: Kind }>;

/** The committed version's run, which is not remembered over a restart of the agent. */
type Serving =
  | { readonly kind: "down" }
  | { readonly kind: "up"; readonly sinceMs: number; readonly restarts: number }
  /** It ended; the next start is scheduled. */
  | { readonly kind: "waiting"; readonly restarts: number };

/** All that is known about one module. */
export type InstallState = {
  /** What the director asks for, if anything. */
  readonly desired: ReleaseRecord | undefined;
  readonly committed: ReleaseRecord | undefined;
  /** Committed before that, and still on the disk: going back to it needs no download. */
  readonly previous: ReleaseRecord | undefined;
  readonly failed: FailedRelease | undefined;
  readonly phase: Phase;
  readonly serving: Serving;
};

/** What happened. `id` is the `releaseId` that it concerns; an event about another than the one under way is stale. */
export type InstallEvent =
  /** The agent has just started and read this state. What is committed starts after the delay: 0 unless the agent keeps dying. */
  | { readonly kind: "recover"; readonly startDelayMs: number }
  | { readonly kind: "desired"; readonly release: ReleaseRecord | undefined }
  | { readonly kind: "fetched"; readonly id: string }
  | { readonly kind: "fetch-failed"; readonly id: string; readonly failure: Failure }
  | { readonly kind: "verified"; readonly id: string }
  | { readonly kind: "verify-failed"; readonly id: string; readonly failure: Failure }
  /** The old version has stopped and the data is copied. */
  | { readonly kind: "prepared"; readonly id: string }
  | { readonly kind: "prepare-failed"; readonly id: string; readonly failure: Failure }
  /** The window passed and the manifest's requirements held. */
  | { readonly kind: "healthy"; readonly id: string }
  | { readonly kind: "unhealthy"; readonly id: string; readonly failure: Failure }
  /** A start failed, or what ran trapped, exited or exceeded a limit. */
  | { readonly kind: "ended"; readonly id: string; readonly failure: Failure }
  /** The data is as it was before the trial, as far as the disk let it. */
  | { readonly kind: "restored" }
  | { readonly kind: "retry-due" }
  | { readonly kind: "restart-due" }
  /** The operator wants the committed version started anew. */
  | { readonly kind: "restart-asked" }
  /** A step that must be durable (`mustPersist`) was not taken because it could not be written. */
  | { readonly kind: "not-durable"; readonly failure: Failure }
  /** The agent is asked to end. */
  | { readonly kind: "stopping" };

/** Names of the events that go out (docs/ARCHITECTURE.md, "Topics"). */
export type InstallEventName =
  | "fetching"
  | "progress"
  | "verified"
  | "staged"
  | "trial"
  | "committed"
  | "rolled-back"
  | "refused"
  | "failed"
  | "stopped";

/** What to do, in order, once the state is written. */
export type InstallEffect =
  /** In the background; ends with `fetched` or `fetch-failed`. */
  | { readonly kind: "fetch"; readonly release: ReleaseRecord }
  | { readonly kind: "cancel-fetch" }
  /** Manifest and staging check; ends with `verified` or `verify-failed`. */
  | { readonly kind: "verify"; readonly release: ReleaseRecord }
  /** Copies the module's data, unless `keepExisting` and there is a copy; ends with `prepared` or `prepare-failed`. */
  | { readonly kind: "snapshot-data"; readonly release: ReleaseRecord; readonly keepExisting: boolean }
  /** Puts the copy back, if there is one; ends with `restored`. */
  | { readonly kind: "restore-data" }
  | { readonly kind: "discard-snapshot" }
  /** A start that fails ends with `ended`; a trial that starts ends with `healthy`, `unhealthy` or `ended`. */
  | { readonly kind: "start"; readonly release: ReleaseRecord; readonly trial: boolean }
  /** Returns once it no longer runs; fine if it did not. */
  | { readonly kind: "stop"; readonly release: ReleaseRecord }
  | { readonly kind: "schedule-retry"; readonly delayMs: number }
  | { readonly kind: "schedule-restart"; readonly delayMs: number }
  /** Removes version folders and unfinished downloads that no module refers to. */
  | { readonly kind: "clean-up" }
  | {
      readonly kind: "emit";
      readonly event: InstallEventName;
      readonly release: ReleaseRecord;
      readonly code?: string;
      readonly message?: string;
      /** For `rolled-back`: the version that runs again. */
      readonly to?: string;
    };

export type Step = {
  readonly state: InstallState;
  readonly effects: readonly InstallEffect[];
  /**
   * The state has to be durable before its effects: otherwise the step is not taken and `not-durable` follows. Any
   * other step is taken even where the disk refuses: what is remembered instead leads to the same end by a detour.
   */
  readonly mustPersist: boolean;
};
