/** What the installer needs of whatever runs modules: the agent's supervisor implements it on the sandbox and the devices. */

import type { Manifest } from "./manifest.ts";
import type { ReleaseRecord } from "./release.ts";

/** A release on the disk, checked against its digests. */
export type StagedModule = {
  readonly release: ReleaseRecord;
  readonly manifest: Manifest;
  readonly componentPath: string;
  /** The module's private folder; made by whoever first needs it. */
  readonly dataDirectory: string;
};

/** What a run shows of itself, as it happens. After `trap`, `exited` or `limit` the run is over and nothing more is reported. */
export type ModuleFact =
  /** It was entered and came back or goes on: `init` returned, or `run` is under way. */
  | { readonly kind: "alive" }
  /** It published. Once is enough. */
  | { readonly kind: "telemetry" }
  /** What its `health` export answered last. */
  | { readonly kind: "health-ok" }
  | { readonly kind: "health-failed"; readonly message: string }
  | { readonly kind: "trap"; readonly code: string; readonly message: string }
  | { readonly kind: "limit"; readonly code: string; readonly message: string }
  | { readonly kind: "exited"; readonly exitCode: number };

export interface ModuleRunner {
  /**
   * Whether the release can run here: a component, its imports granted, its exports there. Runs nothing of it.
   *
   * @throws OtaError "stage/…"
   */
  check(staged: StagedModule): Promise<void>;
  /**
   * Starts a run and returns once it is under way, or throws; bounded in time by the runner itself. Facts may come before
   * it returns.
   */
  start(staged: StagedModule, observe: (fact: ModuleFact) => void): Promise<void>;
  /** Returns once the module no longer runs, whatever it was doing; fine if it did not. Must not fail. */
  stop(module: string): Promise<void>;
}
