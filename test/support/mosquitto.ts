/** A real Mosquitto for tests: on a free port of 127.0.0.1, its configuration in a temporary folder. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { toolPath } from "./tools.ts";

const run = promisify(execFile);

export interface MosquittoOptions {
  /** User names and passwords for the password file; without it anybody may connect. */
  readonly users?: Readonly<Record<string, string>>;
  /** Path of an access-control file. */
  readonly aclFile?: string;
  /**
   * TLS instead of plain TCP. `clientCertificates` demands one from every client, and then its common name is
   * the user name. `clientName` is the common name of `certificates.client` (default "pi-01").
   */
  readonly tls?: { readonly clientCertificates?: boolean; readonly clientName?: string };
  /** Retained messages and sessions outlive `restart()`. */
  readonly persistent?: boolean;
  /** Further lines of mosquitto.conf, as `max_packet_size 100000`. */
  readonly configuration?: readonly string[];
}

export interface Mosquitto {
  /** `mqtt://127.0.0.1:port`, with TLS `mqtts://…`. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; changes with `restart()`. */
  readonly pid: number;
  /** The temporary folder, removed by `dispose()`. */
  readonly folder: string;
  /** With the option `tls` only. */
  readonly certificates: Certificates | undefined;
  /** What Mosquitto wrote to its log up to now. */
  log(): string;
  /** Ends the process and keeps folder and port, so that `start()` goes on. */
  stop(): Promise<void>;
  /** Starts it again after `stop()`, on the same port. */
  start(): Promise<void>;
  /** `stop()`, then removes the folder. */
  dispose(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 5;
/** Of Mosquitto's log, once its sockets listen: `mosquitto version 2.0.11 running`. */
const RUNNING = " running\n";

/**
 * Starts Mosquitto and waits until it takes connections. End it with `dispose()`
 * (`t.teardown(broker.dispose)`).
 */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-mosquitto-"));
  const certificates =
    options.tls === undefined ? undefined : await makeCertificates(folder, options.tls.clientName ?? "pi-01");
  const passwordFile =
    options.users === undefined ? undefined : await makePasswordFile(folder, options.users);
  const configFile = join(folder, "mosquitto.conf");

  let port = 0;
  let started: RunningProcess | undefined;
  // Another process may take the free port before Mosquitto does: then the next one is tried.
  for (let attempt = 1; started === undefined; attempt++) {
    port = await freePort();
    await writeFile(configFile, configurationText(options, { folder, port, certificates, passwordFile }));
    started = await startProcess(configFile, port).catch((error: unknown) => {
      if (attempt === START_ATTEMPTS) throw error;
      return undefined;
    });
  }
  let current: RunningProcess = started;
  const stop = (): Promise<void> => endProcess(current.child);
  return {
    url: `${certificates === undefined ? "mqtt" : "mqtts"}://127.0.0.1:${port}`,
    port,
    folder,
    certificates,
    get pid() {
      return current.child.pid ?? 0;
    },
    log: () => current.log(),
    stop,
    start: async () => {
      current = await startProcess(configFile, port);
    },
    dispose: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface ConfigurationParts {
  readonly folder: string;
  readonly port: number;
  readonly certificates: Certificates | undefined;
  readonly passwordFile: string | undefined;
}

function configurationText(options: MosquittoOptions, parts: ConfigurationParts): string {
  const lines = [
    `listener ${parts.port} 127.0.0.1`,
    "log_dest stderr",
    "log_type all",
    "connection_messages true",
  ];
  // Started by root, Mosquitto would change to a user who cannot read the temporary folder.
  if (process.getuid?.() === 0) lines.push("user root");
  if (parts.certificates !== undefined) {
    const { caFile, server } = parts.certificates;
    lines.push(`cafile ${caFile}`, `certfile ${server.certFile}`, `keyfile ${server.keyFile}`);
    if (options.tls?.clientCertificates === true) {
      lines.push("require_certificate true", "use_identity_as_username true");
    }
  }
  lines.push(`allow_anonymous ${parts.passwordFile === undefined}`);
  if (parts.passwordFile !== undefined) lines.push(`password_file ${parts.passwordFile}`);
  if (options.aclFile !== undefined) lines.push(`acl_file ${options.aclFile}`);
  if (options.persistent === true) {
    lines.push("persistence true", `persistence_location ${parts.folder}/`);
  }
  return `${[...lines, ...(options.configuration ?? [])].join("\n")}\n`;
}

async function makePasswordFile(folder: string, users: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, "passwords");
  const lines = Object.entries(users).map(([name, password]) => `${name}:${password}\n`);
  await writeFile(path, lines.join(""), { mode: 0o600 });
  await run(toolPath("mosquitto_passwd"), ["-U", path]);
  await chmod(path, 0o600);
  return path;
}

/** No broker may outlive a test that ends without its teardown. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

interface RunningProcess {
  readonly child: ChildProcess;
  log(): string;
}

async function startProcess(configFile: string, port: number): Promise<RunningProcess> {
  const child = spawn(toolPath("mosquitto"), ["-c", configFile], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  running.add(child);
  child.once("exit", () => running.delete(child));

  const until = Date.now() + START_TIMEOUT_MS;
  // Its own word first: a port that somebody else took meanwhile takes connections as well.
  while (!log.includes(RUNNING) || !(await acceptsConnections(port))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      await endProcess(child);
      throw new Error(`Mosquitto did not start on port ${port}:\n${log}`);
    }
    await delay(20);
  }
  return { child, log: () => log };
}

async function acceptsConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}
