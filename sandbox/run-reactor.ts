/**
 * The world `reactor` (wit/worlds.wit): `init` once, then calls when the agent sends one. In between the worker sleeps
 * in its event loop and holds nothing but its memory.
 */

import { SandboxError } from "./errors.ts";
import { guestFunction, isErrorResult } from "./guest-function.ts";
import { MAX_REPORT_LENGTH } from "./limits.ts";
import type { ModuleSession } from "./module-session.ts";
import type { LoadedModule } from "./run-module.ts";

export interface Reactor {
  /** Calls the guest and reports its answer. Throws what `describeEnd` understands, after which the guest is dead. */
  call(kind: "on-timer" | "health"): void;
}

/** Calls `init`. Throws what `describeEnd` understands. */
export function startReactor(session: ModuleSession, module: LoadedModule): Reactor {
  const init = guestFunction(module, "skerry:module/lifecycle", "init");
  const health = guestFunction(module, "skerry:module/lifecycle", "health");
  const onTimer = guestFunction(module, "skerry:module/timer-handler", "onTimer");
  if (init === undefined || health === undefined) {
    throw new SandboxError("sandbox/export-missing", "skerry:module/lifecycle lacks init or health");
  }
  session.post({ kind: "initializing" });
  const refusal = errorOf(init);
  if (refusal !== null) {
    throw new SandboxError("sandbox/init-failed", `init answered: ${refusal}`);
  }
  session.post({ kind: "running" });
  return {
    call(kind) {
      const called = kind === "health" ? health : onTimer;
      session.post({ kind: "called", error: called === undefined ? null : errorOf(called) });
    },
  };
}

/** The text of the function's `error` case, or `null`. */
function errorOf(guest: () => unknown): string | null {
  try {
    guest();
    return null;
  } catch (error) {
    if (isErrorResult(error)) {
      return String(error.payload).slice(0, MAX_REPORT_LENGTH);
    }
    throw error;
  }
}
