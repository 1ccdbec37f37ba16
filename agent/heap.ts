/**
 * Gives the heap's slack back when the agent falls silent. V8 collects when it wants to allocate: an agent that has started or
 * installed something, and then waits for weeks, would keep what that left behind (measured: 2 to 3 MiB) as long as it sleeps.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { HEAP_COLLECTION_DELAY_MS } from "./limits.ts";

/** Returns a function to be called at whatever the agent does; the heap is collected once it has not been called for a while. */
export function collectWhenQuiet(delayMs: number = HEAP_COLLECTION_DELAY_MS): () => void {
  const collect = exposedCollector();
  const timer = setTimeout(() => collect?.({ type: "major", flavor: "last-resort" }), delayMs).unref();
  return () => {
    timer.refresh();
  };
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
