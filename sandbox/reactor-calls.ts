/** The calls into one reactor: one at a time, each with its deadline; whoever may wait, waits for its turn. */

import type { AgentMessage } from "./channel.ts";
import type { Watchdog } from "./watchdog.ts";

export type ReactorCallKind = (AgentMessage & { kind: "on-timer" | "health" })["kind"];

const ENDED = "the module has ended";

interface CallInside {
  readonly finished: Promise<string | null>;
  readonly finish: (error: string | null) => void;
}

export class ReactorCalls {
  readonly #post: (message: AgentMessage) => void;
  readonly #watchdog: Watchdog;
  #inside: CallInside | undefined;
  #ended = false;

  constructor(post: (message: AgentMessage) => void, watchdog: Watchdog) {
    this.#post = post;
    this.#watchdog = watchdog;
  }

  get busy(): boolean {
    return this.#inside !== undefined;
  }

  /** Waits until no call is inside, then makes one. Nothing may come between the two, so both are one step. */
  async callInTurn(kind: ReactorCallKind, deadlineMs: number): Promise<string | null> {
    while (this.#inside !== undefined) {
      await this.#inside.finished;
    }
    return this.call(kind, deadlineMs);
  }

  /** Makes a call while none is inside; resolves with the module's error text, or `null`. */
  call(kind: ReactorCallKind, deadlineMs: number): Promise<string | null> {
    if (this.#ended) {
      return Promise.resolve(ENDED);
    }
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#inside = { finished: promise, finish: resolve };
    this.#watchdog.watchCall(kind, deadlineMs);
    this.#post({ kind });
    return promise;
  }

  /** The worker will not answer any more. */
  end(): void {
    this.#ended = true;
    this.finish(ENDED);
  }

  /** The worker has answered. */
  finish(error: string | null): void {
    const inside = this.#inside;
    if (inside === undefined) {
      return;
    }
    this.#watchdog.rest();
    this.#inside = undefined;
    inside.finish(error);
  }
}
