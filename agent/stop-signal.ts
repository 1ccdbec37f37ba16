/**
 * The signal that ends a process. A terminal's Ctrl-C arrives more than once: from the terminal itself, and passed on by npm, npx and
 * skerry.js, tens of milliseconds later. Only one that comes after that is meant as "at once".
 */
import { constants } from "node:os";
import { REPEATED_SIGNAL_MS } from "./limits.ts";

/** What shells add to a signal's number. */
const SIGNAL_EXIT_BASE = 128;

/** The exit code of a process that a signal ended, as shells have it. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal];
}

/**
 * Resolves to the first of these signals. A further one, once repetitions are over, ends the process where it stands: it hangs while
 * it stops.
 */
export function stopSignal(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAtMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    firstAtMs ??= performance.now();
    if (performance.now() - firstAtMs > REPEATED_SIGNAL_MS) process.exit(signalExitCode(signal));
    resolve(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return promise;
}
