/**
 * Install and rollback of one module, as a function without I/O: state and event in, new state and effects out.
 *
 * Rules
 * - The caller writes the new state, then runs the effects in order; their outcomes come back as events.
 * - One version runs at a time: the old one stops before the new one starts (a port has one owner, memory is short).
 * - A trial's start is counted durably before it happens. A trap, an exit, an exceeded limit or an unhealthy window
 *   rolls back at once; an agent that dies in the trial starts it again, up to MAX_TRIAL_STARTS, then rolls back.
 * - The module's data is copied when a trial begins, put back by a rollback, and the copy discarded by a commit.
 * - `committed` follows `healthy` and a durable write, nothing else. After it nothing is rolled back unasked: a version
 *   that ends later is started again with back-off.
 * - A release that failed (by digest) is not tried again until the director asks for another. Refusals by the device's
 *   policy are tried again when the agent starts, since the policy may have changed.
 * - While a release is fetched and verified the old version runs on. Another one that is asked for meanwhile takes its
 *   place. A trial runs to its end, which is near; only the version that ran before, asked for again, ends it at
 *   once (a recall: rolled back, not marked as failed).
 * - An agent that died several times in a row starts what is committed after a delay, so that a version which kills it can be replaced.
 * - A committed version whose files are spoiled on the disk is fetched again, and started as soon as it is there.
 * - What nobody assigns any more goes on running.
 *
 * Example: 1.1.0 is committed and runs, the director asks for 1.2.0, which traps in its trial
 *
 *     settled       desired 1.2.0   → fetching      fetch
 *     fetching      fetched         → verifying     verify
 *     verifying     verified        → staged        stop 1.1.0, snapshot-data
 *     staged        prepared        → trial (1)     start 1.2.0            (the state is durable first)
 *     trial (1)     ended           → rolling-back  stop 1.2.0, restore-data
 *     rolling-back  restored        → settled       start 1.1.0, emit rolled-back
 *     settled       desired 1.2.0   → settled       (failed: not tried again)
 */

import {
  backOff,
  chain,
  emit,
  inPhase,
  pursue,
  refuse,
  replace,
  SETTLED,
  serve,
  stay,
  take,
} from "./install-steps.ts";
import { commit, notDurable, prepared, prepareFailed, rollBack, rolledBack } from "./install-trial.ts";
import type { Failure, InstallEffect, InstallEvent, InstallState, PhaseOf, Step } from "./install-types.ts";
import { MAX_TRIAL_STARTS, RESTART_DELAY_MAX_MS, RESTART_DELAY_MIN_MS, STABLE_RUN_MS } from "./limits.ts";
import { isSameRelease, type ReleaseRecord, releaseId, releaseName } from "./release.ts";
import { formatDuration } from "./units.ts";

/** A module that this device has never heard of. */
export const INITIAL_STATE: InstallState = {
  desired: undefined,
  committed: undefined,
  previous: undefined,
  failed: undefined,
  phase: SETTLED,
  serving: { kind: "down" },
};

/** One step. `nowMs` is any clock that only goes forward; nothing of it is remembered over a restart. */
export function step(state: InstallState, event: InstallEvent, nowMs: number): Step {
  switch (event.kind) {
    case "recover":
      return recover(state, event.startDelayMs, nowMs);
    case "desired":
      return desire(state, event.release);
    case "fetched":
      return inPhase(state, "fetching", event.id, (phase) => fetched(state, phase, nowMs));
    case "fetch-failed":
      return inPhase(state, "fetching", event.id, (phase) => refuse(state, phase, event.failure));
    case "verified":
      return inPhase(state, "verifying", event.id, (phase) => stage(state, phase));
    case "verify-failed":
      return inPhase(state, "verifying", event.id, (phase) => refuse(state, phase, event.failure));
    case "prepared":
      return prepared(state, event.id, nowMs);
    case "prepare-failed":
      return prepareFailed(state, event.id, event.failure, nowMs);
    case "healthy":
      return inPhase(state, "trial", event.id, (phase) => commit(state, phase, nowMs));
    case "unhealthy":
      return inPhase(state, "trial", event.id, (phase) => rollBack(state, phase, event.failure));
    case "ended":
      return ended(state, event.id, event.failure, nowMs);
    case "restored":
      return state.phase.kind === "rolling-back" ? rolledBack(state, state.phase, nowMs) : stay(state);
    case "retry-due":
      return retry(state, nowMs);
    case "restart-due":
      return state.serving.kind === "waiting" ? serve(state, nowMs, state.serving.restarts) : stay(state);
    case "restart-asked":
      return restart(state, nowMs);
    case "not-durable":
      return notDurable(state, event.failure, nowMs);
    case "stopping":
      return stop(state);
  }
}

function recover(state: InstallState, startDelayMs: number, nowMs: number): Step {
  const { phase } = state;
  switch (phase.kind) {
    case "staged":
      // No trial has begun, and whatever copy lies there is of no use any more.
      return take(state, [{ kind: "snapshot-data", release: phase.release, keepExisting: false }]);
    case "trial":
      return phase.starts >= MAX_TRIAL_STARTS
        ? rollBack(state, phase, crashedAgent(phase))
        : take({ ...state, phase: { ...phase, running: false } }, [
            { kind: "snapshot-data", release: phase.release, keepExisting: true },
          ]);
    case "rolling-back":
      return take(state, [{ kind: "restore-data" }]);
    case "settled":
    case "fetching":
    case "verifying": {
      const failed = state.failed?.code.startsWith("stage/") === true ? undefined : state.failed;
      const settled = take({ ...state, failed, phase: SETTLED }, [{ kind: "discard-snapshot" }]);
      return chain(
        settled,
        (next) => (startDelayMs > 0 ? serveLater(next, startDelayMs) : serve(next, nowMs)),
        pursue,
      );
    }
  }
}

/** An agent that died again and again, perhaps by what is committed, gets the time to hear of another version first. */
function serveLater(state: InstallState, delayMs: number): Step {
  return state.committed === undefined
    ? stay(state)
    : take({ ...state, serving: { kind: "waiting", restarts: 0 } }, [{ kind: "schedule-restart", delayMs }]);
}

function desire(state: InstallState, release: ReleaseRecord | undefined): Step {
  if (isSameRelease(release, state.desired)) {
    return stay(state);
  }
  const isAnother = release !== undefined && releaseId(release) !== state.failed?.id;
  const next: InstallState = { ...state, desired: release, failed: isAnother ? undefined : state.failed };
  switch (next.phase.kind) {
    case "settled":
      return pursue(next);
    case "fetching":
    case "verifying":
      return chain(take({ ...next, phase: SETTLED }, [{ kind: "cancel-fetch" }]), pursue);
    case "trial": {
      const isRecall = release !== undefined && isSameRelease(release, next.committed);
      return isRecall ? rollBack(next, next.phase, undefined) : stay(next);
    }
    case "staged": // decided once the data is copied
    case "rolling-back": // decided once the old version runs again
      return stay(next);
  }
}

function fetched(state: InstallState, { release, attempts }: PhaseOf<"fetching">, nowMs: number): Step {
  if (isSameRelease(release, state.committed)) {
    // The files of the committed version were replaced by the very same: it needs no other trial.
    return chain(take({ ...state, phase: SETTLED }, []), (next) => serve(next, nowMs), pursue);
  }
  return take({ ...state, phase: { kind: "verifying", release, attempts } }, [
    emit("verified", release),
    { kind: "verify", release },
  ]);
}

function stage(state: InstallState, { release, attempts }: PhaseOf<"verifying">): Step {
  const stopOld: InstallEffect[] =
    state.committed === undefined ? [] : [{ kind: "stop", release: state.committed }];
  return take({ ...state, phase: { kind: "staged", release, attempts }, serving: { kind: "down" } }, [
    emit("staged", release),
    ...stopOld,
    { kind: "snapshot-data", release, keepExisting: false },
  ]);
}

/** A trial that ends is rolled back; a committed version is started again, later each time. */
function ended(state: InstallState, id: string, failure: Failure, nowMs: number): Step {
  const { phase, committed, serving } = state;
  if (phase.kind === "trial" && releaseId(phase.release) === id) {
    return rollBack(state, phase, failure);
  }
  if (committed === undefined || serving.kind !== "up" || releaseId(committed) !== id) {
    return stay(state);
  }
  const restarts = (nowMs - serving.sinceMs >= STABLE_RUN_MS ? 0 : serving.restarts) + 1;
  const delayMs = backOff(RESTART_DELAY_MIN_MS, RESTART_DELAY_MAX_MS, restarts);
  const message = `${failure.message}; it starts again in ${formatDuration(delayMs)}`;
  const stopped = take({ ...state, serving: { kind: "waiting", restarts } }, [
    { kind: "stop", release: committed },
    emit("stopped", committed, { code: failure.code, message }),
    { kind: "schedule-restart", delayMs },
  ]);
  return failure.code === "store/corrupt" ? chain(stopped, (next) => replace(next, committed)) : stopped;
}

/** By the operator: at once, and without counting. A trial is not interfered with. */
function restart(state: InstallState, nowMs: number): Step {
  const { committed, serving } = state;
  if (committed === undefined || serving.kind === "down") {
    return stay(state);
  }
  const stopped = take({ ...state, serving: { kind: "down" } }, [
    { kind: "stop", release: committed },
    emit("stopped", committed, { message: "the operator asked for a restart" }),
  ]);
  return chain(stopped, (next) => serve(next, nowMs));
}

function retry(state: InstallState, nowMs: number): Step {
  const { phase } = state;
  if (phase.kind === "fetching" && phase.waiting) {
    return take({ ...state, phase: { ...phase, waiting: false } }, [
      { kind: "fetch", release: phase.release },
    ]);
  }
  return phase.kind === "trial" && phase.healthy ? commit(state, phase, nowMs) : stay(state);
}

/** The agent ends as it should: a start that this cuts short is not held against the release. */
function stop(state: InstallState): Step {
  const { phase, committed, serving } = state;
  const running = phase.kind === "trial" ? phase.release : serving.kind === "up" ? committed : undefined;
  const next: InstallState = {
    ...state,
    serving: { kind: "down" },
    phase:
      phase.kind === "trial" && phase.running
        ? { ...phase, starts: phase.starts - 1, healthy: false, running: false }
        : phase,
  };
  const stopRunning: InstallEffect[] =
    running === undefined ? [] : [{ kind: "stop", release: running }, emit("stopped", running)];
  return take(next, [{ kind: "cancel-fetch" }, ...stopRunning]);
}

function crashedAgent(phase: PhaseOf<"trial">): Failure {
  return {
    code: "trial/crashed-agent",
    message: `the agent died in each of ${phase.starts} starts of ${releaseName(phase.release)}; look at its log and the device's memory`,
  };
}
