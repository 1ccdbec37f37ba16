/**
 * device.toml, the device's configuration:
 *
 *     fleet = "demo"
 *     id = "pi-01"                           # default: the host name, if it can be an id
 *     groups = ["default"]
 *     hardware = "rpi-4"                     # the kind of hardware, for releases that are not for any; may be left out
 *     state_dir = "/var/lib/skerry"
 *     storage_budget = "64MiB"               # what versions of modules may take on the disk; default: all that is free
 *
 *     [broker]
 *     url = "mqtts://broker.example:8883"    # or mqtt://; the port may be left out
 *     username = "pi-01"
 *     password_file = "password"
 *     ca_file = "ca.pem"                     # with mqtts:// only, like the next two
 *     cert_file = "pi-01.pem"
 *     key_file = "pi-01.key"
 *     keepalive = "60s"
 *
 *     [trust]
 *     image_root = "image.root.json"
 *     director_root = "director.root.json"
 *
 * and the device's hardware and grants: `[sensor.…]`, `[serial.…]`, `[[grant]]` (devices/policy.ts). Relative paths are relative to the
 * file's folder; an empty path is the same as none. Every key is checked, and a mistake is reported with its line.
 */
import { readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { type DevicePolicy, parseDevicePolicy, type SerialConfig } from "../devices/policy.ts";
import { MAX_TOML_BYTES } from "../ota/limits.ts";
import { isDeviceId, isFleetName, isGroupName, isHardwareName } from "../ota/names.ts";
import { parseToml, type TomlDocument, type TomlProblem } from "../ota/toml.ts";
import { readTable, type TableReader } from "../ota/toml-reader.ts";
import { checkConfigFiles, type NamedFile } from "./config-files.ts";
import type { BrokerAccess } from "./credentials.ts";
import { AgentError, type ConfigErrorCode, messageOf } from "./errors.ts";
import {
  MAX_GROUPS,
  MAX_KEEPALIVE_SECONDS,
  MIN_KEEPALIVE_SECONDS,
  MIN_STORAGE_BUDGET_BYTES,
} from "./limits.ts";

/** A checked configuration; all paths are absolute. */
export interface AgentConfig {
  readonly fleet: string;
  readonly deviceId: string;
  readonly groups: readonly string[];
  /** The kind of hardware that this is, as releases name it. */
  readonly hardware: string | undefined;
  readonly stateDir: string;
  /** What versions and downloads may take, in bytes; undefined for all that is free. */
  readonly storageBudgetBytes: number | undefined;
  readonly broker: BrokerAccess;
  /** The roots that the device was given, which it trusts first. */
  readonly trust: { readonly imageRootFile: string; readonly directorRootFile: string };
  readonly policy: DevicePolicy;
}

export interface ParsedConfig {
  readonly config: AgentConfig;
  /** The files that it names, with what each has to be. */
  readonly files: readonly NamedFile[];
}

const DEFAULT_STATE_DIR = "/var/lib/skerry";
const DEFAULT_PORT = 1883;
const DEFAULT_TLS_PORT = 8883;
const DEFAULT_KEEPALIVE_MS = 60_000;
const MS_PER_SECOND = 1_000;
const URL_FORM = 'must be "mqtt://host:port" or "mqtts://host:port"';

/**
 * Reads and checks a configuration file and the files that it names.
 *
 * @throws AgentError `config/…`; its message has a line `device.toml:12: …` per mistake
 */
export async function loadConfig(path: string): Promise<AgentConfig> {
  const text = await readConfigText(path);
  const { config, files } = await parseConfig(text, path, hostname());
  await checkConfigFiles(files);
  return config;
}

/**
 * Reads the hardware and the grants of a configuration file, and nothing else of it: for modules that are run without
 * an agent, where a file with these tables alone will do.
 *
 * @throws AgentError `config/…`
 */
export async function loadPolicy(path: string): Promise<DevicePolicy> {
  const document = await parseToml(await readConfigText(path), basename(path), configError);
  return readPolicy(readTable(document), document, dirname(resolve(path)));
}

/**
 * Parses the text of a configuration file. No effects; `path` is for messages and for relative paths.
 *
 * @throws AgentError `config/…` with the line
 */
export async function parseConfig(text: string, path: string, hostName: string): Promise<ParsedConfig> {
  const document = await parseToml(text, basename(path), configError);
  const root = readTable(document);
  const files: NamedFile[] = [];
  const folder = dirname(resolve(path));
  const fileOf = (table: TableReader, key: string, use: NamedFile["use"]): string | undefined => {
    const written = table.string(key, {}, "");
    if (written === "") return undefined;
    const file = resolve(folder, written);
    files.push({ path: file, use, complain: (what) => table.wrongValue(key, what).message });
    return file;
  };
  const fleet = checkedName(root, "fleet", isFleetName);
  const deviceId = readDeviceId(root, hostName);
  const groups = root.strings("groups", { maxItems: MAX_GROUPS }, ["default"]);
  const wrongGroup = groups.find((group) => !isGroupName(group));
  if (wrongGroup !== undefined) throw root.wrongValue("groups", `has "${wrongGroup}"; ${NAME_FORM}`);
  const hardware = root.keys().includes("hardware")
    ? checkedName(root, "hardware", isHardwareName)
    : undefined;
  const stateDir = fileOf(root, "state_dir", "folder") ?? DEFAULT_STATE_DIR;
  const storageBudgetBytes = root.sizeBytes("storage_budget", { min: MIN_STORAGE_BUDGET_BYTES }, undefined);
  const broker = readBroker(root.table("broker"), fileOf);
  const trust = readTrust(root.table("trust"), fileOf);
  const policy = readPolicy(root, document, folder);
  root.finish();
  return {
    config: { fleet, deviceId, groups, hardware, stateDir, storageBudgetBytes, broker, trust, policy },
    files,
  };
}

type FileOf = (table: TableReader, key: string, use: NamedFile["use"]) => string | undefined;

const NAME_FORM = "names are 1 to 64 of a-z, 0-9, _ and -, the first no _ or -";

function checkedName(table: TableReader, key: string, isName: (text: string) => boolean): string {
  const name = table.string(key);
  if (!isName(name)) throw table.wrongValue(key, `is "${name}"; ${NAME_FORM}`);
  return name;
}

function readDeviceId(root: TableReader, hostName: string): string {
  const isWritten = root.keys().includes("id");
  if (isWritten) return checkedName(root, "id", isDeviceId);
  const fromHost = hostName.toLowerCase();
  if (isDeviceId(fromHost)) {
    // Asked for, so that a mistyped key is compared with it.
    root.raw("id");
    return fromHost;
  }
  throw root.wrongValue("id", `is missing, and the host name "${hostName}" cannot be one; ${NAME_FORM}`);
}

function readBroker(table: TableReader, fileOf: FileOf): BrokerAccess {
  const { tls, host, port } = readBrokerUrl(table);
  const username = table.string("username", {}, "");
  const passwordFile = fileOf(table, "password_file", "secret");
  const caFile = fileOf(table, "ca_file", "readable");
  const certFile = fileOf(table, "cert_file", "readable");
  const keyFile = fileOf(table, "key_file", "secret");
  const keepaliveMs = table.durationMs(
    "keepalive",
    { min: MIN_KEEPALIVE_SECONDS * MS_PER_SECOND, max: MAX_KEEPALIVE_SECONDS * MS_PER_SECOND },
    DEFAULT_KEEPALIVE_MS,
  );
  if (username === "" && passwordFile !== undefined) {
    throw table.wrongValue("password_file", "needs a username beside it");
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [present, absent] = certFile === undefined ? ["key_file", "cert_file"] : ["cert_file", "key_file"];
    throw table.wrongValue(present, `needs ${absent} beside it`);
  }
  for (const [key, file] of [["ca_file", caFile] as const, ["cert_file", certFile] as const]) {
    if (!tls && file !== undefined) throw table.wrongValue(key, "has no use without mqtts:// in url");
  }
  return {
    host,
    port,
    tls,
    username: username === "" ? undefined : username,
    passwordFile,
    caFile,
    certFile,
    keyFile,
    keepaliveSeconds: Math.round(keepaliveMs / MS_PER_SECOND),
  };
}

function readBrokerUrl(table: TableReader): { tls: boolean; host: string; port: number } {
  const written = table.string("url");
  const url = URL.parse(written);
  if (url === null || (url.protocol !== "mqtt:" && url.protocol !== "mqtts:") || url.hostname === "") {
    throw table.wrongValue("url", URL_FORM);
  }
  if (url.username !== "" || url.password !== "") {
    throw table.wrongValue("url", "must not hold credentials: use username and password_file");
  }
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") {
    throw table.wrongValue("url", `${URL_FORM}, with nothing behind it`);
  }
  const tls = url.protocol === "mqtts:";
  const port = url.port === "" ? (tls ? DEFAULT_TLS_PORT : DEFAULT_PORT) : Number(url.port);
  if (port === 0) throw table.wrongValue("url", "has port 0, which nobody listens on");
  // An IPv6 address stands in brackets in a URL, and without them everywhere else.
  return { tls, host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

function readTrust(table: TableReader, fileOf: FileOf): AgentConfig["trust"] {
  const required = (key: string): string => {
    const file = fileOf(table, key, "readable");
    if (file !== undefined) return file;
    // Reads it once more without a fallback: says that it is missing, or which other key was meant by it.
    table.string(key);
    throw table.wrongValue(key, "must name a file");
  };
  return { imageRootFile: required("image_root"), directorRootFile: required("director_root") };
}

function readPolicy(root: TableReader, document: TomlDocument, folder: string): DevicePolicy {
  const tables = { sensor: root.raw("sensor"), serial: root.raw("serial"), grant: root.raw("grant") };
  const problems: string[] = [];
  const policy = parseDevicePolicy(tables, (path, what) => {
    const where = path.map((key) => (typeof key === "number" ? `${key + 1}` : key)).join(".");
    problems.push(document.errorAt("wrong-value", path, `${where}: ${what}`).message);
  });
  if (problems.length > 0) throw new AgentError("config/wrong-value", problems.join("\n"));
  const serialPorts = [...policy.serialPorts].map(([name, port]) => [name, absolute(port, folder)] as const);
  return { ...policy, serialPorts: new Map(serialPorts) };
}

function absolute(port: SerialConfig, folder: string): SerialConfig {
  if (port.driver === "port") return { ...port, path: resolve(folder, port.path) };
  return { ...port, link: port.link === undefined ? undefined : resolve(folder, port.link) };
}

const CODES: Readonly<Record<TomlProblem["kind"], ConfigErrorCode>> = {
  syntax: "config/malformed",
  "unknown-key": "config/unknown-key",
  "missing-key": "config/missing-key",
  "wrong-value": "config/wrong-value",
};

function configError(problem: TomlProblem, options?: ErrorOptions): AgentError {
  return new AgentError(CODES[problem.kind], problem.message, options);
}

async function readConfigText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_TOML_BYTES) throw new Error(`it is larger than ${MAX_TOML_BYTES} bytes`);
    return await readFile(path, "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const message = isMissing ? `there is no file ${path}` : `cannot read ${path}: ${messageOf(error)}`;
    throw new AgentError("config/unreadable", message, { cause: error });
  }
}
