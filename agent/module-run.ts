/**
 * `skerry module run`: one module in the agent's sandbox, without the agent, for its author and for CI.
 *
 * The module has this process's standard streams, and of everything else only what was named: folders, variables, and
 * what a policy file grants. Exit codes: the module's own; 124 when its time was over, 125 when it was refused before
 * it ran, 130 and 143 for SIGINT and SIGTERM, 134 when it trapped or a limit ended it, 2 for wrong usage.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ModuleDevices } from "../devices/registry.ts";
import type { SandboxErrorCode } from "../sandbox/errors.ts";
import type { ModuleEnd, ModuleFolder, ModuleServices, RunningModule } from "../sandbox/module-spec.ts";
import { topicMatches } from "../sandbox/topic-filter.ts";
import { type Crash, crashReport, RecentLines } from "./crash-report.ts";
import { DATA_FOLDER, dataFolder } from "./data-folder.ts";
import { AgentError } from "./errors.ts";
import { RUN_HEAP_MIB, RUN_MEMORY_BYTES, RUN_STOP_GRACE_MS } from "./limits.ts";
import type { ModuleCommandIo } from "./module-command.ts";
import { type ModuleRunOptions, parseModuleRunOptions } from "./module-run-options.ts";
import { type RunPermissions, readPermissions } from "./module-run-permissions.ts";
import { StandardInput } from "./standard-input.ts";
import { signalExitCode, stopSignal } from "./stop-signal.ts";

const USAGE = `usage: skerry module run <component.wasm> [options] [-- ARGUMENTS]

  --dir HOST::GUEST     let the module use a folder, which it finds as GUEST (may be repeated)
  --env NAME=VALUE      set one of the module's environment variables (may be repeated)
  --config NAME=VALUE   tell the module something by wasi:config, in place of what its manifest and the policy say
                        (may be repeated)
  --allow-net RULE      let the module connect to HOST:PORT, such as api.example.org:443, "*.example.org:443",
                        10.0.0.0/8:502, "[::1]:*", 10.0.0.5:5683/udp (may be repeated)
  --allow-listen RULE   let it be reached at ADDRESS:PORT, such as "*:8080", 127.0.0.1:5683/udp (may be repeated)
  --policy FILE         the devices and grants of a device.toml, that of code among them
  --manifest FILE       the module's module.toml: what it requests of the policy, its variables, its memory.
                        Without it the module gets what the policy grants to every module ("*/*")
  --memory SIZE         the most linear memory (default: the manifest's, or 256MiB)
  --message TOPIC=TEXT  tell a reactor something that its manifest subscribes to, once it runs (may be repeated)
  --timeout DURATION    end the module after this time
  --help                print this

Nothing is granted that is not named here. A reactor runs until it is interrupted.
Exit code: the module's; 124 timed out, 125 refused before it ran, 130 interrupted, 134 trapped or ended by a limit.
`;

const EXIT_TIMED_OUT = 124;
const EXIT_REFUSED = 125;
const EXIT_TRAPPED = 134;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What a refusal of a module without a manifest may come from. */
const WITHOUT_MANIFEST: Readonly<Partial<Record<SandboxErrorCode, string>>> = {
  "sandbox/import-not-granted": "without --manifest FILE it requests nothing of the policy\n",
  "sandbox/code-exceeds-grant":
    'without --manifest FILE it has the grants for every module ("*/*") and no other\n',
};

/** Runs the command (without the words `skerry module run`) and resolves to its exit code. */
export async function moduleRunCommand(argv: readonly string[], io: ModuleCommandIo): Promise<number> {
  const parsed = parseModuleRunOptions(argv);
  if (parsed.kind === "help") {
    io.stdout.write(USAGE);
    return 0;
  }
  if (parsed.kind === "wrong") {
    io.stderr.write(`error: ${parsed.message}\n\n${USAGE}`);
    return 2;
  }
  try {
    return await runModule(parsed.options, io);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    io.stderr.write(`error: ${error.message} (${error.code})\n`);
    return EXIT_REFUSED;
  }
}

async function runModule(options: ModuleRunOptions, io: ModuleCommandIo): Promise<number> {
  const permissions = await readPermissions(options);
  checkMessages(options.messages, permissions);
  const { openDevices } = await import("../devices/registry.ts");
  const { startModule } = await import("../sandbox/module-host.ts");
  const folders = await checkedFolders(options.folders, permissions.storageBytes);
  const input = new StandardInput(() => process.stdin);
  const devices = await openDevices(permissions.policy);
  const { name, version, world, intervalMs, grants, codeBytes } = permissions;
  const module = startModule(
    {
      name,
      version,
      componentPath: options.componentPath,
      world,
      env: { ...permissions.env, ...options.env },
      args: options.args,
      folders,
      stdio: "inherit",
      ...(intervalMs === undefined ? {} : { intervalMs }),
      grants,
      limits: {
        memoryBytes: options.memoryBytes ?? permissions.memoryBytes ?? RUN_MEMORY_BYTES,
        ...(codeBytes === undefined ? {} : { codeBytes }),
        callDeadlineMs: Number.POSITIVE_INFINITY,
        heapMiB: RUN_HEAP_MIB,
      },
    },
    services(devices.forModule(name, grants), input, io),
    {
      // Of what a module writes nothing comes this way; these are the host's own remarks.
      log: (level, text) => io.stderr.write(`${level}: ${text}\n`),
      limited: (code, message) => io.stderr.write(`warning: ${message} (${code})\n`),
      callFailed: (call, message) => io.stderr.write(`warning: ${call}: ${message}\n`),
    },
  );
  void tell(module, options.messages, io);
  const stopped = stopWhenAsked(module, options.timeoutMs);
  const end = await module.done;
  input.close();
  await devices.close();
  const hasManifest = options.manifestPath !== undefined;
  const exitCode = exitCodeOf(end, stopped(), hasManifest ? `${name}@${version}` : name, io);
  if (!hasManifest && end.kind === "failed") io.stderr.write(WITHOUT_MANIFEST[end.code] ?? "");
  return exitCode;
}

/** What a device would not deliver is refused here: the author would wait for it in vain. */
function checkMessages(messages: ModuleRunOptions["messages"], { name, subscribe }: RunPermissions): void {
  const refused = messages.find(({ topic }) => !subscribe.some((filter) => topicMatches(filter, topic)));
  if (refused === undefined) return;
  const asked = subscribe.length === 0 ? "nothing" : subscribe.map((filter) => `"${filter}"`).join(", ");
  const message = `--message ${refused.topic}: ${name} is told ${asked}: add the topic to subscribe in its manifest (--manifest) and in the policy`;
  throw new AgentError("agent/not-granted", message);
}

/** One after the other, as they stand on the command line. */
async function tell(
  module: RunningModule,
  messages: ModuleRunOptions["messages"],
  io: ModuleCommandIo,
): Promise<void> {
  for (const { topic, payload } of messages) {
    const delivery = await module.deliver(topic, Buffer.from(payload));
    // An error of on-message is shown as it comes, like that of on-timer.
    if (delivery.kind === "handled") io.stderr.write(`delivered ${topic}\n`);
    if (delivery.kind === "refused") io.stderr.write(`warning: ${delivery.message}\n`);
    if (delivery.kind === "dropped") {
      io.stderr.write(`warning: ${topic}: ${delivery.message} (${delivery.code})\n`);
    }
  }
}

/** Stops the module by the clock or by a signal; a second one ends the process. Tells which it was. */
function stopWhenAsked(module: RunningModule, timeoutMs: number | undefined): () => Stop {
  let stop: Stop = { exitCode: EXIT_TIMED_OUT, reason: `after ${timeoutMs} ms` };
  const ask = () => void module.stop(RUN_STOP_GRACE_MS);
  const timer = timeoutMs === undefined ? undefined : setTimeout(ask, timeoutMs);
  const interrupted = (signal: NodeJS.Signals) => {
    stop = { exitCode: signalExitCode(signal), reason: `by ${signal}` };
    ask();
  };
  void stopSignal(SIGNALS).then(interrupted);
  return () => {
    clearTimeout(timer);
    return stop;
  };
}

interface Stop {
  readonly exitCode: number;
  readonly reason: string;
}

function exitCodeOf(end: ModuleEnd, stop: Stop, subject: string, io: ModuleCommandIo): number {
  // What it said last stands on the terminal already.
  const report = (crash: Crash) => crashReport(subject, crash, new RecentLines()).join("\n");
  switch (end.kind) {
    case "exited":
      return end.exitCode;
    case "stopped":
      io.stderr.write(`error: ${subject} was ended ${stop.reason}\n`);
      return stop.exitCode;
    case "trapped":
      io.stderr.write(`error: ${report(end)}\n`);
      return EXIT_TRAPPED;
    case "failed":
      if (end.code.startsWith("limit/")) {
        io.stderr.write(`error: ${report(end)}\n`);
        return EXIT_TRAPPED;
      }
      io.stderr.write(
        `error: ${saysWhich(end, subject) ? "" : `${subject}: `}${end.message} (${end.code})\n`,
      );
      return EXIT_REFUSED;
  }
}

/** Whether the message names the module, or its file, itself. */
function saysWhich({ code, message }: Crash, subject: string): boolean {
  const [name = ""] = subject.split("@");
  return code === "sandbox/component-unreadable" || message.startsWith(`${name} `);
}

/** Where the manifest requests storage, the folder that stands for it has the quota that it has on a device. */
async function checkedFolders(
  folders: ModuleRunOptions["folders"],
  storageBytes: number,
): Promise<ModuleFolder[]> {
  if (storageBytes > 0 && !folders.some(({ guestPath }) => guestPath === DATA_FOLDER)) {
    const message = `the manifest requests storage: give it a folder with --dir FOLDER::${DATA_FOLDER}`;
    throw new AgentError("agent/not-granted", message);
  }
  return Promise.all(
    folders.map(async ({ hostPath, guestPath }) => {
      const status = await stat(hostPath).catch((cause: unknown) => {
        throw new AgentError("config/file-missing", `--dir ${hostPath}: there is no such folder`, { cause });
      });
      if (!status.isDirectory()) {
        throw new AgentError("config/file-missing", `--dir ${hostPath}: is no folder`);
      }
      const isData = storageBytes > 0 && guestPath === DATA_FOLDER;
      return isData
        ? dataFolder(resolve(hostPath), storageBytes)
        : { hostPath: resolve(hostPath), guestPath };
    }),
  );
}

/** Devices as on a device; what is published is shown on standard error. */
function services(devices: ModuleDevices, input: StandardInput, io: ModuleCommandIo): ModuleServices {
  return {
    readSensor: (sensor) => devices.readSensor(sensor),
    openSerial: (port) => devices.openSerial(port),
    closeSerial: (port) => devices.closeSerial(port),
    readSerial: (port, maxBytes, timeoutMs) => devices.readSerial(port, maxBytes, timeoutMs),
    writeSerial: (port, data) => devices.writeSerial(port, data),
    publish: async (topic, payload) => {
      io.stderr.write(`published ${topic}: ${Buffer.from(payload).toString()}\n`);
      return { tag: "ok", value: undefined };
    },
    readStdin: (maxBytes, timeoutMs) => input.read(maxBytes, timeoutMs),
  };
}
