/**
 * A whole fleet of one device in a temporary folder: the operator's repository, the device's configuration, the agent as a process of
 * its own, and what the device publishes. The demo, the benchmarks and the end-to-end tests stand on it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { assignRelease } from "../fleet/assign.ts";
import { type BrokerAddress, type BrokerConnection, connectBroker } from "../fleet/broker.ts";
import { initRepository } from "../fleet/init.ts";
import { publishRelease } from "../fleet/publish.ts";
import type { Repository } from "../fleet/repository.ts";
import type { SyncOptions } from "../fleet/sync.ts";
import type { PlanOptions } from "../fleet/sync-plan.ts";
import { syncRepository } from "../fleet/synchronize.ts";
import { clearFleet } from "./clear-fleet.ts";
import { type DeviceEvent, parseDeviceEvent } from "./device-events.ts";
import { type DeviceRoots, deviceToml } from "./device-toml.ts";

const STOP_TIMEOUT_MS = 15_000;
const EXAMPLES = fileURLToPath(new URL("../examples/", import.meta.url));
/** Nothing in the agent or its workers makes code from text: whatever found a way to try would fail. */
const NO_CODE_GENERATION = "--disallow-code-generation-from-strings";
const SOURCES_ENTRY = fileURLToPath(new URL("../skerry.js", import.meta.url));

export interface RigOptions {
  readonly brokerUrl: string;
  /** Unique where the broker is shared: everything below its topics is removed at the end. */
  readonly fleet: string;
  readonly deviceId: string;
  readonly onEvent: (event: DeviceEvent) => void;
  /** `topic` is relative to the device: `telemetry/acme.thermo/temperature`. */
  readonly onTelemetry: (topic: string, payload: string) => void;
  /** What else the device publishes: `state`, `status`, `reply`, `log/…`. Not asked for without it. */
  readonly onReport?: (topic: string, payload: string, retained: boolean) => void;
  /** Root keys of each repository and how many of them sign; one unless said. */
  readonly rootKeys?: { readonly count: number; readonly threshold: number };
  /** Who the operator is to the broker; nobody in particular unless said. */
  readonly operator?: Omit<BrokerAddress, "url">;
  /** Further lines of the device's `[broker]` table: its user and password file, its certificates. */
  readonly deviceBroker?: string;
  /** The device's `state_dir`; a folder beside its configuration unless said. */
  readonly stateDir?: string;
  /** The broker ends with the rig, so that nothing has to be removed from it. */
  readonly leaveBroker?: boolean;
  /** The program that is the agent: arguments of node before `agent --config …`. The sources unless said. */
  readonly agentArguments?: readonly string[];
  readonly agentEnvironment?: Readonly<Record<string, string>>;
  /** Its device.toml, if not that of a simulated device here; the paths are those of its first roots. */
  readonly deviceToml?: (roots: DeviceRoots) => string;
  /** Where the serial port `modbus0` ends, if not at a virtual one's link. */
  readonly serialFarEnd?: string;
}

/** An example module of `examples/` as it is published here; `component` may be an absolute path, too. */
export interface ExampleRelease {
  readonly component: string;
  readonly manifest: string;
  readonly version: string;
  /** Lines of the manifest that are other here, by their keys. */
  readonly changes?: Readonly<Record<string, string>>;
}

export class Rig {
  readonly folder: string;
  readonly repository: Repository;
  /** The metadata that a device's trust starts with. */
  readonly roots: DeviceRoots;
  readonly #options: RigOptions;
  #connection: BrokerConnection;
  #agent: ChildProcess | undefined;
  /** The last one's end, however it ended. */
  #sync: Promise<unknown> = Promise.resolve();

  private constructor(
    folder: string,
    repository: Repository,
    roots: DeviceRoots,
    options: RigOptions,
    connection: BrokerConnection,
  ) {
    this.folder = folder;
    this.repository = repository;
    this.roots = roots;
    this.#options = options;
    this.#connection = connection;
  }

  /** Makes keys, repository and device configuration; the broker holds them and nothing runs yet. */
  static async create(options: RigOptions): Promise<Rig> {
    const folder = await mkdtemp(join(tmpdir(), "skerry-"));
    try {
      const connection = await connectBroker(addressOf(options));
      return await Rig.#createIn(folder, options, connection).catch(async (error: unknown) => {
        await connection.end();
        throw error;
      });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  static async #createIn(folder: string, options: RigOptions, connection: BrokerConnection): Promise<Rig> {
    const { repository, roots } = await initRepository({
      folder: join(folder, "fleet"),
      fleet: options.fleet,
      brokerUrl: options.brokerUrl,
      rootKeys: options.rootKeys?.count ?? 1,
      threshold: options.rootKeys?.threshold ?? 1,
    });
    await mkdir(join(folder, "device"));
    const toml = options.deviceToml?.(roots) ?? deviceToml(options, roots);
    await writeFile(join(folder, "device", "device.toml"), toml);
    const rig = new Rig(folder, repository, roots, options, connection);
    await rig.#follow();
    await rig.sync();
    return rig;
  }

  get deviceToml(): string {
    return join(this.folder, "device", "device.toml");
  }

  /** The folder that the agent keeps its state in. */
  get stateDir(): string {
    return resolve(this.folder, "device", this.#options.stateDir ?? "state");
  }

  /** Where a program plays the device that is wired to the serial port `modbus0`. */
  get serialFarEnd(): string {
    return this.#options.serialFarEnd ?? join(this.folder, "device", "modbus0");
  }

  get agentLog(): string {
    return join(this.folder, "device", "agent.log");
  }

  /** Process id of the running agent. */
  get agentPid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new Error("the agent is not running");
    return pid;
  }

  async startAgent(): Promise<void> {
    const log = await open(this.agentLog, "a");
    const program = this.#options.agentArguments ?? [NO_CODE_GENERATION, SOURCES_ENTRY];
    this.#agent = spawn(process.execPath, [...program, "agent", "--config", this.deviceToml], {
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...this.#options.agentEnvironment },
    });
    await once(this.#agent, "spawn");
    await log.close();
  }

  /** SIGTERM; resolves to the agent's exit code, or undefined if it had to be killed. */
  async stopAgent(): Promise<number | undefined> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined) return undefined;
    if (agent.exitCode !== null || agent.signalCode !== null) return agent.exitCode ?? undefined;
    const timer = setTimeout(() => agent.kill("SIGKILL"), STOP_TIMEOUT_MS);
    const exited = once(agent, "exit");
    agent.kill("SIGTERM");
    await exited;
    clearTimeout(timer);
    return agent.exitCode ?? undefined;
  }

  /** Waits until the agent ends by itself; its exit code, or undefined if a signal ended it. */
  async agentEnd(): Promise<number | undefined> {
    const agent = this.#agent;
    if (agent === undefined) throw new Error("the agent is not running");
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, "exit");
    this.#agent = undefined;
    return agent.exitCode ?? undefined;
  }

  /** As a power cut ends it. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
    const exited = once(agent, "exit");
    agent.kill("SIGKILL");
    await exited;
  }

  /** Publishes an example and assigns it to the device's group, in the repository's folder; `sync` brings it to the broker. */
  async prepare(example: ExampleRelease): Promise<{ module: string; version: string; bytes: number }> {
    const manifest = join(this.folder, "module.toml");
    await writeFile(manifest, await manifestText(example));
    const published = await publishRelease(this.repository, {
      componentPath: resolve(EXAMPLES, example.component),
      manifestPath: manifest,
    });
    const { module, version } = published;
    await assignRelease(this.repository, {
      module,
      version,
      audience: { kind: "group", group: "default", percent: 100 },
    });
    return { module, version, bytes: published.componentBytes };
  }

  async sync(options: PlanOptions & SyncOptions = {}): Promise<void> {
    const sync = syncRepository(this.repository, addressOf(this.#options), options);
    this.#sync = sync.catch(() => undefined);
    await sync;
  }

  /** Follows the device over a new connection: the broker was away. */
  async reconnect(): Promise<void> {
    await this.#connection.end();
    this.#connection = await connectBroker(addressOf(this.#options));
    await this.#follow();
  }

  /** Writes to the broker past the operator's tools, as whoever got hold of its password can. */
  async publishRaw(topic: string, payload: Uint8Array): Promise<void> {
    await this.#connection.publishRetained(`skerry/v1/${this.#options.fleet}/${topic}`, payload);
  }

  /** Ends everything and removes the folder and what the broker retains. */
  async close(): Promise<void> {
    await this.stopAgent();
    // What is still on its way to the broker would stay there.
    await this.#sync;
    if (this.#options.leaveBroker !== true) await clearFleet(this.#connection, this.#options.fleet);
    await this.#connection.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #follow(): Promise<void> {
    const device = `skerry/v1/${this.#options.fleet}/device/${this.#options.deviceId}/`;
    const { onEvent, onTelemetry, onReport } = this.#options;
    const filters = onReport === undefined ? [`${device}event`, `${device}telemetry/#`] : [`${device}#`];
    await this.#connection.subscribe(filters, (topic, payload, retained) => {
      const rest = topic.slice(device.length);
      if (rest === "event") {
        const event = parseDeviceEvent(payload);
        if (event !== undefined) onEvent(event);
        return;
      }
      const text = Buffer.from(payload).toString("utf8");
      if (rest.startsWith("telemetry/")) onTelemetry(rest, text);
      else onReport?.(rest, text, retained);
    });
  }
}

function addressOf({ brokerUrl, operator }: RigOptions): BrokerAddress {
  return { url: brokerUrl, ...operator };
}

async function manifestText(example: ExampleRelease): Promise<string> {
  let text = await readFile(join(EXAMPLES, example.manifest), "utf8");
  const changes = { version: `"${example.version}"`, ...example.changes };
  for (const [key, value] of Object.entries(changes)) {
    const line = new RegExp(`^${key} = .*$`, "m");
    if (!line.test(text)) throw new Error(`${example.manifest} has no line for ${key}`);
    text = text.replace(line, `${key} = ${value}`);
  }
  return text;
}
