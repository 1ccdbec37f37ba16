/**
 * The time that a module's worker goes by: since the worker started, never back.
 *
 * Not `performance.now()`: in a worker, Node loads its whole performance API for it (0.4 MiB).
 */

const startNs = process.hrtime.bigint();

/** In nanoseconds. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint() - startNs;
}

/** In milliseconds, with their fraction. */
export function monotonicMs(): number {
  return Number(monotonicNs()) / 1e6;
}
