/**
 * `wasi:io/poll` (WASI 0.2), blocking: a wait blocks the module's worker, and nothing else.
 *
 * preview2-shim's own `poll` and `block` answer with promises, which a synchronous component can't wait for. Its
 * `Pollable` class and its life cycle stay; how to wait is ours. Two kinds of pollables exist in this host: timers, and
 * those that are always ready (stdio).
 */

import { poll, pollableCreate } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import type { ModuleSession } from "../module-session.ts";

export type Pollable = ReturnType<typeof pollableCreate>;

interface PollInterface {
  readonly Pollable: typeof poll.Pollable;
  poll(pollables: readonly Pollable[]): Uint32Array;
}

export interface Polling {
  readonly poll: PollInterface;
  /** A pollable that is ready when `performance.now()` has reached `deadlineMs`. */
  timer(deadlineMs: number): Pollable;
}

export function createPolling(session: ModuleSession): Polling {
  const deadlines = new WeakMap<Pollable, number>();

  function timer(deadlineMs: number): Pollable {
    const pollable = pollableCreate({
      ready: () => performance.now() >= deadlineMs,
      wait: () => Promise.reject(new Error("a timer of this host is waited for by its worker")),
    });
    deadlines.set(pollable, deadlineMs);
    // The class's own `block` is the shim's; the result is `undefined` as in the WIT, there is nothing to await.
    return Object.assign(pollable, { block: () => waitFor([pollable]) });
  }

  /** Blocks until one of them is ready. */
  function waitFor(pollables: readonly Pollable[]): undefined {
    session.enterHost();
    while (!pollables.some((pollable) => pollable.ready())) {
      session.sleepUntil(pollables.reduce(earliest, Number.POSITIVE_INFINITY));
    }
  }

  function earliest(deadlineMs: number, pollable: Pollable): number {
    return Math.min(deadlineMs, deadlines.get(pollable) ?? 0);
  }

  return {
    timer,
    poll: {
      Pollable: poll.Pollable,
      poll(pollables) {
        if (pollables.length === 0) {
          // "This function traps if the list is empty."
          throw new Error("poll of an empty list");
        }
        waitFor(pollables);
        const ready = [...pollables.keys()].filter((index) => pollables[index]?.ready() === true);
        return Uint32Array.from(ready);
      },
    },
  };
}
