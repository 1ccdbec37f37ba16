/** A tiny machine under test with all that belongs to it: Mosquitto on the host, the operator's repository, and what the device publishes, to be waited for. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceEvent } from "../../demo/device-events.ts";
import { type ExampleRelease, Rig } from "../../demo/rig.ts";
import { Messages } from "../../test/support/messages.ts";
import { startMosquitto } from "../../test/support/mosquitto.ts";
import type { Machine } from "../machine.ts";
import { requireTools } from "../tools.ts";
import { agentLog, enrol, tinyToml } from "./device.ts";
import { buildTiny, startTiny, type TinyParts } from "./machine.ts";

/** Longer than anything takes on an emulated processor that shares its host's. */
const TIME_LIMIT_MS = 900_000;
const DEVICE = "tiny-01";
const ENDS: ReadonlySet<string> = new Set(["committed", "refused", "failed", "rolled-back"]);
/** Committed when it is alive for so long: what holds on a machine of any speed. */
const TRIAL = { window: '"5s"', require: '["alive"]' };

interface Telemetry {
  readonly topic: string;
  readonly payload: string;
}

/** The C example with one of its components under any version. */
export function thermo(version: string, component: "1.0.0" | "1.1.0" | "1.2.0" = "1.0.0"): ExampleRelease {
  return {
    component: `thermo-c/thermo-${component}.wasm`,
    manifest: "thermo-c/module.toml",
    version,
    changes: { ...TRIAL, THERMO_PERIOD_MS: '"500"' },
  };
}

/** The reactor that turns a heating on and off. */
export function heater(version: string): ExampleRelease {
  return {
    component: "heater-c/heater-1.0.0.wasm",
    manifest: "heater-c/module.toml",
    version,
    changes: TRIAL,
  };
}

export class TinyDevice implements AsyncDisposable {
  readonly rig: Rig;
  readonly events: Messages<DeviceEvent>;
  readonly telemetry: Messages<Telemetry>;
  /** What it says that it runs, at each connection and change. */
  readonly states: Messages<Telemetry>;
  readonly #parts: TinyParts;
  readonly #folder: string;
  readonly #cleanUp: AsyncDisposableStack;
  #machine: Machine;

  private constructor(
    started: {
      readonly rig: Rig;
      readonly machine: Machine;
      readonly parts: TinyParts;
      readonly folder: string;
    },
    reports: Pick<TinyDevice, "events" | "telemetry" | "states">,
    cleanUp: AsyncDisposableStack,
  ) {
    this.rig = started.rig;
    this.events = reports.events;
    this.telemetry = reports.telemetry;
    this.states = reports.states;
    this.#machine = started.machine;
    this.#parts = started.parts;
    this.#folder = started.folder;
    this.#cleanUp = cleanUp;
  }

  /**
   * Boots a machine with a disk of its own and enrols it in a fleet of its own.
   *
   * @param beforeEnrolment what to do with the booted machine before there is an agent on it
   */
  static async create(
    note: (line: string) => void,
    beforeEnrolment: (machine: Machine) => Promise<void> = async () => undefined,
  ): Promise<TinyDevice> {
    requireTools();
    await using cleanUp = new AsyncDisposableStack();
    const parts = await buildTiny(note);
    const folder = await mkdtemp(join(tmpdir(), "skerry-qemu-"));
    cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    const broker = await startMosquitto();
    cleanUp.defer(() => broker.dispose());
    const machine = await startTiny(parts, folder);
    const events = new Messages<DeviceEvent>(TIME_LIMIT_MS);
    const telemetry = new Messages<Telemetry>(TIME_LIMIT_MS);
    const states = new Messages<Telemetry>(TIME_LIMIT_MS);
    const device = { fleet: "tiny", deviceId: DEVICE, brokerUrl: broker.url };
    // The machine that runs then, whichever that is.
    let created: TinyDevice | undefined;
    cleanUp.defer(() => (created === undefined ? machine : created.machine).cutPower());
    const rig = await Rig.create({
      ...device,
      deviceToml: () => tinyToml(device),
      serialFarEnd: await machine.modulePort(),
      leaveBroker: true,
      onEvent: (event) => events.add(event),
      onTelemetry: (topic, payload) => telemetry.add({ topic, payload }),
      onReport: (topic, payload) => {
        if (topic === "state") states.add({ topic, payload });
      },
    });
    cleanUp.defer(() => rig.close());
    await machine.shell.ready();
    await beforeEnrolment(machine);
    await enrol(machine, rig);
    created = new TinyDevice({ rig, machine, parts, folder }, { events, telemetry, states }, cleanUp.move());
    return created;
  }

  get machine(): Machine {
    return this.#machine;
  }

  /** Boots it again after `machine.cutPower()`, with the disk that this left. */
  async boot(): Promise<void> {
    this.#machine = await startTiny(this.#parts, this.#folder);
    await this.#machine.shell.ready();
  }

  /** Publishes and assigns a release. */
  async offer(release: ExampleRelease): Promise<void> {
    await this.rig.prepare(release);
    await this.rig.sync();
  }

  /** How a version of a module ends that is offered from `from` on (`events.count`). */
  outcome(module: string, version: string, from: number): Promise<DeviceEvent> {
    const fits = (event: DeviceEvent): boolean =>
      ENDS.has(event.event) && event.module === module && event.version === version;
    return this.events.until(`the end of ${module}@${version}`, fits, from);
  }

  /**
   * Offers a release that is expected to hold, and waits until it is committed.
   *
   * @throws Error with the end of the agent's log
   */
  async install(release: ExampleRelease, module: string): Promise<void> {
    const from = this.events.count;
    await this.offer(release);
    const end = await this.outcome(module, release.version, from);
    if (end.event === "committed") return;
    throw new Error(`${module}@${release.version}: ${JSON.stringify(end)}\n${await agentLog(this.#machine)}`);
  }

  /** Waits until the device says that it runs a version. */
  async running(module: string, version: string): Promise<undefined> {
    const fits = ({ payload }: Telemetry): boolean =>
      JSON.parse(payload).modules?.[module]?.running === version;
    await this.states.until(`${module}@${version} running`, fits, this.states.count);
  }

  /** Stops the agent as a service manager does; its init starts it again. Waits until it runs the version. */
  async restartAgent(module: string, version: string): Promise<void> {
    await this.#machine.shell.check("kill -TERM $(pidof node)");
    await this.running(module, version);
  }

  /** Waits for telemetry that arrives from now on. */
  async flows(topic: string, fits: (payload: string) => boolean = () => true): Promise<string> {
    const message = await this.telemetry.until(
      `telemetry on ${topic}`,
      (each) => each.topic === topic && fits(each.payload),
      this.telemetry.count,
    );
    return message.payload;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync();
  }
}
