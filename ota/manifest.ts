/**
 * The module's manifest, `module.toml` (docs/ARCHITECTURE.md, "Metadata"): what a module is, what it asks of the
 * device, and what counts as healthy. Signed as a target of the image repository, read only after its hash held.
 */

import { OtaError } from "./errors.ts";
import {
  MAX_CONFIG_BYTES,
  MAX_CONFIG_VALUE_LENGTH,
  MAX_CONFIG_VALUES,
  MAX_ENVIRONMENT_BYTES,
  MAX_ENVIRONMENT_VALUE_LENGTH,
  MAX_ENVIRONMENT_VARIABLES,
  MAX_HARDWARE_NAMES,
  MAX_HEALTH_WINDOW_MS,
  MAX_MEMORY_REQUEST_BYTES,
  MAX_PATH_LENGTH,
  MAX_REACTOR_INTERVAL_MS,
  MAX_REQUESTED_NAMES,
  MAX_STORAGE_REQUEST_BYTES,
  MIN_HEALTH_WINDOW_MS,
  MIN_REACTOR_INTERVAL_MS,
} from "./limits.ts";
import { isConfigKey, isModuleName, isVersion } from "./names.ts";
import { parseToml, type TomlProblem } from "./toml.ts";
import { readTable, type TableReader } from "./toml-reader.ts";
import { formatSize } from "./units.ts";

/** `command` runs its `run` until it returns; `reactor` is called at an interval and sleeps in between. */
type World = "command" | "reactor";

/** What a trial asks for: it ran through the window; it published; its `health` export last answered ok. */
export type HealthRequirement = "alive" | "telemetry" | "health";

/** What the module asks of the device, by the names of the device's policy. */
type ModuleRequest = {
  readonly sensor: readonly string[];
  readonly serial: readonly string[];
  /** Topic filters below the module's own topic, such as `telemetry/#`. */
  readonly publish: readonly string[];
  /** Topic filters of what it wants to be told: below `message/` and `telemetry/<publisher.name>/`. */
  readonly subscribe: readonly string[];
  /** Hosts to connect to, as `HOST:PORT`; undefined for a module that does not use the network. */
  readonly network?: readonly string[];
  /** The device's addresses to be reached at, as `ADDRESS:PORT`; undefined as above. */
  readonly listen?: readonly string[];
  /** Linear memory, in bytes. */
  readonly memoryBytes: number;
  /** Private files, in bytes; 0 for a module that keeps none. */
  readonly storageBytes: number;
  /** What wasi:config tells the module, unless the device's owner says otherwise; absent where the manifest has none. */
  readonly config?: Readonly<Record<string, string>>;
};

export type Manifest = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly world: World;
  /** The kinds of hardware that it is for; any where the list is empty. */
  readonly hardware: readonly string[];
  readonly request: ModuleRequest;
  readonly env: Readonly<Record<string, string>>;
  /** For reactors. */
  readonly intervalMs: number | undefined;
  readonly health: { readonly windowMs: number; readonly require: readonly HealthRequirement[] };
};

const DEFAULT_MEMORY_REQUEST_BYTES = 4 * 1024 * 1024;
const DEFAULT_INTERVAL_MS = 1_000;
const DEFAULT_HEALTH_WINDOW_MS = 10_000;
const DEVICE_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const HARDWARE = {
  pattern: DEVICE_NAME,
  expected: "the name of a kind of hardware",
  maxItems: MAX_HARDWARE_NAMES,
};
const TOPIC_FILTER = /^[A-Za-z0-9_.-]+(?:\/(?:[A-Za-z0-9_.-]+|\+(?=\/|$)))*(?:\/#)?$/;
const SUBSCRIBE_FILTER = /^(?:message|telemetry)(?:\/(?:[A-Za-z0-9_.-]+|\+(?=\/|$)))*(?:\/#)?$/;
/** Its form only: the device's policy says whether it makes sense. */
const NETWORK_RULE =
  /^(?:\*|(?:\*\.)?[A-Za-z0-9_.-]+(?:\/\d{1,2})?|\[[0-9A-Fa-f:.]+(?:\/\d{1,3})?\]):(?:\*|\d{1,5}(?:-\d{1,5})?)(?:\/(?:tcp|udp))?$/;
const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/**
 * Reads a manifest; `fileName` is how messages call it.
 *
 * @throws OtaError "manifest/malformed", "manifest/unknown-key", each naming the line
 */
export async function parseManifest(bytes: Uint8Array, fileName = "module.toml"): Promise<Manifest> {
  const document = await parseToml(decodeText(bytes, fileName), fileName, manifestError);
  const root = readTable(document);
  const world = root.oneOf("world", ["command", "reactor"]);
  const manifest: Manifest = {
    name: root.string("name"),
    version: root.string("version"),
    description: root.string("description", {}, ""),
    world,
    hardware: root.strings("hardware", HARDWARE, []),
    request: { ...readRequest(root.table("request"), world), ...readConfig(root.table("config")) },
    env: readEnvironment(root.table("env")),
    intervalMs: readInterval(root, world),
    health: readHealth(root.table("health"), world),
  };
  if (!isModuleName(manifest.name)) {
    throw root.wrongValue("name", 'must be publisher/name, each of a-z, 0-9 and "-"');
  }
  if (!isVersion(manifest.version)) {
    throw root.wrongValue("version", 'must be a semantic version without build metadata, such as "1.2.0"');
  }
  if (manifest.health.require.includes("telemetry") && manifest.request.publish.length === 0) {
    throw root.wrongValue(
      "health",
      "requires telemetry, but [request] publish asks for no topic to send it to",
    );
  }
  root.finish();
  return manifest;
}

/**
 * Holds a manifest against the release that it came with: signatures cover both, so a difference is the publisher's slip.
 *
 * @throws OtaError "manifest/mismatch"
 */
export function checkManifestMatches(
  manifest: Manifest,
  release: { readonly module: string; readonly version: string },
): void {
  if (manifest.name !== release.module || manifest.version !== release.version) {
    throw new OtaError(
      "manifest/mismatch",
      `${release.module}@${release.version} came with the manifest of ${manifest.name}@${manifest.version}: publish it again`,
    );
  }
}

/** A module that says nothing of it has no network; one with an empty list has its interfaces, and reaches nothing. */
function readNetwork(request: TableReader): Pick<ModuleRequest, "network" | "listen"> {
  const rules = { pattern: NETWORK_RULE, maxLength: MAX_PATH_LENGTH, maxItems: MAX_REQUESTED_NAMES };
  const hosts = { ...rules, expected: 'HOST:PORT, such as "api.example.org:443"' };
  const network = request.strings("network", hosts, undefined);
  const listen = request.strings(
    "listen",
    { ...rules, expected: 'ADDRESS:PORT, such as "*:8080"' },
    undefined,
  );
  return { ...(network === undefined ? {} : { network }), ...(listen === undefined ? {} : { listen }) };
}

function readRequest(request: TableReader, world: World): ModuleRequest {
  const names = {
    pattern: DEVICE_NAME,
    expected: "a name of the device's policy",
    maxItems: MAX_REQUESTED_NAMES,
  };
  return {
    sensor: request.strings("sensor", names, []),
    serial: request.strings("serial", names, []),
    publish: request.strings(
      "publish",
      {
        pattern: TOPIC_FILTER,
        expected: 'a topic filter below the module\'s own topic, such as "telemetry/#"',
        maxLength: MAX_PATH_LENGTH,
        maxItems: MAX_REQUESTED_NAMES,
      },
      [],
    ),
    subscribe: readSubscribe(request, world),
    ...readNetwork(request),
    memoryBytes: request.sizeBytes(
      "memory",
      { min: 1, max: MAX_MEMORY_REQUEST_BYTES },
      DEFAULT_MEMORY_REQUEST_BYTES,
    ),
    storageBytes: request.sizeBytes("storage", { min: 0, max: MAX_STORAGE_REQUEST_BYTES }, 0),
  };
}

function readSubscribe(request: TableReader, world: World): readonly string[] {
  const filters = request.strings(
    "subscribe",
    {
      pattern: SUBSCRIBE_FILTER,
      expected:
        'a topic filter below message/ or telemetry/, such as "message/#" or "telemetry/acme.thermo/#"',
      maxLength: MAX_PATH_LENGTH,
      maxItems: MAX_REQUESTED_NAMES,
    },
    [],
  );
  if (world === "command" && filters.length > 0) {
    throw request.wrongValue(
      "subscribe",
      "is for reactors: a command has no function that a message could call",
    );
  }
  return filters;
}

function readEnvironment(env: TableReader): Record<string, string> {
  const names = env.keys();
  const [first] = names;
  if (first !== undefined && names.length > MAX_ENVIRONMENT_VARIABLES) {
    throw env.wrongValue(
      first,
      `is one of ${names.length} variables; at most ${MAX_ENVIRONMENT_VARIABLES} are allowed`,
    );
  }
  const variables: Record<string, string> = Object.fromEntries(
    names.map((name) => {
      if (!ENVIRONMENT_NAME.test(name)) {
        throw env.wrongValue(name, "is no name for an environment variable");
      }
      return [name, env.string(name, { maxLength: MAX_ENVIRONMENT_VALUE_LENGTH })];
    }),
  );
  requireSize(env, variables, MAX_ENVIRONMENT_BYTES);
  return variables;
}

/** What a module is told at its start has to fit into one message to its worker. */
function requireSize(table: TableReader, values: Readonly<Record<string, string>>, maxBytes: number): void {
  const sizeBytes = Buffer.byteLength(JSON.stringify(values));
  const [first] = Object.keys(values);
  if (first === undefined || sizeBytes <= maxBytes) return;
  throw table.wrongValue(
    first,
    `is one of values that take ${formatSize(sizeBytes)} together; ${formatSize(maxBytes)} are the most: shorten them, or put what does not change into the component`,
  );
}

function readConfig(config: TableReader): Pick<ModuleRequest, "config"> {
  const keys = config.keys();
  const [first] = keys;
  if (first === undefined) return {};
  if (keys.length > MAX_CONFIG_VALUES) {
    throw config.wrongValue(
      first,
      `is one of ${keys.length} values; at most ${MAX_CONFIG_VALUES} are allowed`,
    );
  }
  const entries = keys.map((key) => {
    if (!isConfigKey(key)) throw config.wrongValue(key, "must be 1 to 64 letters, digits, _, . and -");
    return [key, config.string(key, { maxLength: MAX_CONFIG_VALUE_LENGTH })];
  });
  const values: Record<string, string> = Object.fromEntries(entries);
  requireSize(config, values, MAX_CONFIG_BYTES);
  return { config: values };
}

function readInterval(root: TableReader, world: World): number | undefined {
  if (world === "command") {
    // A table that the world has no use for stays unread and is reported as unknown.
    return undefined;
  }
  const range = { min: MIN_REACTOR_INTERVAL_MS, max: MAX_REACTOR_INTERVAL_MS };
  return root.table("reactor").durationMs("interval", range, DEFAULT_INTERVAL_MS);
}

function readHealth(health: TableReader, world: World): Manifest["health"] {
  // A command has no `health` export that could answer.
  const choices = world === "reactor" ? ["alive", "telemetry", "health"] : ["alive", "telemetry"];
  const required: readonly string[] = health.strings(
    "require",
    { oneOf: choices, maxItems: choices.length },
    [],
  );
  return {
    windowMs: health.durationMs(
      "window",
      { min: MIN_HEALTH_WINDOW_MS, max: MAX_HEALTH_WINDOW_MS },
      DEFAULT_HEALTH_WINDOW_MS,
    ),
    // Staying alive through the window is always required: committing what has ended would leave nothing running.
    require: [
      "alive",
      ...(["telemetry", "health"] as const).filter((requirement) => required.includes(requirement)),
    ],
  };
}

function decodeText(bytes: Uint8Array, fileName: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new OtaError("manifest/malformed", `${fileName} is not UTF-8 text`, { cause: error });
  }
}

function manifestError(problem: TomlProblem, options?: ErrorOptions): OtaError {
  const code = problem.kind === "unknown-key" ? "manifest/unknown-key" : "manifest/malformed";
  return new OtaError(code, problem.message, { ...options, details: { line: problem.line } });
}
