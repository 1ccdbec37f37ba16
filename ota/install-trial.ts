/** A trial's steps in the install state machine, from the copy of the data to the commit or the way back (`install-state.ts`). */

import {
  chain,
  emit,
  inPhase,
  pursue,
  refuse,
  SETTLED,
  serve,
  stay,
  TRANSIENT_CODES,
  take,
  wait,
} from "./install-steps.ts";
import type { Failure, InstallEffect, InstallState, PhaseOf, Step } from "./install-types.ts";
import { FETCH_RETRY_MIN_MS, MAX_TRIAL_STARTS } from "./limits.ts";
import { isSameRelease, releaseId } from "./release.ts";

const RECALLED = { message: "recalled during its trial: the director asks for the version before it" };

/** The data is safe: the first start of a trial, or the next one after the agent died in it. */
export function prepared(state: InstallState, id: string, nowMs: number): Step {
  const { phase } = state;
  if ((phase.kind !== "staged" && phase.kind !== "trial") || releaseId(phase.release) !== id) {
    return stay(state);
  }
  const { release } = phase;
  if (phase.kind === "staged" && !isSameRelease(release, state.desired)) {
    return abandon(state, nowMs);
  }
  const starts = (phase.kind === "trial" ? phase.starts : 0) + 1;
  const message = `start ${starts} of at most ${MAX_TRIAL_STARTS}`;
  const next: InstallState = {
    ...state,
    phase: { kind: "trial", release, starts, running: true, healthy: false },
  };
  return {
    ...take(next, [
      { kind: "emit", event: "trial", release, message },
      { kind: "start", release, trial: true },
    ]),
    mustPersist: true,
  };
}

/** Without a copy of its data no version gets a trial: the old one starts again. */
export function prepareFailed(state: InstallState, id: string, failure: Failure, nowMs: number): Step {
  const { phase } = state;
  if (phase.kind === "trial" && releaseId(phase.release) === id) {
    return rollBackUncounted(state, phase, failure);
  }
  return inPhase(state, "staged", id, (staged) =>
    isSameRelease(staged.release, state.desired)
      ? chain(
          refuse(state, staged, failure),
          (next) => take(next, [{ kind: "discard-snapshot" }]),
          (next) => serve(next, nowMs),
        )
      : abandon(state, nowMs),
  );
}

/** Another release was asked for before the trial began. */
function abandon(state: InstallState, nowMs: number): Step {
  const settled = take({ ...state, phase: SETTLED }, [{ kind: "discard-snapshot" }]);
  return chain(settled, (next) => serve(next, nowMs), pursue);
}

/** Healthy through its window: from here on it is the version that runs. */
export function commit(state: InstallState, phase: PhaseOf<"trial">, nowMs: number): Step {
  const { release } = phase;
  const committed = take(
    {
      ...state,
      committed: release,
      previous: state.committed,
      failed: undefined,
      phase: SETTLED,
      serving: { kind: "up", sinceMs: nowMs, restarts: 0 },
    },
    [emit("committed", release), { kind: "discard-snapshot" }, { kind: "clean-up" }],
  );
  return { ...chain(committed, pursue), mustPersist: true };
}

/** Ends a trial. Without a failure it is a recall, after which the release may be asked for again. */
export function rollBack(state: InstallState, phase: PhaseOf<"trial">, failure: Failure | undefined): Step {
  const { release } = phase;
  const failed =
    failure === undefined
      ? state.failed
      : { id: releaseId(release), version: release.version, code: failure.code, message: failure.message };
  return take({ ...state, failed, phase: { kind: "rolling-back", release, failure } }, [
    { kind: "stop", release },
    { kind: "restore-data" },
  ]);
}

/** Ends a trial for a reason that is the device's, not the release's: the release is tried again later. */
function rollBackUncounted(state: InstallState, phase: PhaseOf<"trial">, failure: Failure): Step {
  const rollingBack = rollBack(state, phase, failure);
  return { ...rollingBack, state: { ...rollingBack.state, failed: state.failed } };
}

/** The data is back: the old version starts, if there is one. */
export function rolledBack(state: InstallState, phase: PhaseOf<"rolling-back">, nowMs: number): Step {
  const { release, failure } = phase;
  const { committed } = state;
  const report: InstallEffect =
    committed === undefined
      ? emit("failed", release, failure)
      : { ...emit("rolled-back", release, failure ?? RECALLED), to: committed.version };
  const isDevices = failure !== undefined && TRANSIENT_CODES.has(failure.code);
  return chain(
    serve({ ...state, phase: SETTLED, serving: { kind: "down" } }, nowMs),
    (next) => take(next, [report, { kind: "clean-up" }]),
    (next) =>
      isDevices && isSameRelease(release, next.desired) ? wait(next, release, failure, 1) : pursue(next),
  );
}

/** A trial's start that can't be counted does not happen; a commit that can't be written is tried again. */
export function notDurable(state: InstallState, failure: Failure, nowMs: number): Step {
  const { phase } = state;
  if (phase.kind === "trial" && phase.running) {
    const { code } = failure;
    const message = `healthy, and committed as soon as that can be written: ${failure.message}`;
    const tell = phase.healthy ? [] : [emit("trial", phase.release, { code, message })];
    return take({ ...state, phase: { ...phase, healthy: true } }, [
      ...tell,
      { kind: "schedule-retry", delayMs: FETCH_RETRY_MIN_MS },
    ]);
  }
  return phase.kind === "trial" || phase.kind === "staged"
    ? prepareFailed(state, releaseId(phase.release), failure, nowMs)
    : stay(state);
}
