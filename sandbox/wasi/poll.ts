/**
 * `wasi:io/poll` (WASI 0.2), blocking: a wait blocks the module's worker, and nothing else.
 *
 * preview2-shim's own `poll` and `block` answer with promises, which a synchronous component can't wait for. Its
 * `Pollable` class and its life cycle stay; how to wait is ours. Three kinds of pollables exist in this host: timers,
 * those that are always ready (files, output), and standard input of a module that is run by hand.
 */

import { poll, pollableCreate } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import type { ModuleSession } from "../module-session.ts";
import { monotonicMs } from "../monotonic-time.ts";

export type Pollable = ReturnType<typeof pollableCreate>;

interface PollInterface {
  readonly Pollable: typeof poll.Pollable;
  poll(pollables: readonly Pollable[]): Uint32Array;
}

/** Something that becomes ready by itself, and how to wait for it. */
export interface Source {
  ready(): boolean;
  /** Blocks until it is ready or `monotonicMs()` reaches `deadlineMs`; may come back earlier. */
  wait(deadlineMs: number): void;
}

export interface Polling {
  readonly poll: PollInterface;
  /** A pollable that is ready when `monotonicMs()` has reached `deadlineMs`. */
  timer(deadlineMs: number): Pollable;
  /** A pollable of what never has to be waited for. */
  always(): Pollable;
  /** A module has one source at most: waiting for two at a time has no way of telling which comes first. */
  source(source: Source): Pollable;
}

export function createPolling(session: ModuleSession): Polling {
  const deadlines = new WeakMap<Pollable, number>();
  const sources = new WeakMap<Pollable, Source>();

  function timer(deadlineMs: number): Pollable {
    const pollable = create(() => monotonicMs() >= deadlineMs);
    deadlines.set(pollable, deadlineMs);
    return pollable;
  }

  function source(from: Source): Pollable {
    const pollable = create(() => from.ready());
    deadlines.set(pollable, Number.POSITIVE_INFINITY);
    sources.set(pollable, from);
    return pollable;
  }

  function create(ready: () => boolean): Pollable {
    const pollable = pollableCreate({
      ready,
      wait: () => Promise.reject(new Error("a pollable of this host is waited for by its worker")),
    });
    // The class's own `block` is the shim's; the result is `undefined` as in the WIT, there is nothing to await.
    return Object.assign(pollable, { block: () => waitFor([pollable]) });
  }

  /** Blocks until one of them is ready. */
  function waitFor(pollables: readonly Pollable[]): undefined {
    session.enterHost();
    while (!pollables.some((pollable) => pollable.ready())) {
      const deadlineMs = pollables.reduce(earliest, Number.POSITIVE_INFINITY);
      const waited = pollables.find((pollable) => sources.has(pollable));
      if (waited === undefined) {
        session.sleepUntil(deadlineMs);
      } else {
        sources.get(waited)?.wait(deadlineMs);
      }
    }
  }

  function earliest(deadlineMs: number, pollable: Pollable): number {
    return Math.min(deadlineMs, deadlines.get(pollable) ?? 0);
  }

  return {
    timer,
    source,
    always: () => create(() => true),
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
