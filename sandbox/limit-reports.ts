/** Tells of the limits that a module ran into and outlived, without becoming a flood itself. */

import type { LimitCode } from "./errors.ts";
import { LIMIT_REPORT_PAUSE_MS } from "./limits.ts";
import { monotonicMs } from "./monotonic-time.ts";

export class LimitReports<Code extends LimitCode = LimitCode> {
  readonly #tell: (code: Code, message: string) => void;
  readonly #toldMs = new Map<Code, number>();

  constructor(tell: (code: Code, message: string) => void) {
    this.#tell = tell;
  }

  report(code: Code, message: string): void {
    const nowMs = monotonicMs();
    const toldMs = this.#toldMs.get(code);
    if (toldMs === undefined || nowMs - toldMs >= LIMIT_REPORT_PAUSE_MS) {
      this.#toldMs.set(code, nowMs);
      this.#tell(code, message);
    }
  }
}
