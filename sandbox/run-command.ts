/** The world `command`: `wasi:cli/run` runs until it returns, blocking its worker all the while. */

import { SandboxError } from "./errors.ts";
import { guestFunction, isErrorResult } from "./guest-function.ts";
import type { ModuleSession } from "./module-session.ts";
import type { ModuleEnd } from "./module-spec.ts";
import type { LoadedModule } from "./run-module.ts";

/** Runs the command to its end. Throws what `describeEnd` understands. */
export function runCommand(session: ModuleSession, module: LoadedModule): ModuleEnd {
  const run = guestFunction(module, "wasi:cli/run", "run");
  if (run === undefined) {
    throw new SandboxError("sandbox/export-missing", "wasi:cli/run has no function run");
  }
  session.post({ kind: "running", hasTimer: false });
  try {
    run();
    return { kind: "exited", exitCode: 0 };
  } catch (error) {
    if (isErrorResult(error)) {
      return { kind: "exited", exitCode: 1 };
    }
    throw error;
  }
}
