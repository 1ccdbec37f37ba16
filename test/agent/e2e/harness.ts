/**
 * A device under test with all that belongs to it, on real parts: a broker, the operator's repository, the agent (in this process, or
 * as one of its own where it is killed), and what the device publishes, to be waited for.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { type RunningAgent, startAgent } from "../../../agent/agent.ts";
import type { DeviceEvent } from "../../../demo/device-events.ts";
import { Rig, type RigOptions } from "../../../demo/rig.ts";
import { type BrokerAddress, connectBroker } from "../../../fleet/broker.ts";
import type { ModuleSnapshot } from "../../../ota/installer.ts";
import { topicSegment } from "../../../ota/names.ts";
import type { ModuleLimits } from "../../../sandbox/module-spec.ts";
import { Messages } from "../../support/messages.ts";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../../support/mosquitto.ts";
import type { TestRelease } from "../../support/releases.ts";
import { requireTool } from "../../support/tools.ts";
import { MODULE, signRelease, steady } from "./releases.ts";

export const DEVICE = "pi-01";
export const ACL_FILE = new URL("../../../fleet/mosquitto.acl", import.meta.url).pathname;

/** Who the operator is to the guarded broker. */
export const OPERATOR = { username: "operator", password: "operator's" };

/** A broker, and who operator and device are to it. */
export interface BrokerUnderTest {
  readonly url: string;
  readonly operator?: Omit<BrokerAddress, "url">;
  /** Lines of the device's `[broker]` table. */
  readonly deviceBroker?: string;
}

export interface GuardedBroker extends BrokerUnderTest {
  readonly mosquitto: Mosquitto;
}

/** Mosquitto as the product's own access-control file wants it: users with passwords, each held to what is its. */
export async function startGuardedBroker(options: MosquittoOptions = {}): Promise<GuardedBroker> {
  const users = { [OPERATOR.username]: OPERATOR.password, [DEVICE]: "device's" };
  const mosquitto = await startMosquitto({ users, aclFile: ACL_FILE, ...options });
  const passwordFile = join(mosquitto.folder, `${DEVICE}.password`);
  await writeFile(passwordFile, users[DEVICE] ?? "", { mode: 0o600 });
  return {
    url: mosquitto.url,
    operator: OPERATOR,
    deviceBroker: `username = "${DEVICE}"\npassword_file = "${passwordFile}"`,
    mosquitto,
  };
}

export interface ModuleReport {
  readonly topic: string;
  readonly payload: string;
}

interface EventOptions {
  readonly module?: string;
  /** Events before this one are left out. */
  readonly from?: number;
}

const INSTALL_ENDS: ReadonlySet<string> = new Set(["committed", "refused", "failed", "rolled-back"]);

let fleets = 0;

export class Device {
  readonly rig: Rig;
  readonly fleet: string;
  readonly events: Messages<DeviceEvent>;
  /** `topic` is `telemetry/acme.thermo/x`. */
  readonly telemetry: Messages<ModuleReport>;
  /** Everything else that it publishes: `state`, `status`, `reply`, `log/acme.thermo`. */
  readonly reports: Messages<ModuleReport & { readonly retained: boolean }>;
  /** Lines of the log of the agent in this process. */
  readonly log = new Messages<string>();
  readonly #broker: BrokerUnderTest;
  #agent: RunningAgent | undefined;
  #lastOffer: Promise<void> = Promise.resolve();
  #pings = 0;

  private constructor(
    broker: BrokerUnderTest,
    rig: Rig,
    fleet: string,
    parts: Pick<Device, "events" | "telemetry" | "reports">,
  ) {
    this.#broker = broker;
    this.rig = rig;
    this.fleet = fleet;
    this.events = parts.events;
    this.telemetry = parts.telemetry;
    this.reports = parts.reports;
  }

  /** Repository and configuration are made, the broker is filled, the agent does not run yet. All ends with `close()`. */
  static async create(
    broker: BrokerUnderTest,
    options: Pick<RigOptions, "stateDir" | "agentEnvironment" | "rootKeys"> = {},
  ): Promise<Device> {
    const fleet = `e2e-${process.pid}-${fleets++}`;
    const parts: Pick<Device, "events" | "telemetry" | "reports"> = {
      events: new Messages(),
      telemetry: new Messages(),
      reports: new Messages(),
    };
    const rig = await Rig.create({
      brokerUrl: broker.url,
      fleet,
      deviceId: DEVICE,
      leaveBroker: true,
      ...(broker.operator === undefined ? {} : { operator: broker.operator }),
      ...(broker.deviceBroker === undefined ? {} : { deviceBroker: broker.deviceBroker }),
      ...options,
      onEvent: (event) => parts.events.add(event),
      onTelemetry: (topic, payload) => parts.telemetry.add({ topic, payload }),
      onReport: (topic, payload, retained) => parts.reports.add({ topic, payload, retained }),
    });
    return new Device(broker, rig, fleet, parts);
  }

  /** One for a test of its own, with its end; in-process agent, and `steady` 1.0.0 committed. */
  static async running(t: ExecutionContext, broker: BrokerUnderTest): Promise<Device> {
    const device = await Device.create(broker);
    t.teardown(() => device.close());
    await device.start();
    await device.install(await steady("1.0.0"));
    return device;
  }

  /** Starts the agent in this process. */
  async start(moduleLimits: ModuleLimits = {}): Promise<void> {
    this.#agent = await startAgent(this.rig.deviceToml, {
      log: (level, text) => this.log.add(`${level}: ${text}`),
      moduleLimits,
    });
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.rig.close();
  }

  /** Puts blobs on the broker, by the names given: whether they are right is the caller's affair. */
  async putBlobs(blobs: Iterable<readonly [string, Uint8Array]>): Promise<void> {
    for (const [digest, payload] of blobs) await this.rig.publishRaw(`blob/${digest}`, payload);
  }

  /** Signs and assigns a release; its blobs, or those given instead, are on the broker before its metadata. One at a time. */
  offer(made: TestRelease, blobs: Iterable<readonly [string, Uint8Array]> = made.blobs): Promise<void> {
    const offer = this.#lastOffer.then(async () => {
      await signRelease(this.rig, made);
      await this.putBlobs(blobs);
      await this.rig.sync({ withBlobs: false });
    });
    this.#lastOffer = offer.catch(() => undefined);
    return offer;
  }

  /** Offers a release that is expected to hold, and waits until it is committed. */
  async install(made: TestRelease): Promise<void> {
    const { module, version } = made.release;
    const from = this.events.count;
    await this.offer(made);
    const end = await this.events.until(
      `the commit of ${module}@${version}`,
      (each) => INSTALL_ENDS.has(each.event) && each.module === module && each.version === version,
      from,
    );
    if (end.event !== "committed")
      throw new Error(`${module}@${version} was not committed: ${JSON.stringify(end)}`);
  }

  /** Waits for this event of a version, of any code. */
  event(event: string, version: string, options: EventOptions = {}): Promise<DeviceEvent> {
    const { module = MODULE, from = 0 } = options;
    return this.events.until(
      `${event} of ${module}@${version}`,
      (each) => each.event === event && each.module === module && each.version === version,
      from,
    );
  }

  /** Asks the agent over its command topic, as an operator does, and waits for its answer. */
  async ping(): Promise<void> {
    const id = `ping-${this.#pings++}`;
    const from = this.reports.count;
    await this.rig.publishRaw(
      `device/${DEVICE}/command`,
      Buffer.from(JSON.stringify({ id, command: "ping" })),
    );
    await this.reports.until(
      `the answer to ${id}`,
      ({ topic, payload }) => topic === "reply" && JSON.parse(payload).id === id,
      from,
    );
  }

  /** The version runs: it publishes from now on, and the retained state says so to whoever asks anew. */
  async expectServing(t: ExecutionContext, version: string, module = MODULE): Promise<void> {
    const topic = `telemetry/${topicSegment(module)}/x`;
    await this.telemetry.untilSeveral(
      2,
      `telemetry of ${module}@${version}`,
      (message) => message.topic === topic && message.payload === version,
      this.telemetry.count,
    );
    const state = await this.untilState(`${version} running`, ({ running }) => running === version, module);
    t.is(state.running, version);
  }

  /** A module's part of the retained state, once it fits. Asks as a new client, who gets what the broker retains. */
  async untilState(
    what: string,
    fits: (state: ModuleSnapshot) => boolean,
    module = MODULE,
  ): Promise<ModuleSnapshot> {
    const states = new Messages<ModuleSnapshot>();
    const end = await this.#followAnew("state", (payload) => {
      const { modules } = JSON.parse(payload) as { modules: Record<string, ModuleSnapshot> };
      const state = modules[module];
      if (state !== undefined) states.add(state);
    });
    try {
      return await states.until(`the state with ${what}`, fits);
    } finally {
      await end();
    }
  }

  /** What the broker retains of the device's status, once it is this. */
  async untilStatus(status: "online" | "offline"): Promise<void> {
    const statuses = new Messages<string>();
    const end = await this.#followAnew("status", (payload) => {
      const message = JSON.parse(payload) as { status: string };
      statuses.add(message.status);
    });
    try {
      await statuses.until(`the status ${status}`, (each) => each === status);
    } finally {
      await end();
    }
  }

  /** The log file of the agent in a process of its own. */
  async agentLog(): Promise<string> {
    return readFile(this.rig.agentLog, "utf8").catch(() => "");
  }

  /** Subscribes over a new connection; the first message has to be a retained one. */
  async #followAnew(topic: string, onMessage: (payload: string) => void): Promise<() => Promise<void>> {
    const connection = await connectBroker({ url: this.#broker.url, ...this.#broker.operator });
    let isFirst = true;
    const full = `skerry/v1/${this.fleet}/device/${DEVICE}/${topic}`;
    await connection.subscribe([full], (_topic, payload, retained) => {
      if (isFirst && !retained) throw new Error(`${topic} is not retained`);
      isFirst = false;
      onMessage(Buffer.from(payload).toString("utf8"));
    });
    return () => connection.end();
  }
}

/** One broker and one device for the tests of a file, which run one after the other; `steady` 1.0.0 is committed. */
export class SharedDevice {
  readonly #startBroker: () => Promise<GuardedBroker>;
  readonly #moduleLimits: ModuleLimits;
  #started: Promise<{ readonly broker: GuardedBroker; readonly device: Device }> | undefined;

  constructor(
    startBroker: () => Promise<GuardedBroker> = () => startGuardedBroker(),
    moduleLimits: ModuleLimits = {},
  ) {
    this.#startBroker = startBroker;
    this.#moduleLimits = moduleLimits;
  }

  /** Undefined where Mosquitto is missing: then the test is left out, with a line that says so. */
  async get(t: ExecutionContext): Promise<Device | undefined> {
    if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return undefined;
    this.#started ??= this.#start();
    return (await this.#started).device;
  }

  /** The file is done. */
  async close(): Promise<void> {
    const started = await this.#started;
    await started?.device.close();
    await started?.broker.mosquitto.dispose();
  }

  async #start(): Promise<{ broker: GuardedBroker; device: Device }> {
    const broker = await this.#startBroker();
    const device = await Device.create(broker);
    await device.start(this.#moduleLimits);
    await device.install(await steady("1.0.0"));
    return { broker, device };
  }
}
