/**
 * `wasi:io/poll` (WASI 0.2), blocking: a wait blocks the module's worker, and nothing else.
 *
 * preview2-shim's own `poll` and `block` answer with promises, which a synchronous component can't wait for. Its
 * `Pollable` class and its life cycle stay; how to wait is ours. Four kinds of pollables exist in this host: timers,
 * those that are always ready (files, output), standard input of a module that is run by hand, and the network's, of
 * which one call to the agent tells which are ready.
 */

import { poll, pollableCreate } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import { STDIN_LOOK_MS } from "../limits.ts";
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

/** Things that become ready by themselves, and how to wait for several of them at a time. */
export interface SourceGroup<Member extends object> {
  /** Blocks until one is ready or `monotonicMs()` reaches `deadlineMs`, and says which are; may come back earlier. */
  wait(members: readonly Member[], deadlineMs: number): readonly boolean[];
}

export interface Polling {
  readonly poll: PollInterface;
  /** A pollable that is ready when `monotonicMs()` has reached `deadlineMs`. */
  timer(deadlineMs: number): Pollable;
  /** A pollable of what never has to be waited for. */
  always(): Pollable;
  /** A module has one source at most: waiting for two at a time has no way of telling which comes first. */
  source(source: Source): Pollable;
  /** A module has one group at most. */
  member<Member extends object>(group: SourceGroup<Member>, member: Member): Pollable;
}

/** A pollable of a group: asked together with the others. */
interface Grouped {
  readonly group: SourceGroup<object>;
  readonly member: object;
}

const PAST_MS = Number.NEGATIVE_INFINITY;

export function createPolling(session: ModuleSession): Polling {
  const deadlines = new WeakMap<Pollable, number>();
  const sources = new WeakMap<Pollable, Source>();
  const groups = new WeakMap<Pollable, Grouped>();

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

  function member<Member extends object>(group: SourceGroup<Member>, one: Member): Pollable {
    const pollable = create(() => group.wait([one], PAST_MS)[0] === true);
    deadlines.set(pollable, Number.POSITIVE_INFINITY);
    groups.set(pollable, { group, member: one });
    return pollable;
  }

  function create(ready: () => boolean): Pollable {
    const pollable = pollableCreate({
      ready,
      wait: () => Promise.reject(new Error("a pollable of this host is waited for by its worker")),
    });
    // The class's own `block` is the shim's; the result is `undefined` as in the WIT, there is nothing to await.
    return Object.assign(pollable, { block: () => void waitFor([pollable]) });
  }

  /** Blocks until one of them is ready; says which are. */
  function waitFor(pollables: readonly Pollable[]): readonly boolean[] {
    session.enterHost();
    const grouped = pollables.filter((pollable) => groups.has(pollable));
    for (;;) {
      const ready = pollables.map((pollable) => !groups.has(pollable) && pollable.ready());
      const deadlineMs = ready.includes(true)
        ? PAST_MS
        : pollables.reduce(earliest, Number.POSITIVE_INFINITY);
      const waited = pollables.find((pollable) => sources.has(pollable));
      if (grouped.length > 0) {
        const lookMs =
          waited === undefined ? deadlineMs : Math.min(deadlineMs, monotonicMs() + STDIN_LOOK_MS);
        const groupReady = waitForGroup(grouped, lookMs);
        for (const [index, pollable] of pollables.entries()) ready[index] ||= groupReady.has(pollable);
      }
      if (ready.includes(true)) return ready;
      if (grouped.length > 0) continue;
      if (waited === undefined) {
        session.sleepUntil(deadlineMs);
      } else {
        sources.get(waited)?.wait(deadlineMs);
      }
    }
  }

  function waitForGroup(pollables: readonly Pollable[], deadlineMs: number): ReadonlySet<Pollable> {
    const members = pollables.flatMap((pollable) => groups.get(pollable) ?? []);
    const ready = members[0]?.group.wait(
      members.map((one) => one.member),
      deadlineMs,
    );
    return new Set(pollables.filter((_, index) => ready?.[index] === true));
  }

  function earliest(deadlineMs: number, pollable: Pollable): number {
    return Math.min(deadlineMs, deadlines.get(pollable) ?? 0);
  }

  return {
    timer,
    source,
    member,
    always: () => create(() => true),
    poll: {
      Pollable: poll.Pollable,
      poll(pollables) {
        if (pollables.length === 0) {
          // "This function traps if the list is empty."
          throw new Error("poll of an empty list");
        }
        const ready = waitFor(pollables);
        return Uint32Array.from([...ready.keys()].filter((index) => ready[index] === true));
      },
    },
  };
}
