/**
 * The world `reactor` (wit/worlds.wit): `init` once, then calls when the agent sends one. In between the worker sleeps
 * in its event loop and holds nothing but its memory.
 */

import type { ReactorCall } from "./channel.ts";
import { SandboxError } from "./errors.ts";
import { guestFunction, isErrorResult } from "./guest-function.ts";
import { MAX_REPORT_LENGTH } from "./limits.ts";
import type { ModuleSession } from "./module-session.ts";
import type { LoadedModule } from "./run-module.ts";

export interface Reactor {
  /** Calls the guest and reports its answer. Throws what `describeEnd` understands, after which the guest is dead. */
  call(call: ReactorCall, payload: Uint8Array): void;
}

/** Calls `init`. Throws what `describeEnd` understands. */
export function startReactor(
  session: ModuleSession,
  module: Pick<LoadedModule, "exports" | "instance">,
): Reactor {
  const init = guestFunction(module, "skerry:module/lifecycle", "init");
  const health = guestFunction(module, "skerry:module/lifecycle", "health");
  const onTimer = guestFunction(module, "skerry:module/timer-handler", "onTimer");
  const onMessage = guestFunction(module, "skerry:module/message-handler", "onMessage");
  if (init === undefined || health === undefined) {
    throw new SandboxError("sandbox/export-missing", "skerry:module/lifecycle lacks init or health");
  }
  session.post({ kind: "initializing" });
  const refusal = errorOf(init);
  if (refusal !== null) {
    throw new SandboxError("sandbox/init-failed", `init answered: ${refusal}`);
  }
  session.post({ kind: "running", hasTimer: onTimer !== undefined });
  return {
    call(call, payload) {
      session.post({ kind: "called", error: answerOf(call, payload) });
    },
  };

  function answerOf(call: ReactorCall, payload: Uint8Array): string | null {
    switch (call.kind) {
      case "health":
        return errorOf(() => health?.());
      case "on-timer":
        return errorOf(() => onTimer?.());
      case "on-message":
        if (onMessage === undefined) return "the module does not export skerry:module/message-handler";
        return errorOf(() => onMessage(call.topic, payload));
    }
  }
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
