/** One start of a module: its facts until it ends or is abandoned, and in a trial the window at whose end it is judged. */

import type { Clock } from "./clock.ts";
import { OtaError } from "./errors.ts";
import { endOf, type Health, judge, observe, UNSEEN } from "./health.ts";
import type { Failure } from "./install-types.ts";
import { type ReleaseRecord, releaseName } from "./release.ts";
import type { ModuleFact, ModuleRunner, StagedModule } from "./runner.ts";

export type ModuleRunOptions = {
  readonly runner: ModuleRunner;
  readonly clock: Clock;
  /** Whether it still is on trial: a run goes on when its version is committed. */
  readonly isTrial: () => boolean;
  /** Told once how it ended, unless it was abandoned before. */
  readonly onEnd: (failure: Failure) => void;
  /** Told at the end of a trial's window: undefined when healthy. */
  readonly onJudged: (failure: Failure | undefined) => void;
};

export class ModuleRun {
  readonly #options: ModuleRunOptions;
  #health: Health = UNSEEN;
  #isOver = false;
  #cancelWindow: () => void = () => undefined;

  constructor(options: ModuleRunOptions) {
    this.#options = options;
  }

  /** Starts it; a start that fails is an end. */
  async start(release: ReleaseRecord, stage: () => Promise<StagedModule>): Promise<void> {
    const { clock, isTrial, onJudged, runner } = this.#options;
    try {
      const staged = await stage();
      await runner.start(staged, (fact) => this.#observe(fact));
      if (isTrial() && !this.#isOver) {
        const { health } = staged.manifest;
        this.#cancelWindow = clock.setTimer(health.windowMs, () => onJudged(judge(this.#health, health)));
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // What is spoiled on the disk is fetched again; what the policy no longer grants has the code that staging refuses it by.
      const hasOwnCode = error instanceof OtaError && /^(?:store\/corrupt$|stage\/)/.test(error.code);
      const code = hasOwnCode ? error.code : "trial/start-failed";
      this.#end({ code, message: `${releaseName(release)} did not start: ${reason}` });
    }
  }

  /** Nothing that it still says counts. */
  abandon(): void {
    this.#isOver = true;
    this.#cancelWindow();
  }

  #observe(fact: ModuleFact): void {
    if (this.#isOver) {
      return;
    }
    this.#health = observe(this.#health, fact);
    const end = endOf(fact, this.#options.isTrial());
    if (end !== undefined) {
      this.#end(end);
    }
  }

  /** Once: a start that fails may have reported its trap already. */
  #end(failure: Failure): void {
    if (!this.#isOver) {
      this.abandon();
      this.#options.onEnd(failure);
    }
  }
}
