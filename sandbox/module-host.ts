/** Runs one module in one worker, seen from the agent. */

import type { ModuleObserver, ModuleServices, ModuleSpec, RunningModule } from "./module-spec.ts";

/**
 * Starts a module in a worker of its own and returns at once; `done` tells how it ended.
 *
 * Nothing that the module does throws here or later: a component that can't be read or is refused ends as `failed`.
 */
export function startModule(
  spec: ModuleSpec,
  services: ModuleServices,
  observer: ModuleObserver = {},
): RunningModule {
  throw new Error(`not written yet: ${spec.name} ${typeof services} ${typeof observer}`);
}
