/** What the install state machine's steps are made of (`install-state.ts`). */

import type {
  Failure,
  InstallEffect,
  InstallEventName,
  InstallState,
  Phase,
  PhaseOf,
  Step,
} from "./install-types.ts";
import { FETCH_RETRY_MAX_MS, FETCH_RETRY_MIN_MS } from "./limits.ts";
import { isSameRelease, type ReleaseRecord, releaseId } from "./release.ts";

type UnderWay = Exclude<Phase["kind"], "settled">;

export const SETTLED: Phase = { kind: "settled" };

/** Failures that pass without another release: the broker refilled, the disk freed. */
export const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "delivery/timeout",
  "delivery/slow-retrieval",
  "delivery/chunk-corrupt",
  "delivery/cancelled",
  "store/disk-full",
  "store/over-budget",
  "store/io",
]);

/** From a settled state: is what the director asks for neither committed nor failed, it is fetched. */
export function pursue(state: InstallState): Step {
  const { desired, committed, failed } = state;
  if (desired === undefined || isSameRelease(desired, committed) || releaseId(desired) === failed?.id) {
    return stay(state);
  }
  return beginFetch(state, desired);
}

/** The committed version's files are not what was signed any more: they are fetched again, unless something else is under way. */
export function replace(state: InstallState, committed: ReleaseRecord): Step {
  return state.phase.kind === "settled" && releaseId(committed) !== state.failed?.id
    ? beginFetch(state, committed)
    : stay(state);
}

function beginFetch(state: InstallState, release: ReleaseRecord): Step {
  const phase: Phase = { kind: "fetching", release, attempts: 0, failure: undefined, waiting: false };
  return take({ ...state, phase }, [emit("fetching", release), { kind: "fetch", release }]);
}

/** Starts the committed version, if there is one and it does not run. */
export function serve(state: InstallState, nowMs: number, restarts = 0): Step {
  if (state.committed === undefined || state.serving.kind === "up") {
    return stay(state);
  }
  return take({ ...state, serving: { kind: "up", sinceMs: nowMs, restarts } }, [
    { kind: "start", release: state.committed, trial: false },
  ]);
}

/** Waits for the next attempt to fetch. */
export function wait(state: InstallState, release: ReleaseRecord, failure: Failure, attempts: number): Step {
  return take({ ...state, phase: { kind: "fetching", release, attempts, failure, waiting: true } }, [
    { kind: "schedule-retry", delayMs: backOff(FETCH_RETRY_MIN_MS, FETCH_RETRY_MAX_MS, attempts) },
  ]);
}

/** What runs goes on running; the release waits for another attempt, or for another release. */
export function refuse(
  state: InstallState,
  phase: PhaseOf<"fetching" | "verifying" | "staged">,
  failure: Failure,
): Step {
  const { release } = phase;
  if (!TRANSIENT_CODES.has(failure.code)) {
    const failed = { id: releaseId(release), version: release.version, ...failure };
    return take({ ...state, failed, phase: SETTLED }, [
      emit("refused", release, failure),
      { kind: "clean-up" },
    ]);
  }
  return chain(take(state, [emit("refused", release, failure)]), (next) =>
    wait(next, release, failure, phase.attempts + 1),
  );
}

function isPhase<Kind extends UnderWay>(
  phase: Phase,
  kind: Kind,
): phase is PhaseOf<Kind> & { readonly release: ReleaseRecord } {
  return phase.kind === kind;
}

/** Takes the step if the phase is of the kind and about that release; otherwise the event is stale. */
export function inPhase<Kind extends UnderWay>(
  state: InstallState,
  kind: Kind,
  id: string,
  next: (phase: PhaseOf<Kind>) => Step,
): Step {
  const { phase } = state;
  return isPhase(phase, kind) && releaseId(phase.release) === id ? next(phase) : stay(state);
}

/** Nothing follows from the event. */
export function stay(state: InstallState): Step {
  return take(state, []);
}

/** A new state with what it asks for. */
export function take(state: InstallState, effects: readonly InstallEffect[]): Step {
  return { state, effects, mustPersist: false };
}

/** One step after another, as if they were one. */
export function chain(first: Step, ...next: ((state: InstallState) => Step)[]): Step {
  return next.reduce((done, continueFrom) => {
    const step = continueFrom(done.state);
    return {
      state: step.state,
      effects: [...done.effects, ...step.effects],
      mustPersist: done.mustPersist || step.mustPersist,
    };
  }, first);
}

/** Tells the operator. */
export function emit(
  event: InstallEventName,
  release: ReleaseRecord,
  reason?: { readonly code?: string; readonly message: string },
): Extract<InstallEffect, { kind: "emit" }> {
  return { kind: "emit", event, release, ...reason };
}

/** Doubles with each attempt, the first being 1. */
export function backOff(minMs: number, maxMs: number, attempts: number): number {
  return Math.min(maxMs, minMs * 2 ** (attempts - 1));
}
