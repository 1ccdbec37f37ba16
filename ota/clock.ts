/** Time as the OTA side uses it: passed in, so that a test can hold it. */

export interface Clock {
  /** Milliseconds since some moment; only goes forward. */
  nowMs(): number;
  /** Calls back once after a time in milliseconds; gives the function that calls it off. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/** The process's own clock. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
