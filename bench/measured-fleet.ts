/** A fleet of one device on Mosquitto whose agent is the built one, and what the benchmarks wait for in it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DeviceEvent } from "../demo/device-events.ts";
import { type ExampleRelease, Rig } from "../demo/rig.ts";
import { startMosquitto } from "../test/support/mosquitto.ts";
import { findTool } from "../test/support/tools.ts";
import { ensureBuilt, installAgent } from "./built-agent.ts";
import { medianAnonymousMiB } from "./process-memory.ts";

/** Of one update, in milliseconds: far beyond what any takes on a machine that can measure. */
const UPDATE_TIMEOUT_MS = 120_000;
/** Until an agent is at rest, in milliseconds: it collects its heap after five seconds of silence. */
const WARM_UP_MS = 8_000;
const SAMPLES = 25;
const SAMPLE_INTERVAL_MS = 200;

/** One arena instead of one per thread, and a young generation of 1 MiB: what the packages' command sets (packaging/layout.ts). */
export const SMALL_DEVICE = { MALLOC_ARENA_MAX: "1", NODE_OPTIONS: "--max-semi-space-size=1" } as const;

/** The C example, 1.0.0, with a short trial. */
export const THERMO: ExampleRelease = {
  component: "thermo-c/thermo-1.0.0.wasm",
  manifest: "thermo-c/module.toml",
  version: "1.0.0",
  changes: { window: '"1s"' },
};

export class MeasuredFleet {
  readonly rig: Rig;
  readonly #outcomes: Outcomes;

  constructor(rig: Rig, outcomes: Outcomes) {
    this.rig = rig;
    this.#outcomes = outcomes;
  }

  /**
   * Publishes and assigns a release; resolves when the device has committed it. Gives the time from `fetching` to the progress that says
   * that all has come, in its events, in milliseconds.
   */
  async install(release: ExampleRelease): Promise<number> {
    const outcome = this.#outcomes.next();
    const { module, version } = await this.rig.prepare(release);
    await this.rig.sync();
    const end = await Promise.race([outcome, delay(UPDATE_TIMEOUT_MS, undefined, { ref: false })]);
    if (end?.event === "committed" && end.module === module && end.version === version) {
      return this.#outcomes.downloadMs(version);
    }
    const log = (await readFile(this.rig.agentLog, "utf8")).split("\n").slice(-20).join("\n");
    throw new Error(`${module}@${version} was not committed (${end?.event ?? "no answer"}):\n${log}`);
  }

  /** Median of the running agent at rest. */
  async restingMiB(): Promise<number> {
    await delay(WARM_UP_MS);
    return medianAnonymousMiB(this.rig.agentPid, SAMPLES, SAMPLE_INTERVAL_MS);
  }
}

/**
 * Runs `measure` with a fleet whose agent has not been started; everything is removed afterwards.
 *
 * @param environment of the agent's process, beside this process's own
 */
export async function withMeasuredFleet<Result>(
  note: (line: string) => void,
  measure: (fleet: MeasuredFleet, brokerUrl: string) => Promise<Result>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Result> {
  if (findTool("mosquitto") === undefined) {
    throw new Error("this benchmark needs Mosquitto as its broker: apt-get install mosquitto");
  }
  await ensureBuilt(note);
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "skerry-bench-"));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const broker = await startMosquitto();
  cleanUp.defer(() => broker.dispose());
  const outcomes = new Outcomes();
  const rig = await Rig.create({
    brokerUrl: broker.url,
    fleet: "bench",
    deviceId: "bench-device",
    onEvent: (event) => outcomes.add(event),
    onTelemetry: () => undefined,
    agentArguments: await installAgent(folder),
    agentEnvironment: environment,
  });
  cleanUp.defer(() => rig.close());
  return await measure(new MeasuredFleet(rig, outcomes), broker.url);
}

/** How releases end on the device. */
class Outcomes {
  static readonly #ENDS = new Set(["committed", "refused", "rolled-back", "failed"]);
  #resolve: (event: DeviceEvent) => void = () => undefined;

  readonly #times = new Map<string, number>();

  add(event: DeviceEvent): void {
    // The last progress stays: it is the one with all bytes.
    this.#times.set(`${event.event} ${event.version}`, Date.parse(event.time));
    if (Outcomes.#ENDS.has(event.event)) this.#resolve(event);
  }

  downloadMs(version: string): number {
    const at = (event: string): number => this.#times.get(`${event} ${version}`) ?? Number.NaN;
    return at("progress") - at("fetching");
  }

  /** The next end that is reported. */
  next(): Promise<DeviceEvent> {
    const { promise, resolve } = Promise.withResolvers<DeviceEvent>();
    this.#resolve = resolve;
    return promise;
  }
}
