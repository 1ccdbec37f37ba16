/** `wasi:clocks` (WASI 0.2). Monotonic: nanoseconds since the worker started. Wall: the system's time. */

import type { ModuleSession } from "../module-session.ts";
import { monotonicMs, monotonicNs } from "../monotonic-time.ts";
import { wallTimeNs } from "../wall-time.ts";
import type { Pollable, Polling } from "./poll.ts";

const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000n;

/** How finely the wall clock is worth reading, in nanoseconds. */
const WALL_RESOLUTION_NS = 1000;

export interface MonotonicClock {
  now(): bigint;
  resolution(): bigint;
  subscribeInstant(whenNs: bigint): Pollable;
  subscribeDuration(durationNs: bigint): Pollable;
}

/** `wasi:clocks/wall-clock.datetime`. */
interface Datetime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export interface WallClock {
  now(): Datetime;
  resolution(): Datetime;
}

export function createClocks(
  session: ModuleSession,
  polling: Polling,
): { monotonicClock: MonotonicClock; wallClock: WallClock } {
  return {
    monotonicClock: {
      now() {
        session.enterHost();
        return monotonicNs();
      },
      resolution: () => 1n,
      subscribeInstant: (whenNs) => polling.timer(Number(whenNs) / NS_PER_MS),
      // A duration that lies beyond the clock's range becomes a timer that never fires, not one that wraps around.
      subscribeDuration: (durationNs) => polling.timer(monotonicMs() + Number(durationNs) / NS_PER_MS),
    },
    wallClock: {
      now() {
        session.enterHost();
        const timeNs = wallTimeNs();
        return { seconds: timeNs / NS_PER_SECOND, nanoseconds: Number(timeNs % NS_PER_SECOND) };
      },
      resolution: () => ({ seconds: 0n, nanoseconds: WALL_RESOLUTION_NS }),
    },
  };
}
