/** Tells the observer that a limit slowed the module down, without becoming a flood itself. */

import type { LimitCode } from "./errors.ts";

/** Between two reports of the same limit, in milliseconds. */
const REPORT_PAUSE_MS = 10_000;

export class LimitReports {
  readonly #tell: (code: LimitCode, message: string) => void;
  readonly #toldMs = new Map<LimitCode, number>();

  constructor(tell: (code: LimitCode, message: string) => void) {
    this.#tell = tell;
  }

  report(code: LimitCode, message: string): void {
    const nowMs = performance.now();
    const toldMs = this.#toldMs.get(code);
    if (toldMs === undefined || nowMs - toldMs >= REPORT_PAUSE_MS) {
      this.#toldMs.set(code, nowMs);
      this.#tell(code, message);
    }
  }
}
