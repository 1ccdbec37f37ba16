/**
 * `skerry agent`: runs the agent in the foreground until SIGTERM or SIGINT, for systemd or a terminal.
 *
 * Exit codes: 0 stopped when asked to; 1 could not start, or failed; 2 wrong usage or configuration.
 */
import { parseArgs } from "node:util";
import { type AgentConfig, loadConfig } from "./config.ts";
import { AgentError, messageOf } from "./errors.ts";
import { createLog, type LineWriter, type Log, leadsToJournal } from "./log.ts";
import type { AgentEvent } from "./reports.ts";
import type { AgentCondition, ServiceManager } from "./service-manager.ts";
import { stopSignal } from "./stop-signal.ts";

export interface CommandIo {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
}

/** The running agent, as the command sees it. */
interface StoppableAgent {
  stop(): Promise<void>;
  condition(): AgentCondition;
}

/** What the command is made of beside its arguments; a test brings its own. */
export interface AgentCommandParts {
  start(config: AgentConfig, hooks: AgentHooks): Promise<StoppableAgent>;
  /** Resolves to the signal that asks the agent to stop. */
  stopSignal(): Promise<string>;
  /** Whether its log goes to journald. */
  leadsToJournal(io: CommandIo): boolean;
  /** Who started the process and wants to be told how it is. */
  openServiceManager(log: Log): Promise<ServiceManager>;
}

export interface AgentHooks {
  onEvent(event: AgentEvent): void;
  onConditionChange(): void;
  readonly log: Log;
}

const DEFAULT_CONFIG = "/etc/skerry/device.toml";

const USAGE = `usage: skerry agent [--config FILE] [--check] [--json]

  --config FILE   the device's configuration (default: ${DEFAULT_CONFIG})
  --check         check the configuration and the files that it names, and end
  --json          log lines as JSON, one object per line
  --help          print this

The log goes to standard error. SIGTERM and SIGINT stop the modules, then the agent.
`;

const OPTIONS = {
  config: { type: "string", default: DEFAULT_CONFIG },
  check: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Runs the command (without the words `skerry agent`) and resolves to its exit code. */
export async function runAgentCommand(
  argv: readonly string[],
  io: CommandIo,
  parts: AgentCommandParts = REAL_PARTS,
): Promise<number> {
  const options = parseOptions(argv, io);
  if (options === undefined) return 2;
  if (options.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const journal = parts.leadsToJournal(io);
  const log = createLog(io.stderr, { json: options.json, journal });
  const report = (error: unknown): void =>
    reportFailure(error, options.json ? "json" : journal ? "journal" : "terminal", log, io);
  let config: AgentConfig;
  try {
    config = await loadConfig(options.config);
  } catch (error) {
    report(error);
    const isDefaultMissing = options.config === DEFAULT_CONFIG && error instanceof AgentError;
    if (isDefaultMissing && error.code === "config/unreadable" && !options.json) {
      io.stderr.write("--config FILE names another one\n");
    }
    return error instanceof AgentError && error.code.startsWith("config/") ? 2 : 1;
  }
  if (options.check) {
    try {
      await checkRoots(config);
    } catch (error) {
      report(error);
      return 1;
    }
    io.stdout.write(`${options.config}: ok (device ${config.deviceId} of fleet ${config.fleet})\n`);
    return 0;
  }
  try {
    await runUntilStopped(config, log, parts);
    return 0;
  } catch (error) {
    report(error);
    return 1;
  }
}

/** What an agent would not start with, and no configuration's line is to blame for. */
async function checkRoots({ trust }: AgentConfig): Promise<void> {
  const { checkProvisionedRoot } = await import("./provisioned-root.ts");
  const { createVerifier } = await import("../ota/signature.ts");
  const verifier = await createVerifier();
  await checkProvisionedRoot("image", trust.imageRootFile, verifier);
  await checkProvisionedRoot("director", trust.directorRootFile, verifier);
}

async function runUntilStopped(config: AgentConfig, log: Log, parts: AgentCommandParts): Promise<void> {
  // Listened for before the start, so that a signal during a slow start is not lost.
  const signal = parts.stopSignal();
  const manager = await parts.openServiceManager(log);
  const agent = await parts.start(config, {
    onEvent: (event) => logEvent(event, log),
    onConditionChange: () => manager.conditionChanged(),
    log,
  });
  manager.ready(() => agent.condition());
  log("info", `stopping: ${await signal}`);
  manager.stopping();
  await agent.stop();
  log("info", "stopped");
}

function logEvent({ event, ...facts }: AgentEvent, log: Log): void {
  // For whoever watches a download; a log is read later.
  if (event === "progress") return;
  const { module, version, message } = facts;
  const subject = [module, version].filter((part) => part !== null).join("@");
  const text = [subject, event].filter((part) => part !== "").join(" ");
  const level = event === "refused" || event === "failed" || event === "rolled-back" ? "warning" : "info";
  log(level, message === undefined ? text : `${text}: ${message}`, {
    event,
    ...(module === null ? {} : { module }),
    ...(version === null ? {} : { version }),
    code: facts.code,
  });
}

function parseOptions(
  argv: readonly string[],
  io: CommandIo,
): { config: string; check: boolean; json: boolean; help: boolean } | undefined {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (error) {
    // parseArgs throws for what it does not know; its message names the option.
    io.stderr.write(`error: ${messageOf(error)}\n\n${USAGE}`);
    return undefined;
  }
}

/** A configuration's mistakes keep their `file:line:` form, so that an editor finds the place. */
function reportFailure(
  error: unknown,
  reader: "json" | "journal" | "terminal",
  log: Log,
  io: CommandIo,
): void {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  if (reader === "json") log("error", messageOf(error), { code });
  // A mistake of the configuration per line.
  else if (reader === "journal")
    for (const line of messageOf(error).split("\n")) log("error", line, { code });
  else if (code?.startsWith("config/") === true) io.stderr.write(`${messageOf(error)}\n`);
  else io.stderr.write(`error: ${messageOf(error)}${code === undefined ? "" : ` (${code})`}\n`);
}

const REAL_PARTS: AgentCommandParts = {
  start: async (config, hooks) => {
    const [{ startAgent }, { HeapKeeper }] = await Promise.all([import("./agent.ts"), import("./heap.ts")]);
    const heap = new HeapKeeper();
    return startAgent(config, {
      log: hooks.log,
      onConditionChange: () => hooks.onConditionChange(),
      onEvent: (event) => {
        heap.noteEvent(event.event);
        hooks.onEvent(event);
      },
      onBlob: (sizeBytes) => heap.noteBytes(sizeBytes),
    });
  },
  stopSignal: () => stopSignal(["SIGTERM", "SIGINT"]),
  leadsToJournal: ({ stderr }) => stderr === process.stderr && leadsToJournal(process.stderr.fd),
  openServiceManager: async (log) => {
    const { openServiceManager } = await import("./service-manager.ts");
    return openServiceManager(log);
  },
};
