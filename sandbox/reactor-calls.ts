/** The calls into one reactor: one at a time, each with its deadline; whoever may wait, waits for its turn. */

import type { ReactorCall } from "./channel.ts";
import type { Watchdog } from "./watchdog.ts";

type Post = (call: ReactorCall, payload?: Uint8Array) => void;

const ENDED = "the module has ended";

interface CallInside {
  readonly finished: Promise<string | null>;
  readonly finish: (error: string | null) => void;
}

export class ReactorCalls {
  readonly #post: Post;
  readonly #watchdog: Watchdog;
  #inside: CallInside | undefined;
  #ended = false;

  constructor(post: Post, watchdog: Watchdog) {
    this.#post = post;
    this.#watchdog = watchdog;
  }

  /**
   * Waits until no call is inside, then makes one; resolves with the module's error text, or `null`. Who waits longest comes first.
   * `payload` is a message's.
   */
  async call(call: ReactorCall, deadlineMs: number, payload?: Uint8Array): Promise<string | null> {
    while (this.#inside !== undefined) {
      await this.#inside.finished;
    }
    // Nothing may come between the end of the wait and the call.
    return this.#callNow(call, deadlineMs, payload);
  }

  #callNow(call: ReactorCall, deadlineMs: number, payload?: Uint8Array): Promise<string | null> {
    if (this.#ended) {
      return Promise.resolve(ENDED);
    }
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#inside = { finished: promise, finish: resolve };
    this.#watchdog.watchCall(call.kind, deadlineMs);
    this.#post(call, payload);
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
