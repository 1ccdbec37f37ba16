/** `wasi:clocks` (WASI 0.2). Monotonic: nanoseconds since the worker started. */

import { wallClock } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/clocks.js";
import type { ModuleSession } from "../module-session.ts";
import { monotonicMs, monotonicNs } from "../monotonic-time.ts";
import type { Pollable, Polling } from "./poll.ts";

const NS_PER_MS = 1_000_000;

export interface MonotonicClock {
  now(): bigint;
  resolution(): bigint;
  subscribeInstant(whenNs: bigint): Pollable;
  subscribeDuration(durationNs: bigint): Pollable;
}

export function createClocks(
  session: ModuleSession,
  polling: Polling,
): { monotonicClock: MonotonicClock; wallClock: typeof wallClock } {
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
        return wallClock.now();
      },
      resolution: () => wallClock.resolution(),
    },
  };
}
