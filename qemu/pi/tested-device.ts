/** A pi machine under test with all that belongs to it: Mosquitto on the host, the operator's repository, and what the device publishes, to be waited for. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DeviceEvent } from "../../demo/device-events.ts";
import { Rig } from "../../demo/rig.ts";
import { signRelease } from "../../test/agent/e2e/releases.ts";
import { Messages } from "../../test/support/messages.ts";
import { startMosquitto } from "../../test/support/mosquitto.ts";
import type { TestRelease } from "../../test/support/releases.ts";
import type { Machine } from "../machine.ts";
import { requireTools } from "../tools.ts";
import { bringPackage, piToml } from "./device.ts";
import { buildPi, type PiParts, type PiStart, startPi } from "./machine.ts";

/** Longer than anything takes on an emulated processor that shares its host's. */
const TIME_LIMIT_MS = 900_000;
const POLL_MS = 500;
const DEVICE = "pi-01";
const ENDS: ReadonlySet<string> = new Set(["committed", "refused", "failed", "rolled-back"]);

interface Report {
  readonly topic: string;
  readonly payload: string;
}

interface Started {
  readonly rig: Rig;
  readonly machine: Machine;
  readonly parts: PiParts;
  readonly folder: string;
  readonly events: Messages<DeviceEvent>;
  readonly telemetry: Messages<Report>;
}

export class PiDevice implements AsyncDisposable {
  readonly rig: Rig;
  readonly events: Messages<DeviceEvent>;
  readonly telemetry: Messages<Report>;
  readonly #parts: PiParts;
  readonly #folder: string;
  readonly #cleanUp: AsyncDisposableStack;
  #machine: Machine;

  private constructor(started: Started, cleanUp: AsyncDisposableStack) {
    this.rig = started.rig;
    this.events = started.events;
    this.telemetry = started.telemetry;
    this.#machine = started.machine;
    this.#parts = started.parts;
    this.#folder = started.folder;
    this.#cleanUp = cleanUp;
  }

  /** Boots a machine with a disk of its own, and makes a fleet for it; Skerry is not installed yet. */
  static async create(note: (line: string) => void): Promise<PiDevice> {
    requireTools();
    await using cleanUp = new AsyncDisposableStack();
    const parts = await buildPi(note);
    const folder = await mkdtemp(join(tmpdir(), "skerry-qemu-"));
    cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    const broker = await startMosquitto();
    cleanUp.defer(() => broker.dispose());
    const machine = await startPi(parts, folder);
    // The machine that runs then, whichever that is.
    let created: PiDevice | undefined;
    cleanUp.defer(() => (created === undefined ? machine : created.machine).cutPower());
    const events = new Messages<DeviceEvent>(TIME_LIMIT_MS);
    const telemetry = new Messages<Report>(TIME_LIMIT_MS);
    const device = { fleet: "pi", deviceId: DEVICE, brokerUrl: broker.url };
    const rig = await Rig.create({
      ...device,
      deviceToml: () => piToml(device),
      serialFarEnd: await machine.modulePort(),
      leaveBroker: true,
      onEvent: (event) => events.add(event),
      onTelemetry: (topic, payload) => telemetry.add({ topic, payload }),
    });
    cleanUp.defer(() => rig.close());
    await booted(machine, note);
    created = new PiDevice({ rig, machine, parts, folder, events, telemetry }, cleanUp.move());
    return created;
  }

  get machine(): Machine {
    return this.#machine;
  }

  /** Shuts it down and switches it on again, with its disk. */
  async restart(options: PiStart, note: (line: string) => void): Promise<void> {
    // The shell is ended, too: it has answered by then.
    await this.#machine.shell.check("(sleep 1; systemctl poweroff) &");
    await this.#machine.ended();
    this.#machine = await startPi(this.#parts, this.#folder, options);
    await booted(this.#machine, note);
  }

  /** Builds Skerry's package of a version where the machine finds it; gives its path in the machine. */
  bringPackage(version: string): Promise<string> {
    return bringPackage(this.#folder, version);
  }

  /** Signs and assigns a release; its blobs, or those given instead, are on the broker before its metadata. */
  async offer(made: TestRelease, blobs: Iterable<readonly [string, Uint8Array]> = made.blobs): Promise<void> {
    await signRelease(this.rig, made);
    await this.putBlobs(blobs);
    await this.rig.sync({ withBlobs: false });
  }

  async putBlobs(blobs: Iterable<readonly [string, Uint8Array]>): Promise<void> {
    for (const [digest, payload] of blobs) await this.rig.publishRaw(`blob/${digest}`, payload);
  }

  /** How a release ends that is offered from `from` on (`events.count`). */
  outcome({ release: { module, version } }: TestRelease, from: number): Promise<DeviceEvent> {
    const fits = (event: DeviceEvent): boolean =>
      ENDS.has(event.event) && event.module === module && event.version === version;
    return this.events.until(`the end of ${module}@${version}`, fits, from);
  }

  /**
   * Offers a release that is expected to hold, and waits until it is committed.
   *
   * @throws Error with the end of the agent's log
   */
  async install(made: TestRelease): Promise<void> {
    const from = this.events.count;
    await this.offer(made);
    const end = await this.outcome(made, from);
    if (end.event !== "committed") throw new Error(`${JSON.stringify(end)}\n${await this.log()}`);
  }

  /** Waits for telemetry that arrives from now on; the modules of these tests publish their version. */
  async flows(payload: string, topic = "telemetry/acme.thermo/x"): Promise<void> {
    await this.telemetry.until(
      `${payload} on ${topic}`,
      (message) => message.topic === topic && message.payload === payload,
      this.telemetry.count,
    );
  }

  /** The end of the service's journal. */
  log(lines = 60): Promise<string> {
    return this.#machine.shell.check(`journalctl -u skerry --no-pager -o cat -n ${lines}`);
  }

  /** A property of the service, as systemd has it. */
  service(property: string): Promise<string> {
    return this.#machine.shell.check(`systemctl show -P ${property} skerry`);
  }

  /** Sets the service's configuration beyond its unit, as an owner does, and starts it anew; "" takes it away. */
  async configureService(lines: string): Promise<void> {
    const { shell } = this.#machine;
    const folder = "/etc/systemd/system/skerry.service.d";
    await shell.check(`mkdir -p ${folder}`);
    await shell.write(`${folder}/test.conf`, `[Service]\n${lines}\n`);
    await shell.check("systemctl daemon-reload && systemctl restart skerry");
  }

  /** Repeats a command in the machine until its output fits; gives that. */
  async until(command: string, fits: (output: string) => boolean): Promise<string> {
    const givesUpAtMs = performance.now() + TIME_LIMIT_MS;
    for (;;) {
      const { output } = await this.#machine.shell.run(command);
      if (fits(output.trimEnd())) return output.trimEnd();
      if (performance.now() > givesUpAtMs) {
        throw new Error(`waited in vain; ${command} says ${output}\n${await this.log()}`);
      }
      await delay(POLL_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync();
  }
}

/** Waits until systemd has started all that there is. */
async function booted(machine: Machine, note: (line: string) => void): Promise<void> {
  const began = performance.now();
  await machine.shell.ready();
  const state = await machine.shell.run("systemctl is-system-running --wait");
  const seconds = Math.round((performance.now() - began) / 1_000);
  note(`booted in ${seconds} s: ${state.output.trimEnd()}`);
}
