/**
 * `npm run qemu -- tiny --footprint`: what the agent takes of a tiny machine, with a number of modules. Each of these states has a machine of its own, freshly
 * booted; the next one is prepared while the ones before rest, so that no two machines work at the same time and all of it takes little longer than one.
 *
 * Processor time is the guest's, as a ratio to that of `node -e 0` on the same machine in the same run: seconds on an emulated processor say nothing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExampleRelease } from "../../demo/rig.ts";
import { startRoomMeter } from "../../examples/modbus-js/meter.ts";
import type { Machine } from "../machine.ts";
import { buildTiny, startTiny } from "./machine.ts";
import { agentPid, type Method, measureRest, median, processorSeconds, type Rest } from "./resting.ts";
import { TinyDevice } from "./tested-device.ts";

/** Of `node -e 0`; the first one reads Node from the disk and does not count. */
const REFERENCE_RUNS = 5;

interface ModuleRelease {
  readonly module: string;
  readonly release: ExampleRelease;
}

/** The examples as their manifests are: thermo publishes once a second, heater hears each of these, modbus polls its meter once a second. */
const THERMO: ModuleRelease = example("acme/thermo", "thermo-c/thermo-1.0.0.wasm", "15s");
const HEATER: ModuleRelease = example("acme/heater", "heater-c/heater-1.0.0.wasm", "15s");
const MODBUS: ModuleRelease = example("acme/modbus", "modbus-js/modbus-1.0.0.wasm", "60s");

const STATES: readonly (readonly [name: string, modules: readonly ModuleRelease[] | undefined])[] = [
  ["no agent", undefined],
  ["agent", []],
  ["agent, thermo-c", [THERMO]],
  ["agent, thermo-c, heater-c", [THERMO, HEATER]],
  ["agent, modbus-js", [MODBUS]],
  ["agent, thermo-c, modbus-js", [THERMO, MODBUS]],
];

/** What a state's machine gave. Times are the guest's processor's, in seconds. */
export interface StateFigures {
  readonly state: string;
  readonly rest: Rest;
  /** Where there is an agent. */
  readonly costs?: Costs;
}

export interface Costs {
  /** `node -e 0`, the median. */
  readonly referenceSeconds: number;
  /** The agent from its process's start until it is connected and has said what it runs. */
  readonly startSeconds: number;
  /** What the agent needs from the offer of a module until it is committed, by the module's name. */
  readonly installSeconds: Readonly<Record<string, number>>;
}

/**
 * Measures all states.
 *
 * @throws Error of the first machine on which something went wrong; the others are ended
 */
export async function measureFootprint(
  method: Method,
  note: (line: string) => void,
): Promise<StateFigures[]> {
  const stop = new AbortController();
  const measuring: Promise<StateFigures>[] = [];
  for (const [state, modules] of STATES) {
    if (stop.signal.aborted) break;
    const { promise: prepared, resolve } = Promise.withResolvers<void>();
    const tell = (line: string): void => note(`${state}: ${line}`);
    const rest = (machine: Machine, pid?: number): Promise<Rest> => {
      tell(`rests; ${method.warmUpSeconds} s of warm-up, ${method.windowSeconds} s of samples`);
      resolve();
      return measureRest(machine, pid, method, stop.signal);
    };
    const measured =
      modules === undefined ? withoutAgent(state, tell, rest) : withAgent(state, modules, tell, rest);
    measuring.push(measured);
    // Another machine's failure must end this one's rest, whichever is awaited.
    measured.catch((error: unknown) => stop.abort(error)).finally(resolve);
    await prepared;
  }
  const ends = await Promise.allSettled(measuring);
  stop.signal.throwIfAborted();
  return ends.flatMap((end) => (end.status === "fulfilled" ? end.value : []));
}

type Resting = (machine: Machine, pid?: number) => Promise<Rest>;
type Note = (line: string) => void;

async function withoutAgent(state: string, note: Note, rest: Resting): Promise<StateFigures> {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "skerry-qemu-"));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const machine = await startTiny(await buildTiny(note), folder);
  cleanUp.defer(() => machine.cutPower());
  await machine.shell.ready();
  return { state, rest: await rest(machine) };
}

async function withAgent(
  state: string,
  modules: readonly ModuleRelease[],
  note: Note,
  rest: Resting,
): Promise<StateFigures> {
  await using cleanUp = new AsyncDisposableStack();
  let referenceSeconds = Number.NaN;
  const device = await TinyDevice.create(note, async (machine) => {
    referenceSeconds = await measureReference(machine);
  });
  cleanUp.use(device);
  await device.states.until("what the device runs", () => true);
  const pid = await agentPid(device.machine);
  const startSeconds = await processorSeconds(device.machine, pid);
  const meter = modules.includes(MODBUS) && (await startRoomMeter(device.rig.serialFarEnd, () => [214, 480]));
  if (meter) cleanUp.defer(() => meter.close());
  const installSeconds: Record<string, number> = {};
  for (const { module, release } of modules) {
    const before = await processorSeconds(device.machine, pid);
    await device.install(release, module);
    installSeconds[module] = (await processorSeconds(device.machine, pid)) - before;
    note(`${module} is committed`);
  }
  const costs = { referenceSeconds, startSeconds, installSeconds };
  return { state, costs, rest: await rest(device.machine, pid) };
}

/** Processor time of `node -e 0` once Node lies in the page cache, in seconds. */
async function measureReference({ shell }: Machine): Promise<number> {
  const seconds: number[] = [];
  for (let run = 0; run <= REFERENCE_RUNS; run += 1) {
    const text = await shell.check("time -p node -e 0");
    const [, user, system] = /^user ([\d.]+)\s+sys ([\d.]+)$/m.exec(text) ?? [];
    if (user === undefined) throw new Error(`the machine does not say what node -e 0 took:\n${text}`);
    if (run > 0) seconds.push(Number(user) + Number(system));
  }
  return median(seconds);
}

/** An example with a trial that is long enough for an emulated processor. */
function example(module: string, component: string, window: string): ModuleRelease {
  const manifest = `${dirname(component)}/module.toml`;
  return { module, release: { component, manifest, version: "1.0.0", changes: { window: `"${window}"` } } };
}
