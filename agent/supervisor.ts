/**
 * Runs modules: `ota`'s installer asks for a release to be checked, started and stopped; this does it on the sandbox, with the
 * devices that the policy grants.
 *
 * What a module does comes back as facts (it is alive, it published, it trapped …); what follows from them is decided by the
 * installer's state machine, not here.
 */
import { decideGrants, type Grants, grantedCodeBytes, moduleGrants } from "../devices/grants.ts";
import type { DevicePolicy } from "../devices/policy.ts";
import type { Devices, ModuleDevices } from "../devices/registry.ts";
import type { Disk } from "../ota/disk.ts";
import { OtaError } from "../ota/errors.ts";
import type { Manifest } from "../ota/manifest.ts";
import { makeDataFolder } from "../ota/module-data.ts";
import type { ModuleFact, ModuleRunner, StagedModule } from "../ota/runner.ts";
import type {
  LogLevel,
  ModuleEnd,
  ModuleFolder,
  ModuleLimits,
  ModuleServices,
  ModuleSpec,
  RunningModule,
} from "../sandbox/module-spec.ts";
import { crashReport, crashSummary, RecentLines } from "./crash-report.ts";
import { dataFolder } from "./data-folder.ts";
import { requireGranted } from "./granted.ts";
import {
  HEALTH_CHECKS_PER_WINDOW,
  HEALTH_DEADLINE_MS,
  HEALTH_INTERVAL_MS,
  MAX_SUPERVISOR_TASK_MS,
  MODULE_STOP_GRACE_MS,
} from "./limits.ts";
import type { Log } from "./log.ts";
import type { MessageRouter } from "./message-router.ts";
import { RepeatedWarnings } from "./repeated-warnings.ts";
import { TaskWatch } from "./task-watch.ts";

export interface SupervisorOptions {
  /** Where modules' private folders are. */
  readonly disk: Disk;
  readonly policy: DevicePolicy;
  readonly devices: Devices;
  readonly log: Log;
  readonly router: MessageRouter;
  /** A module is to be told what the operator sends to it. */
  readonly wantMessages: () => void;
  /** Sends a module's telemetry, `path` as the module names it below `telemetry/`; false if it can't be sent. */
  readonly sendTelemetry: (module: string, path: string, payload: Uint8Array) => boolean;
  readonly sendLog: (module: string, level: LogLevel, text: string) => void;
  /** Tells of a limit that a module ran into and goes on with. */
  readonly sendLimited: (module: string, version: string, code: string, message: string) => void;
  /** What a device's modules may use instead of the sandbox's defaults; memory is the policy's. */
  readonly moduleLimits?: ModuleLimits;
  /** What a check, a start or a stop may take, in milliseconds. */
  readonly maxTaskMs?: number;
}

interface Run {
  readonly module: RunningModule;
  readonly healthChecks: AbortController;
}

export class Supervisor implements ModuleRunner {
  readonly #options: SupervisorOptions;
  readonly #runs = new Map<string, Run>();
  /**
   * Per module the digest of the component that was validated last, since the agent was started: its worker need not load the validator.
   * What the file holds is not hashed here: the installer has held it against that digest when it was fetched, and does at each start.
   */
  readonly #validated = new Map<string, string>();

  readonly #tasks: TaskWatch;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#tasks = new TaskWatch(options.maxTaskMs ?? MAX_SUPERVISOR_TASK_MS);
  }

  check(staged: StagedModule): Promise<void> {
    return this.#tasks.run(`checking ${staged.manifest.name}`, () => this.#check(staged));
  }

  start(staged: StagedModule, observe: (fact: ModuleFact) => void): Promise<void> {
    return this.#tasks.run(`starting ${staged.manifest.name}`, () => this.#start(staged, observe));
  }

  stop(name: string): Promise<void> {
    return this.#tasks.run(`stopping ${name}`, () => this.#stop(name));
  }

  /** What hangs of that, in words: only a new start of the agent helps then. Modules that hang do not count, they have deadlines. */
  stuck(): string | undefined {
    return this.#tasks.overdue();
  }

  async #check({ manifest, componentPath, release }: StagedModule): Promise<void> {
    // The decoder and the validator are loaded with the first release to stage: most starts of an agent have none.
    const { checkStaged } = await import("./staging.ts");
    await checkStaged(manifest, componentPath, this.#options.policy);
    this.#validated.set(manifest.name, release.component.sha256);
  }

  async #start(staged: StagedModule, observe: (fact: ModuleFact) => void): Promise<void> {
    const { manifest } = staged;
    const grants = this.#grantsOf(manifest);
    const codeBytes = grantedCodeBytes(this.#options.policy, manifest.name);
    const devices = this.#options.devices.forModule(manifest.name, grants);
    const underWay = Promise.withResolvers<void>();
    // The sandbox is loaded with the first module: an agent that runs none does without it.
    const { startModule } = await import("../sandbox/module-host.ts");
    const spec = {
      ...specOf(staged, grants, await this.#folders(staged, grants), codeBytes, this.#options.moduleLimits),
      isValidated: this.#validated.get(manifest.name) === staged.release.component.sha256,
    };
    const recent = new RecentLines();
    const calls = new RepeatedWarnings((level, text) => this.#log(manifest, level, text));
    const module = startModule(spec, this.#services(manifest.name, devices, observe), {
      running: () => {
        observe({ kind: "alive" });
        underWay.resolve();
      },
      log: (level, text) => {
        recent.add(level, text);
        this.#log(manifest, level, text);
      },
      limited: (code, message) => {
        this.#log(manifest, "warning", `${code}: ${message}`);
        this.#options.sendLimited(manifest.name, manifest.version, code, message);
      },
      callFailed: (call, message) => calls.failed(call, `${call}: ${message}`, performance.now()),
      callSucceeded: (call) => calls.succeeded(call, performance.now()),
      ended: (end) => {
        this.#logEnd(manifest, end, recent);
        const fact = factOf(end, recent);
        if (fact !== undefined) observe(fact);
        if (end.kind === "failed" && fact === undefined) underWay.reject(startFailure(manifest, end));
        else underWay.resolve();
      },
    });
    const run = { module, healthChecks: new AbortController() };
    this.#runs.set(manifest.name, run);
    const unroute = this.#route(manifest.name, grants, module);
    void module.done.then(() => {
      unroute();
      this.#forget(manifest.name, run);
    });
    await underWay.promise;
    if (manifest.world === "reactor") void this.#checkHealth(manifest, run, observe);
  }

  async #stop(name: string): Promise<void> {
    const run = this.#runs.get(name);
    if (run === undefined) return;
    run.healthChecks.abort();
    await run.module.stop(MODULE_STOP_GRACE_MS);
    this.#forget(name, run);
  }

  /** Lets a module be told what it asked for; gives the end of that. */
  #route(name: string, { subscribe }: Grants, module: RunningModule): () => void {
    if (subscribe.length === 0) return () => undefined;
    if (subscribe.some((filter) => filter.startsWith("message"))) this.#options.wantMessages();
    return this.#options.router.add(name, subscribe, (topic, payload) => module.deliver(topic, payload));
  }

  #forget(name: string, run: Run): void {
    run.healthChecks.abort();
    if (this.#runs.get(name) === run) this.#runs.delete(name);
  }

  /** Decided anew at each start: the policy may have changed since the release was staged. */
  #grantsOf(manifest: Manifest): Grants {
    const { name, version, request } = manifest;
    return requireGranted(`${name}@${version}`, decideGrants(this.#options.policy, name, request));
  }

  /** The module's private folder, made with its first start, unless it asked for none. */
  async #folders({ dataDirectory }: StagedModule, { storageBytes }: Grants): Promise<ModuleFolder[]> {
    if (storageBytes === 0) return [];
    await makeDataFolder(this.#options.disk, dataDirectory);
    return [dataFolder(dataDirectory, storageBytes)];
  }

  #services(name: string, devices: ModuleDevices, observe: (fact: ModuleFact) => void): ModuleServices {
    return {
      readSensor: (sensor) => devices.readSensor(sensor),
      openSerial: (port) => devices.openSerial(port),
      closeSerial: (port) => devices.closeSerial(port),
      readSerial: (port, maxBytes, timeoutMs) => devices.readSerial(port, maxBytes, timeoutMs),
      writeSerial: (port, data) => devices.writeSerial(port, data),
      publish: async (topic, payload) => {
        // The sandbox hands over topics below telemetry/ only.
        const path = topic.slice("telemetry/".length);
        if (!this.#options.sendTelemetry(name, path, payload)) return { tag: "err", code: "unavailable" };
        this.#options.router.published(name, path, payload);
        observe({ kind: "telemetry" });
        return { tag: "ok", value: undefined };
      },
    };
  }

  /** Asks a reactor how it is: often within its window, so that a trial can be judged, seldom afterwards. */
  async #checkHealth(manifest: Manifest, run: Run, observe: (fact: ModuleFact) => void): Promise<void> {
    const { signal } = run.healthChecks;
    const windowEndMs = performance.now() + manifest.health.windowMs;
    while (!signal.aborted) {
      const { healthy, reason } = await askHealth(run.module);
      if (signal.aborted) return;
      observe(healthy ? { kind: "health-ok" } : { kind: "health-failed", message: reason });
      if (!healthy) this.#log(manifest, "warning", `health: ${reason}`);
      const isInWindow = performance.now() < windowEndMs;
      await pause(
        isInWindow ? manifest.health.windowMs / HEALTH_CHECKS_PER_WINDOW : HEALTH_INTERVAL_MS,
        signal,
      );
    }
  }

  #log(manifest: Manifest, level: LogLevel, text: string): void {
    const { name, version } = manifest;
    this.#options.log(level, text, { module: name, version });
    this.#options.sendLog(name, level, text);
  }

  #logEnd(manifest: Manifest, end: ModuleEnd, recent: RecentLines): void {
    const { name, version } = manifest;
    switch (end.kind) {
      case "stopped":
        return;
      case "exited":
        this.#log(manifest, "warning", `exited with code ${end.exitCode}`);
        return;
      case "trapped":
      case "failed": {
        const report = crashReport(`${name}@${version}`, end, recent);
        for (const line of report) this.#options.log("error", line, { module: name, version });
        this.#options.sendLog(name, "error", report.join("\n"));
      }
    }
  }
}

function specOf(
  { manifest, componentPath }: StagedModule,
  grants: Grants,
  folders: readonly ModuleFolder[],
  codeBytes: number,
  limits: ModuleLimits | undefined,
): ModuleSpec {
  const { name, version, world, env, intervalMs } = manifest;
  return {
    name,
    version,
    componentPath,
    world,
    env,
    args: [],
    folders,
    ...(intervalMs === undefined ? {} : { intervalMs }),
    grants: moduleGrants(grants),
    limits: { ...limits, memoryBytes: grants.memoryBytes, codeBytes },
  };
}

/** The fact in a module's end; none for a stop, and none for a start that failed before the guest did anything. */
function factOf(end: ModuleEnd, recent: RecentLines): ModuleFact | undefined {
  switch (end.kind) {
    case "stopped":
      return undefined;
    case "exited":
      return { kind: "exited", exitCode: end.exitCode };
    case "trapped":
      return { kind: "trap", code: end.code, message: crashSummary(end, recent) };
    case "failed": {
      const { code } = end;
      const message = crashSummary(end, recent);
      if (code.startsWith("limit/")) return { kind: "limit", code, message };
      return code === "sandbox/worker-failed" || code === "sandbox/channel-violation"
        ? { kind: "trap", code, message }
        : undefined;
    }
  }
}

function startFailure(manifest: Manifest, end: ModuleEnd & { readonly kind: "failed" }): OtaError {
  if (end.code === "sandbox/code-exceeds-grant") return new OtaError("stage/code-exceeds-grant", end.message);
  const name = `${manifest.name}@${manifest.version}`;
  return new OtaError("trial/start-failed", `${name} did not start: ${end.code}: ${end.message}`);
}

async function askHealth(module: RunningModule): Promise<{ healthy: boolean; reason: string }> {
  const report = await module.health(HEALTH_DEADLINE_MS);
  return report.healthy ? { healthy: true, reason: "" } : report;
}

/** Waits, or until the signal; never rejects, and keeps no process alive. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs).unref();
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
