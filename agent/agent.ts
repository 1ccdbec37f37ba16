/**
 * The agent: its parts, made in their order and joined. What each does is in its own file; here is only who tells whom.
 *
 *     link ── metadata ──▶ trust watch ── selections ──▶ installer ── check, start, stop ──▶ supervisor ──▶ sandbox, devices
 *       ▲ ▲                    │ refusals                 │ events, state  ▲ blobs                │ telemetry, logs
 *       │ └────────────────── reports ◀──────────────────┴────────────────┼──────────────────────┘
 *       ├────────────────────────────────────────────────────────────────┘
 *       └── messages to modules ──▶ router ──▶ supervisor's modules
 */
import { readFile } from "node:fs/promises";
import { openDevices } from "../devices/registry.ts";
import type { BlobSource } from "../ota/blob-source.ts";
import { OtaError } from "../ota/errors.ts";
import { Installer, type ModuleSnapshot } from "../ota/installer.ts";
import { createNodeDisk } from "../ota/node-disk.ts";
import { createVerifier, type SignatureVerifier } from "../ota/signature.ts";
import { openStore, type Store } from "../ota/store.ts";
import { saveChange } from "../ota/stored-trust.ts";
import { TrustedTime } from "../ota/trusted-time.ts";
import type { ModuleLimits } from "../sandbox/module-spec.ts";
import { readClock } from "./clock.ts";
import { answerCommand } from "./commands.ts";
import { type AgentConfig, loadConfig } from "./config.ts";
import { beginRun } from "./crash-loop.ts";
import { routeMessages } from "./incoming-messages.ts";
import { createLink } from "./link.ts";
import type { Link, LinkState } from "./link-types.ts";
import type { Log } from "./log.ts";
import { MessageRouter } from "./message-router.ts";
import { loadTrusted, rootReplaced } from "./provisioned-root.ts";
import { deviceWarnings } from "./repeated-warnings.ts";
import { type AgentEvent, Reports } from "./reports.ts";
import type { AgentCondition } from "./service-manager.ts";
import { claimStateDir } from "./single-instance.ts";
import { Supervisor } from "./supervisor.ts";
import { TrustWatch } from "./trust-watch.ts";
import { VERSION } from "./version.ts";

export interface AgentHooks {
  /** Every event that goes out, too. */
  readonly onEvent?: (event: AgentEvent) => void;
  /** Every payload of a download, too, when it has been dealt with. */
  readonly onBlob?: (sizeBytes: number) => void;
  readonly log?: Log;
  /** Each signature that is checked; none are where nothing is new. */
  readonly onSignatureCheck?: () => void;
  /** `condition()` may say something else now. */
  readonly onConditionChange?: () => void;
  /** What modules may use instead of the defaults of sandbox/limits.ts: a test of deadlines need not wait for them. */
  readonly moduleLimits?: ModuleLimits;
}

export interface RunningAgent {
  /** Stops the modules, writes the state, says offline and disconnects. Idempotent. */
  stop(): Promise<void>;
  condition(): AgentCondition;
}

/**
 * Starts the agent by a configuration, or by the path of its file; resolves when the modules that were committed have been
 * taken up, with or without the broker.
 *
 * @throws AgentError "config/…"; OtaError "store/…", "trust/…" (the provisioned roots); DeviceError
 */
export async function startAgent(
  config: AgentConfig | string,
  hooks: AgentHooks = {},
): Promise<RunningAgent> {
  const settings = typeof config === "string" ? await loadConfig(config) : config;
  const log = hooks.log ?? (() => undefined);
  const damages: string[] = [];
  const store = await openStore(createNodeDisk(), settings.stateDir, {
    onDamage: (message) => {
      log("warning", message);
      damages.push(message);
    },
  });
  const claim = await claimStateDir(settings.stateDir, (message) => log("warning", message));
  try {
    const agent = await startOn(store, settings, hooks, log, damages);
    let stopping: Promise<void> | undefined;
    return {
      condition: agent.condition,
      stop: () => {
        stopping ??= agent.stop().finally(() => claim.release());
        return stopping;
      },
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** Joins the parts on a store that is this agent's own; `stop` is to be called once. */
async function startOn(
  store: Store,
  settings: AgentConfig,
  hooks: AgentHooks,
  log: Log,
  damages: readonly string[],
): Promise<RunningAgent> {
  const verifier = counted(await createVerifier(), hooks.onSignatureCheck ?? (() => undefined));
  const loaded = {
    image: await loadTrusted("image", settings.trust.imageRootFile, store, verifier),
    director: await loadTrusted("director", settings.trust.directorRootFile, store, verifier),
  };
  const trusted = { image: loaded.image.trusted, director: loaded.director.trusted };
  const devices = await openDevices(settings.policy, deviceWarnings(log));
  for (const [name, path] of devices.farEnds) log("info", `virtual serial port ${name}: far end at ${path}`);

  const bootId = await readBootId();
  const onConditionChange = hooks.onConditionChange ?? (() => undefined);
  let isConnected = false;
  const link = createLink({
    fleet: settings.fleet,
    deviceId: settings.deviceId,
    broker: settings.broker,
    status: { agent: VERSION, bootId, groups: settings.groups },
    onState: (state) => {
      logLinkState(state, log);
      isConnected = state.kind === "connected";
      onConditionChange();
      if (state.kind === "connected") {
        installer.retryNow();
        // A broker that lost everything has it again; so has one that heard another device under this id.
        reports.stateChanged();
      }
      // What anybody with the broker's password can do to a device has to be seen where its other refusals are.
      else if (state.reason.code === "link/oversized-packet") reports.failed(state.reason);
    },
    onProblem: (error) => log("warning", error.message, { code: error.code }),
  });
  const reports = new Reports({
    link,
    deviceId: settings.deviceId,
    log,
    onEvent: hooks.onEvent ?? (() => undefined),
    snapshot: () => installer.snapshot(),
  });
  const router = new MessageRouter();
  const supervisor = new Supervisor({
    disk: store.disk,
    policy: settings.policy,
    devices,
    router,
    wantMessages: () => link.wantMessages(),
    log,
    sendTelemetry: (module, path, payload) => reports.telemetry(module, path, payload),
    sendLog: (module, level, text) => reports.moduleLog(module, level, text),
    sendLimited: (module, version, code, message) => reports.limited(module, version, code, message),
    ...(hooks.moduleLimits === undefined ? {} : { moduleLimits: hooks.moduleLimits }),
  });
  const installer = new Installer({
    store,
    source: observed(link.blobs, hooks.onBlob ?? (() => undefined)),
    runner: supervisor,
    storageBudgetBytes: settings.storageBudgetBytes,
    onEvent: (report) => reports.install(report),
    onStateChange: () => {
      reports.stateChanged();
      onConditionChange();
    },
  });
  const time = new TrustedTime(readClock);
  const watch = new TrustWatch({
    trusted,
    verifier,
    device: { id: settings.deviceId, groups: settings.groups, hardware: settings.hardware },
    now: (markMs) => time.nowMs(markMs),
    save: (repository, change) => saveChange(store.trust(repository), change),
    committed: () => installer.committed(),
    requestAgain: () => link.requestMetadata(),
    onSelections: (selections) => installer.setDesired(selections),
    onRefused: (error) => reports.refusedMetadata(error),
    onProblem: (error) => reports.failed(error),
  });

  listen(link, watch, installer);
  routeMessages(link, router, log);
  // A disk that begins to fail is the operator's concern, too.
  for (const damage of damages) reports.failed(new OtaError("store/corrupt", damage));
  for (const { trusted, droppedRoles, replaced } of [loaded.image, loaded.director]) {
    if (replaced !== undefined) reports.failed(rootReplaced(trusted, replaced));
    else if (droppedRoles.length > 0) {
      const roles = droppedRoles.join(", ");
      log("warning", `stored ${trusted.repository} metadata is not trusted any more: ${roles}`);
    }
  }
  log("info", `agent ${VERSION}, device ${settings.deviceId} of fleet ${settings.fleet}`);
  reports.stateChanged();
  const run = await beginRun(store, bootId);
  if (run.problem !== undefined) reports.failed(run.problem);
  installer.start(run.startDelayMs);
  link.start();

  const stop = async (): Promise<void> => {
    await watch.stop();
    await installer.stop();
    router.close();
    await run.end();
    await devices.close();
    reports.flushState();
    await link.stop();
  };
  const condition = (): AgentCondition => ({
    summary: summaryOf(isConnected, installer.snapshot()),
    stuck: supervisor.stuck(),
  });
  return { stop, condition };
}

function summaryOf(isConnected: boolean, modules: Readonly<Record<string, ModuleSnapshot>>): string {
  const link = isConnected ? "connected to the broker" : "not connected to the broker";
  const running = Object.entries(modules).flatMap(([name, { running }]) =>
    running === null ? [] : [`${name} ${running}`],
  );
  return `${link}; ${running.length === 0 ? "no module runs" : `running: ${running.join(", ")}`}`;
}

function listen(link: Link, watch: TrustWatch, installer: Installer): void {
  link.subscribeMetadata((repository, name, payload) => watch.receive(repository, name, payload));
  link.subscribeCommands(({ payload, responseTopic, correlationData }) => {
    const reply = answerCommand(payload, installer);
    // Answers go to this device's own reply topic, whatever the request names.
    const correlation = responseTopic === link.topics.reply ? correlationData : undefined;
    link.publish("event", link.topics.reply, reply, correlation);
  });
}

function counted(verifier: SignatureVerifier, onCheck: () => void): SignatureVerifier {
  return {
    verify(publicKey, message, signature) {
      onCheck();
      return verifier.verify(publicKey, message, signature);
    },
  };
}

function observed(source: BlobSource, onBlob: (sizeBytes: number) => void): BlobSource {
  return {
    ...source,
    onBlob: (receive) =>
      source.onBlob(async (digest, payload) => {
        await receive(digest, payload);
        onBlob(payload.byteLength);
      }),
  };
}

/** Changes with each boot of the machine, so that an operator can tell a restart of the agent from one of the device. */
async function readBootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    // Not Linux, or a container without /proc: the operator sees that it is not known.
    return "unknown";
  }
}

function logLinkState(state: LinkState, log: Log): void {
  if (state.kind === "disconnected" && state.reason.code === "link/stopped") return;
  if (state.kind === "connected") {
    const protocol = state.protocolVersion === 5 ? "MQTT 5" : "MQTT 3.1.1";
    log("info", `connected (${protocol}${state.sessionPresent ? ", session resumed" : ""})`);
  } else {
    const seconds = (state.retryInMs / 1_000).toFixed(1);
    log("warning", `${state.reason.message}; next attempt in ${seconds} s`, { code: state.reason.code });
  }
}
