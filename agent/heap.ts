/**
 * Gives memory back that V8 would keep. V8 collects when it runs short of heap:
 *
 * - An agent that started or installed something, and then sleeps for weeks, would keep what that left behind (2 to 3 MiB).
 * - The chunks of a download lie outside of the heap and hardly move it: they would pile up, the more the larger the download
 *   (18 MiB at 64 MiB). A small collection takes most of them, a large one from time to time those that were in use during two small ones.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { COLLECT_AFTER_BYTES, COLLECT_AFTER_SILENCE_MS, COLLECT_ALL_AFTER_BYTES } from "./limits.ts";
import type { AgentEvent } from "./reports.ts";

export class HeapKeeper {
  readonly #collect = exposedCollector();
  readonly #silence: NodeJS.Timeout;
  /** Since the last small collection, and since the last large one. */
  #bytes = 0;
  #allBytes = 0;

  constructor() {
    this.#silence = setTimeout(() => this.#rest(), COLLECT_AFTER_SILENCE_MS).unref();
  }

  /** The agent did something: it is not at rest until a while later. What a download left behind is not to lie there during a trial. */
  noteEvent(event: AgentEvent["event"]): void {
    this.#silence.refresh();
    if (event === "verified") this.#rest();
  }

  /** A payload of this many bytes came and was dealt with. */
  noteBytes(count: number): void {
    this.#bytes += count;
    if (this.#bytes < COLLECT_AFTER_BYTES) return;
    this.#allBytes += this.#bytes;
    this.#bytes = 0;
    const isLargeDue = this.#allBytes >= COLLECT_ALL_AFTER_BYTES;
    if (isLargeDue) this.#allBytes = 0;
    this.#collect?.({ type: isLargeDue ? "major" : "minor" });
  }

  /** Everything that can go, compiled code that was not used for long among it. */
  #rest(): void {
    this.#collect?.({ type: "major", flavor: "last-resort" });
  }
}

/** The collector that `--expose-gc` would give, without asking every command line for it: contexts made from now on have it. */
function exposedCollector(): NodeJS.GCFunction | undefined {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  return isCollector(collect) ? collect : undefined;
}

function isCollector(value: unknown): value is NodeJS.GCFunction {
  return typeof value === "function";
}
