/**
 * `npm run bench -- sandbox`: this loader beside jco's transpiled glue and a host written by hand, for the same components
 * in the same run. Ratios count, not times: the machine may be slow or busy, and is so for all of them. What one
 * measurement would spoil for the next (compiled code, memory) is measured in a process of its own.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { decodeComponent } from "../sandbox/component/decode.ts";
import { type CallTimes, type CaseName, median, timeCalls } from "./calls-speed.ts";
import { glueHost, handWrittenHost, loaderHost } from "./hosts.ts";
import { atLeast, atMost, type Figure, plain } from "./report.ts";
import { type SandboxFiles, withSandboxFiles } from "./sandbox-files.ts";
import type { FirstResult, MemoryUse, WorkerMemory } from "./sandbox-process.ts";

const START_ROUNDS = 15;
const MEMORY_ROUNDS = 5;
/** A page of the engine's heap, and in how many steps the ballast goes through one. */
const HEAP_PAGE_KIB = 256;
const BALLAST_STEPS = 8;
const KILOBYTE = 1000;
const UNIT = "MiB anonymous";
/** Every host runs in an engine without its baseline compiler, as in the agent (sandbox/start-worker.ts). */
const ENGINE_FLAGS = ["--expose-gc", "--no-sparkplug"];
/** One arena of the allocator for all threads, as the manual sets it for a small device. */
const ALLOCATOR = { MALLOC_ARENA_MAX: "1" };

/** How many times faster than jco's glue a call has to be, and how close to the host by hand. */
const CALL_GOALS: Readonly<
  Record<CaseName, { readonly overJco: number; readonly ofByHand: number | undefined }>
> = {
  add: { overJco: 40, ofByHand: undefined },
  echo: { overJco: 12, ofByHand: 1.3 },
  stats: { overJco: 8, ofByHand: 1.3 },
  measure: { overJco: 40, ofByHand: 2 },
};
const CASE_NAMES: Readonly<Record<CaseName, string>> = {
  add: "add(u32, u32)",
  echo: "echo(string of 16)",
  stats: "stats(list<f64> of 256)",
  measure: "an import that returns a record",
};

export async function measureSandbox(note: (line: string) => void): Promise<Figure[]> {
  note("building the components, jco's glue and the loader's bundle …");
  return withSandboxFiles(async (files) => {
    note("calls …");
    const calls = callFigures(await timeAllCalls(files));
    note("from bytes to the first result …");
    const starts = [
      ...(await startFigures(files, "calls", "C component")),
      ...(await startFigures(files, "quickjs", "QuickJS component")),
    ];
    note("memory …");
    const memory = [...(await memoryFigures(files)), ...(await workerFigures(files))];
    return [...calls, ...starts, ...memory, ...sizeFigures(files)];
  });
}

type Hosts = "loader" | "jco" | "byHand";

async function timeAllCalls(files: SandboxFiles): Promise<CallTimes<Hosts>> {
  const component = await readFile(files.calls.component);
  return timeCalls({
    loader: loaderHost(component),
    jco: await glueHost(files.calls.glue),
    byHand: handWrittenHost(mainModule(component)),
  });
}

/** The core module that the C compiler made; wit-component's two small ones only wire it up. */
function mainModule(component: Uint8Array): Uint8Array<ArrayBuffer> {
  const modules = decodeComponent(component).definitions.flatMap((definition) =>
    definition.kind === "core-module" ? [Uint8Array.from(definition.module.bytes)] : [],
  );
  const [largest] = modules.toSorted((left, right) => right.length - left.length);
  if (largest === undefined) throw new Error("the benchmark's component has no core module");
  return largest;
}

function callFigures(times: CallTimes<Hosts>): Figure[] {
  return (Object.keys(CALL_GOALS) as CaseName[]).flatMap((name) => {
    const { loader, jco, byHand } = times[name];
    const { overJco, ofByHand } = CALL_GOALS[name];
    const label = CASE_NAMES[name];
    const against = `loader ${loader.toFixed(0)}, jco ${jco.toFixed(0)}, by hand ${byHand.toFixed(0)} ns`;
    const overByHand = loader / byHand;
    return [
      atLeast(`${label}, over jco`, jco / loader, overJco, "times faster", against),
      ofByHand === undefined
        ? plain(`${label}, of by hand`, overByHand, "times the time")
        : atMost(`${label}, of by hand`, overByHand, ofByHand, "times the time"),
    ];
  });
}

async function startFigures(
  files: SandboxFiles,
  name: "calls" | "quickjs",
  label: string,
): Promise<readonly Figure[]> {
  const runs = {
    glue: ["glue", name, files[name].glue],
    warm: ["warm-loader", name, files[name].component],
    cold: ["loader", name, files[name].component],
  };
  const times = { glue: [] as number[], warm: [] as number[], cold: [] as number[] };
  const results = new Set<string>();
  for (let round = 0; round < START_ROUNDS; round++) {
    for (const host of ["glue", "warm", "cold"] as const) {
      const { firstResultMs, result } = await inProcess<FirstResult>(files, ["first-result", ...runs[host]]);
      times[host].push(firstResultMs);
      results.add(JSON.stringify(result));
    }
  }
  if (results.size !== 1)
    throw new Error(`the hosts differ in the first result: ${[...results].join(" / ")}`);
  const [glue, warm, cold] = [median(times.glue), median(times.warm), median(times.cold)];
  const against = `loader ${warm.toFixed(1)}, jco ${glue.toFixed(1)} ms`;
  return [
    atLeast(`${label} to first result, over jco`, glue / warm, 3, "times faster", against),
    plain(`${label}, first one of a process`, glue / cold, "times faster", `loader ${cold.toFixed(1)} ms`),
  ];
}

/**
 * The engine takes memory from Linux in pages of 256 KiB: whether loading needs one page more depends on how full the last one was. So the
 * processes start with different ballast, spread evenly over a page, and what loading adds is their mean.
 */
async function memoryFigures(files: SandboxFiles): Promise<readonly Figure[]> {
  const { component, glue } = files.calls;
  const ours: MemoryUse[] = [];
  const jco: MemoryUse[] = [];
  for (let ballastKiB = 0; ballastKiB < HEAP_PAGE_KIB; ballastKiB += HEAP_PAGE_KIB / BALLAST_STEPS) {
    const ballast = String(ballastKiB);
    ours.push(await inProcess<MemoryUse>(files, ["memory", "loader", "calls", component, ballast]));
    jco.push(await inProcess<MemoryUse>(files, ["memory", "glue", "calls", glue, ballast]));
  }
  const loaded = (uses: readonly MemoryUse[]) => mean(uses.map((use) => use.loadedMiB));
  const middle = (uses: readonly MemoryUse[], part: keyof MemoryUse) => median(uses.map((use) => use[part]));
  const called = middle(ours, "callsMiB");
  const jcoCalled = middle(jco, "callsMiB");
  const end = middle(jco, "endMiB").toFixed(1);
  return [
    atMost("loading the C component", loaded(ours), 0.6, UNIT, `jco ${loaded(jco).toFixed(2)}`),
    // Pages that the collector keeps vary by a tenth of a MiB from one process to the next.
    atMost("a million calls, after a collection", called, 0.1, UNIT, `jco ${jcoCalled.toFixed(2)}`),
    plain("process after them", middle(ours, "endMiB"), UNIT, `jco ${end}`),
  ];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A worker with the C example, in a process with the device's setting of the allocator. */
async function workerFigures(files: SandboxFiles): Promise<readonly Figure[]> {
  const runs = {
    bare: [],
    validated: ["validated", files.thermo],
    other: ["other", files.thermo],
  };
  const added = { bare: [] as number[], validated: [] as number[], other: [] as number[] };
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    for (const run of ["bare", "validated", "other"] as const) {
      const { addedMiB } = await inProcess<WorkerMemory>(files, ["worker", ...runs[run]], ALLOCATOR);
      added[run].push(addedMiB);
    }
  }
  const bare = `an empty worker ${median(added.bare).toFixed(2)}, with MALLOC_ARENA_MAX=1`;
  return [
    atMost("a worker with the C example", median(added.validated), 10, UNIT, bare),
    plain("a worker that validates it first", median(added.other), UNIT),
  ];
}

function sizeFigures({ loaderBytes, withValidatorBytes }: SandboxFiles): readonly Figure[] {
  return [
    atMost("code to load what was validated, minified", loaderBytes / KILOBYTE, 60, "kB"),
    plain("the same with the validator", withValidatorBytes / KILOBYTE, "kB"),
  ];
}

async function inProcess<Result>(
  files: SandboxFiles,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, [...ENGINE_FLAGS, files.process, ...args], {
    env,
  });
  return JSON.parse(stdout) as Result;
}
