/**
 * One measurement of `npm run bench -- sandbox` in a process of its own: bundled by sandbox.ts, with the loader as a chunk
 * of its own, and run under `--expose-gc`. Prints one line of JSON.
 *
 *   node sandbox-process.js first-result loader|warm-loader|glue calls|quickjs <component or glue file>
 *   node sandbox-process.js memory loader|glue calls <component or glue file> <KiB of ballast>
 *   node sandbox-process.js worker [validated|other <component file>]
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { DEFAULT_HEAP_MIB, WORKER_STACK_MIB, WORKER_YOUNG_GENERATION_MIB } from "../sandbox/limits.ts";
import { anonymousMiB } from "./process-memory.ts";

type Exports = Readonly<Record<string, unknown>>;
type Loader = typeof import("../sandbox/component/index.ts");
type ComponentName = "calls" | "quickjs";

export interface FirstResult {
  readonly firstResultMs: number;
  /** What the first call gave: the same from every host. */
  readonly result: unknown;
}

export interface MemoryUse {
  /** What loading the component added. */
  readonly loadedMiB: number;
  /** What a million calls added, after a collection. */
  readonly callsMiB: number;
  /** All of the process right after them. */
  readonly endMiB: number;
}

export interface WorkerMemory {
  readonly addedMiB: number;
}

// Each of them long enough that a longer one gives the same figures.
const SETTLING_ROUNDS = 4;
const SETTLING_PAUSE_MS = 50;
const WORKER_SETTLING_MS = 2_000;
const WARM_UP_CALLS = 300_000;
const MEASURED_CALLS = 1_000_000;
const WORDS_IN_KIBIBYTE = 128;

const [what, ...rest] = process.argv.slice(2);
const measured = JSON.stringify(await measure(rest));
process.stdout.write(measured);

async function measure([first, name, file, ballast]: readonly string[]): Promise<unknown> {
  if (what === "worker")
    return name === undefined ? measureEmptyWorker() : measureWorker(name, first === "validated");
  if ((name !== "calls" && name !== "quickjs") || file === undefined)
    throw new Error("see the file's header");
  const start = first === "glue" ? () => loadGlue(file) : await loaderOf(name, file);
  // Whoever stages a component has loaded one before; the second time, the loader's own code is compiled already.
  if (first === "warm-loader") firstCall(name, await start());
  return what === "memory" ? measureMemory(start, Number(ballast)) : timeFirstResult(name, start);
}

/** An addition; and of the poller, whether it is healthy before its first poll (it says no). */
function firstCall(name: ComponentName, exports: Exports): unknown {
  if (name === "calls") return callOf(exports, ["skerry:bench/calls", "calls"], "add")(1, 2);
  try {
    return callOf(exports, ["skerry:module/lifecycle@0.1.0", "lifecycle"], "health")();
  } catch (error) {
    return error instanceof Error && "payload" in error ? error.payload : String(error);
  }
}

function callOf(exports: Exports, names: readonly string[], name: string): (...args: unknown[]) => unknown {
  const found = names.map((one) => exports[one]).find((one) => one !== undefined);
  const call = (found as Exports | undefined)?.[name];
  if (typeof call !== "function") throw new Error(`no function ${name}`);
  return (...args) => call(...args);
}

async function loadGlue(glueFile: string): Promise<Exports> {
  return (await import(glueFile)) as Exports;
}

/** The loader's own code belongs to no component: it is there before the clock starts. */
async function loaderOf(name: ComponentName, componentFile: string): Promise<() => Promise<Exports>> {
  const { compileComponent, instantiateComponent }: Loader = await import("../sandbox/component/index.ts");
  return async () => {
    const component = compileComponent(readFileSync(componentFile));
    return instantiateComponent(component, await importsOf(name), { resolveImport: await wasi(name) })
      .exports;
  };
}

/** What the component imports of its own world; the glue finds the same in the files beside it. */
async function importsOf(name: ComponentName): Promise<Exports> {
  if (name === "calls")
    return { "skerry:bench/probe": { sample: () => ({ value: 0.5, unit: "Cel", timeNs: 1n }) } };
  class Port {
    read() {}
    write() {}
  }
  return {
    "skerry:device/serial@0.1.0": { Port, open: () => new Port() },
    "skerry:module/messaging@0.1.0": { publish() {} },
  };
}

/** The shim's in-process build, which the sandbox is built on; loading it is part of the time. */
async function wasi(name: ComponentName): Promise<(interfaceName: string) => unknown> {
  if (name === "calls") return () => undefined;
  const shim: Readonly<Record<string, Exports>> = {
    cli: await import("../node_modules/@bytecodealliance/preview2-shim/dist/browser/cli.js"),
    clocks: await import("../node_modules/@bytecodealliance/preview2-shim/dist/browser/clocks.js"),
    filesystem: await import("../node_modules/@bytecodealliance/preview2-shim/dist/browser/filesystem.js"),
    io: await import("../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js"),
    random: await import("../node_modules/@bytecodealliance/preview2-shim/dist/browser/random.js"),
  };
  return (interfaceName) => {
    const [, group = "", member = ""] = /^wasi:([a-z]+)\/([a-z-]+)@0\.2\./.exec(interfaceName) ?? [];
    return shim[group]?.[member.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
  };
}

/** Collects first, whichever host it is: the garbage of the process's start would fall due somewhere in the measurement, or not. */
async function timeFirstResult(name: ComponentName, start: () => Promise<Exports>): Promise<FirstResult> {
  globalThis.gc?.();
  const startMs = performance.now();
  const result = firstCall(name, await start());
  return { firstResultMs: performance.now() - startMs, result };
}

/**
 * A million calls after as many as the engine needs to settle on its code.
 *
 * @param ballastKiB heap that is in use from before the measurement until after it
 */
async function measureMemory(start: () => Promise<Exports>, ballastKiB: number): Promise<MemoryUse> {
  const ballast = Array.from({ length: ballastKiB }, () => new Array<unknown>(WORDS_IN_KIBIBYTE).fill(0));
  const before = await settledMiB();
  const exports = await start();
  firstCall("calls", exports);
  const loaded = await settledMiB();
  callOften(exports, WARM_UP_CALLS);
  const warm = await settledMiB();
  callOften(exports, MEASURED_CALLS);
  const endMiB = await anonymousMiB(process.pid);
  const called = await settledMiB();
  // Used once more, or it would be collected in between.
  if (ballast.length !== ballastKiB) throw new Error("see the file's header");
  return { loadedMiB: loaded - before, callsMiB: called - warm, endMiB };
}

function callOften(exports: Exports, count: number): void {
  const echo = callOf(exports, ["skerry:bench/calls", "calls"], "echo");
  for (let index = 0; index < count; index++) echo("sixteen letters!");
}

/**
 * Anonymous memory once the collector has run and what compiles in the background is done. It is the collection that a worker makes when its
 * module is linked, and the agent at rest: code that ran once goes with it.
 */
async function settledMiB(): Promise<number> {
  for (let round = 0; round < SETTLING_ROUNDS; round++) {
    globalThis.gc?.({ type: "major", flavor: "last-resort" });
    await delay(SETTLING_PAUSE_MS);
  }
  return anonymousMiB(process.pid);
}

/** What a worker with the C example adds to its process: a command that reads, publishes, and sleeps in between. */
async function measureWorker(componentPath: string, isValidated: boolean): Promise<WorkerMemory> {
  const { startModule } = await import("../sandbox/module-host.ts");
  const before = await settledMiB();
  const running = Promise.withResolvers<void>();
  const module = startModule(
    {
      ...{ name: "acme/thermo", version: "1.0.0", componentPath, world: "command", env: {}, args: [] },
      isValidated,
      grants: { sensors: ["ambient"], serial: [], publish: ["telemetry/#"] },
      limits: {},
    },
    {
      readSensor: async () => ({ tag: "ok", value: { value: 21.5, unit: "Cel", timeNs: 1n } }),
      openSerial: async () => ({ tag: "err", code: "not-granted" }),
      closeSerial: async () => {},
      readSerial: async () => ({ tag: "err", code: "not-granted" }),
      writeSerial: async () => ({ tag: "err", code: "not-granted" }),
      publish: async () => ({ tag: "ok", value: undefined }),
    },
    { running: () => running.resolve(), ended: (end) => running.reject(new Error(end.kind)) },
  );
  await running.promise;
  await delay(WORKER_SETTLING_MS);
  const addedMiB = (await settledMiB()) - before;
  await module.stop(0);
  return { addedMiB };
}

/** What Node takes for a worker that does nothing, under the same limits. */
async function measureEmptyWorker(): Promise<WorkerMemory> {
  const before = await settledMiB();
  const resourceLimits = {
    maxOldGenerationSizeMb: DEFAULT_HEAP_MIB,
    maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MIB,
    stackSizeMb: WORKER_STACK_MIB,
  };
  const worker = new Worker("setInterval(() => {}, 1e9)", { eval: true, env: {}, resourceLimits });
  await once(worker, "online");
  await delay(WORKER_SETTLING_MS);
  const addedMiB = (await settledMiB()) - before;
  await worker.terminate();
  return { addedMiB };
}
