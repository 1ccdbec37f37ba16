/** What is under way and since when, so that somebody can see that it hangs. */
import { formatDuration } from "../ota/units.ts";

export class TaskWatch {
  readonly #maxMs: number;
  readonly #tasks = new Set<{ readonly what: string; readonly sinceMs: number }>();

  /** @param maxMs what takes longer hangs */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /** Does something, which `what` names: "stopping acme/thermo". */
  async run<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    const task = { what, sinceMs: performance.now() };
    this.#tasks.add(task);
    try {
      return await work();
    } finally {
      this.#tasks.delete(task);
    }
  }

  /** A task that hangs, in words; undefined if none does. */
  overdue(): string | undefined {
    for (const { what, sinceMs } of this.#tasks) {
      if (performance.now() - sinceMs > this.#maxMs) {
        return `${what} has taken longer than ${formatDuration(this.#maxMs)}`;
      }
    }
    return undefined;
  }
}
