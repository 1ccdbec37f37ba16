/** Makes the thread that one module runs in. */

import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import type { WorkerStart } from "./channel.ts";
import { WORKER_STACK_MIB, WORKER_YOUNG_GENERATION_MIB } from "./limits.ts";
import type { EffectiveLimits } from "./module-limits.ts";
import type { ModuleSpec } from "./module-spec.ts";

/** A thread with bounded heap and stack, without the agent's environment, arguments or standard streams. */
export function createWorker(controlMemory: SharedArrayBuffer, heapMiB: number): Worker {
  // V8 takes Node's compiled-in code of its builtins only under the flags that it was made with, so under any of these they are compiled
  // anew: 7 of the 95 ms of processor time that a start takes (x86-64, median). There is no better place: on the command line they cost a
  // worker the same and the agent's own start 3 ms more, and on a device the launcher's --disallow-code-generation-from-strings has
  // that effect already. They can't be taken back for the next worker's start either: modules that run read them.
  // Workers made from now on have `gc`; theirs is JavaScript's, which a guest does not see.
  setFlagsFromString("--expose-gc");
  // Between the interpreter and the optimising compilers: its code of functions that run a few dozen times is 0.4 MiB of a worker.
  setFlagsFromString("--no-sparkplug");
  // V8 13.6 compiles the way out of WebAssembly into a host function once it was taken often, and shares that code among all threads.
  // Seen once: the process ended with "Check failed: end > addr" below WasmImportWrapperCache::Free, as if two threads had freed the same.
  // It was not reproduced. The way that is there from the start takes a tenth of a microsecond more, and none of that code is made.
  setFlagsFromString(`--wasm-wrapper-tiering-budget=${0x7fffffff}`);
  return new Worker(workerUrl(), {
    workerData: controlMemory,
    env: {},
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    // The descriptors of a worker's open files are to be closed with it, however it ends: its folders', and that of random bytes.
    trackUnmanagedFds: true,
    resourceLimits: {
      maxOldGenerationSizeMb: heapMiB,
      maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MIB,
      stackSizeMb: WORKER_STACK_MIB,
    },
  });
}

/** `worker.ts` beside this file in the sources, `worker.js` beside the bundle that this file became part of. */
function workerUrl(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./worker.${extension}`, import.meta.url);
}

/** What the worker needs to know. */
export function workerStart(spec: ModuleSpec, limits: EffectiveLimits): WorkerStart {
  const { memoryBytes, codeBytes, logLinesPerSecond, logBytesPerSecond, writtenBytesPerSecond } = limits;
  return {
    name: spec.name,
    componentPath: spec.componentPath,
    isValidated: spec.isValidated ?? false,
    world: spec.world,
    env: spec.env,
    args: spec.args,
    folders: spec.folders ?? [],
    stdio: spec.stdio ?? "log",
    grants: spec.grants,
    ...{ memoryBytes, logLinesPerSecond, logBytesPerSecond, writtenBytesPerSecond },
    ...(codeBytes === undefined ? {} : { codeBytes }),
  };
}
