import test from "ava";
import { failuresAfter, quarantineMs, reconnectDelayMs } from "../../agent/backoff.ts";
import {
  QUARANTINE_BASE_MS,
  QUARANTINE_CAP_MS,
  RECONNECT_BASE_MS,
  RECONNECT_CAP_MS,
  STABLE_CONNECTION_MS,
} from "../../agent/limits.ts";

const ALMOST_ONE = 1 - 2 ** -53;

test("full jitter: the delay spreads from zero to a ceiling that doubles", (t) => {
  for (const failures of [1, 2, 3]) {
    const ceilingMs = RECONNECT_BASE_MS * 2 ** (failures - 1);
    t.is(reconnectDelayMs(failures, 0), 0);
    t.is(reconnectDelayMs(failures, 0.5), ceilingMs / 2);
    t.is(reconnectDelayMs(failures, ALMOST_ONE), ceilingMs - 1);
  }
});

test("the ceiling stays at its cap, however long the broker is away", (t) => {
  for (const failures of [10, 100, 10_000, Number.MAX_SAFE_INTEGER]) {
    t.is(reconnectDelayMs(failures, 0.5), RECONNECT_CAP_MS / 2);
  }
});

test("a connection that held starts the schedule afresh, one thrown out at once goes on in it", (t) => {
  t.is(failuresAfter(7, STABLE_CONNECTION_MS), 1);
  t.is(failuresAfter(7, STABLE_CONNECTION_MS - 1), 8);
  t.is(failuresAfter(0, 0), 1);
});

test("a subscription stays out longer with each oversized packet", (t) => {
  t.is(quarantineMs(1), QUARANTINE_BASE_MS);
  t.is(quarantineMs(2), 2 * QUARANTINE_BASE_MS);
  t.is(quarantineMs(1_000), QUARANTINE_CAP_MS);
});
