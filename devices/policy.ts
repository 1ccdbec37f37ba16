/**
 * The device's policy: its hardware by name, and what is granted of it. Narrows the tables `sensor`, `serial` and
 * `grant` of device.toml:
 *
 *     [sensor.ambient]
 *     driver = "hwmon"            # or "simulated", with start, amplitude, period, unit
 *     chip = "lm75"
 *     channel = "temp1"
 *
 *     [serial.modbus0]
 *     driver = "port"             # or "virtual", with link
 *     path = "/dev/ttyUSB0"
 *     baud = 9600
 *
 *     [[grant]]
 *     module = "acme/*"
 *     sensor = ["ambient"]
 *     publish = ["telemetry/#"]
 *     subscribe = ["message/#"]   # what the operator sends to it; "telemetry/acme.thermo/#": what that module publishes
 *     network = ["api.example.org:443", "10.0.0.0/8:502"]    # network-rules.ts
 *     listen = ["*:8080"]
 *     memory = "4MiB"
 *     storage = "1MiB"            # private files; none without it
 *     code = "2MiB"               # of its component; 1MiB without it
 *     config = { setpoint = "21" }    # what wasi:config tells it, whatever its manifest says
 */

import { type Grant, matchesModule, mergedConfig } from "./grants.ts";
import {
  DEFAULT_CODE_BYTES,
  DEFAULT_MEMORY_BYTES,
  MAX_BAUD,
  MAX_CODE_BYTES,
  MAX_CONFIG_BYTES,
  MAX_CONFIG_VALUE_LENGTH,
  MAX_CONFIG_VALUES,
  MAX_GRANT_NAMES,
  MAX_MEMORY_BYTES,
  MAX_POLICY_ENTRIES,
  MAX_SIMULATED_PERIOD_MS,
  MAX_STORAGE_BYTES,
  MIN_BAUD,
} from "./limits.ts";
import { listenRuleProblem, networkRuleProblem } from "./network-rules.ts";
import { formatSize, SIZE_UNITS_BYTES } from "./sizes.ts";
import { isTable, type ReportProblem, TableReader } from "./table-reader.ts";
import { subscribeFilterProblem, topicFilterProblem } from "./topic-filter.ts";

/** A sensor that the kernel's hwmon drivers know. */
export type HwmonConfig = {
  readonly driver: "hwmon";
  /** The driver's name for its chip: the content of `/sys/class/hwmon/*`+`/name`. */
  readonly chip: string;
  /** Kind and number: `temp1`, `in0`, `humidity1` … */
  readonly channel: string;
  /** Which of several chips of that name: the bus address, such as `1-0048`. */
  readonly device: string | undefined;
};

/** A sine around a middle value, for development and demonstrations. */
export type SimulatedSensorConfig = {
  readonly driver: "simulated";
  readonly start: number;
  readonly amplitude: number;
  readonly periodMs: number;
  readonly unit: string;
};

type SensorConfig = HwmonConfig | SimulatedSensorConfig;

/** A serial port of the operating system, with its line settings. */
export type SerialPortConfig = {
  readonly driver: "port";
  readonly path: string;
  readonly baud: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  readonly flowControl: "none" | "hardware" | "software";
};

/** A pair of pseudo-terminals: the module has one end, a program of the owner the other. */
type VirtualSerialConfig = {
  readonly driver: "virtual";
  /** Where a symbolic link to the far end is put, if anywhere. */
  readonly link: string | undefined;
};

export type SerialConfig = SerialPortConfig | VirtualSerialConfig;

export type DevicePolicy = {
  readonly sensors: ReadonlyMap<string, SensorConfig>;
  readonly serialPorts: ReadonlyMap<string, SerialConfig>;
  readonly grants: readonly Grant[];
};

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const NAME_RULE = "must be 1 to 64 lower-case letters, digits, _ and -";
const MODULE_PATTERN = /^(?:\*\/\*|[a-z0-9][a-z0-9-]{0,31}\/(?:\*|[a-z0-9][a-z0-9-]{0,31}))$/;

const CONFIG_KEY = /^[A-Za-z0-9_.-]{1,64}$/;

const DURATION_UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/**
 * Narrows the policy's tables; each of the three may be absent.
 *
 * Every mistake goes to `report`; what it stands in is left out of the result, which is thus for use only if nothing
 * was reported.
 */
export function parseDevicePolicy(
  tables: { readonly sensor?: unknown; readonly serial?: unknown; readonly grant?: unknown },
  report: ReportProblem,
): DevicePolicy {
  const sensors = namedEntries("sensor", tables.sensor, report, sensorConfig);
  const serialPorts = namedEntries("serial", tables.serial, report, serialConfig);
  const grants = grantList(tables.grant, report, tables);
  reportLargeConfig(grants, report);
  return { sensors, serialPorts, grants };
}

/** What a module is told at its start has to fit into one message to its worker; several grants add up. */
function reportLargeConfig(grants: readonly Grant[], report: ReportProblem): void {
  for (const [index, grant] of grants.entries()) {
    if (grant.config === undefined) continue;
    // A pattern for many modules is fitted by the patterns that are as wide or wider, as a name is.
    const others = grants.filter(({ module }) => matchesModule(module, grant.module));
    const { config = {} } = mergedConfig(others.map((one) => one.config));
    const sizeBytes = Buffer.byteLength(JSON.stringify(config));
    if (sizeBytes <= MAX_CONFIG_BYTES) continue;
    const size = `${formatSize(sizeBytes)} together with the other grants that fit it`;
    report(
      ["grant", index, "config"],
      `${grant.module} is told ${size}, ${formatSize(MAX_CONFIG_BYTES)} are the most: shorten the values`,
    );
  }
}

function namedEntries<Config>(
  table: "sensor" | "serial",
  value: unknown,
  report: ReportProblem,
  parse: (reader: TableReader) => Config | undefined,
): ReadonlyMap<string, Config> {
  const entries = new Map<string, Config>();
  if (value === undefined) return entries;
  const names = isTable(value) ? Object.entries(value) : [];
  if (!isTable(value) || names.length > MAX_POLICY_ENTRIES) {
    report([table], `must be at most ${MAX_POLICY_ENTRIES} tables, as in [${table}.name]`);
    return entries;
  }
  for (const [name, entry] of names) {
    if (!NAME.test(name)) report([table, name], `the name ${NAME_RULE}`);
    if (!isTable(entry)) {
      report([table, name], "must be a table");
      continue;
    }
    const reader = new TableReader(entry, [table, name], report);
    const config = parse(reader);
    reader.finish();
    if (config !== undefined) entries.set(name, config);
  }
  return entries;
}

function sensorConfig(reader: TableReader): SensorConfig | undefined {
  const driver = reader.choice("driver", ["hwmon", "simulated"]);
  if (driver === undefined) return reader.skipRest();
  return driver === "hwmon" ? hwmonConfig(reader) : simulatedConfig(reader);
}

function hwmonConfig(reader: TableReader): HwmonConfig | undefined {
  const chip = reader.text("chip");
  const channel = reader.text("channel");
  const device = reader.optionalText("device");
  if (channel !== undefined && !/^(?:temp|in|curr|power|energy|humidity|fan)[0-9]{1,3}$/.test(channel)) {
    reader.problem(
      "channel",
      "must be temp, in, curr, power, energy, humidity or fan with its number, such as temp1",
    );
  }
  if (chip === undefined || channel === undefined) return undefined;
  return { driver: "hwmon", chip, channel, device };
}

function simulatedConfig(reader: TableReader): SimulatedSensorConfig | undefined {
  const start = reader.number("start", -1e9, 1e9, 20);
  const amplitude = reader.number("amplitude", 0, 1e9, 5);
  const periodMs = reader.quantity("period", DURATION_UNITS_MS, 1, MAX_SIMULATED_PERIOD_MS, 60_000);
  const unit = reader.text("unit", "Cel");
  if (start === undefined || amplitude === undefined || periodMs === undefined || unit === undefined) {
    return undefined;
  }
  return { driver: "simulated", start, amplitude, periodMs, unit };
}

function serialConfig(reader: TableReader): SerialConfig | undefined {
  const driver = reader.choice("driver", ["port", "virtual"], "port");
  if (driver === undefined) return reader.skipRest();
  if (driver === "virtual") return { driver, link: reader.optionalText("link") };
  const path = reader.text("path");
  const baud = reader.number("baud", MIN_BAUD, MAX_BAUD, 9600);
  const dataBits = reader.choice("data_bits", [8, 7, 6, 5], 8);
  const parity = reader.choice("parity", ["none", "even", "odd"], "none");
  const stopBits = reader.choice("stop_bits", [1, 2], 1);
  const flowControl = reader.choice("flow_control", ["none", "hardware", "software"], "none");
  if (baud !== undefined && !Number.isInteger(baud)) reader.problem("baud", "must be a whole number");
  if (path === undefined || baud === undefined || dataBits === undefined) return undefined;
  if (parity === undefined || stopBits === undefined || flowControl === undefined) return undefined;
  return { driver, path, baud, dataBits, parity, stopBits, flowControl };
}

/** Keys and texts for wasi:config. */
function configTable(reader: TableReader): { readonly config?: Readonly<Record<string, string>> } {
  const value = reader.raw("config");
  if (value === undefined) return {};
  const entries = isTable(value) ? Object.entries(value) : [];
  const isText = (text: unknown): text is string =>
    typeof text === "string" && text.length <= MAX_CONFIG_VALUE_LENGTH;
  const texts = entries.flatMap(([key, text]) => (CONFIG_KEY.test(key) && isText(text) ? [[key, text]] : []));
  if (!isTable(value) || entries.length > MAX_CONFIG_VALUES || texts.length < entries.length) {
    reader.problem(
      "config",
      `must be a table of at most ${MAX_CONFIG_VALUES} texts of at most ${MAX_CONFIG_VALUE_LENGTH} characters, such as { setpoint = "21" }`,
    );
  }
  return { config: Object.fromEntries(texts) };
}

function grantList(
  value: unknown,
  report: ReportProblem,
  hardware: { readonly sensor?: unknown; readonly serial?: unknown },
): readonly Grant[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_POLICY_ENTRIES) {
    report(["grant"], `must be at most ${MAX_POLICY_ENTRIES} tables, each as [[grant]]`);
    return [];
  }
  const entries: readonly unknown[] = value;
  return entries.flatMap((entry, index) => {
    if (!isTable(entry)) {
      report(["grant", index], "must be a table");
      return [];
    }
    const reader = new TableReader(entry, ["grant", index], report);
    const module = reader.text("module");
    if (module !== undefined && !MODULE_PATTERN.test(module)) {
      reader.problem("module", 'must be "publisher/name", "publisher/*" or "*/*"');
    }
    const grant = {
      sensor: reader.texts("sensor", MAX_GRANT_NAMES, (name) =>
        unknownDevice("sensor", name, hardware.sensor),
      ),
      serial: reader.texts("serial", MAX_GRANT_NAMES, (name) =>
        unknownDevice("serial", name, hardware.serial),
      ),
      publish: reader.texts("publish", MAX_GRANT_NAMES, topicFilterProblem),
      subscribe: reader.texts("subscribe", MAX_GRANT_NAMES, subscribeFilterProblem),
      network: reader.texts("network", MAX_GRANT_NAMES, networkRuleProblem),
      listen: reader.texts("listen", MAX_GRANT_NAMES, listenRuleProblem),
      memoryBytes: reader.quantity(
        "memory",
        SIZE_UNITS_BYTES,
        65_536,
        MAX_MEMORY_BYTES,
        DEFAULT_MEMORY_BYTES,
      ),
      storageBytes: reader.quantity("storage", SIZE_UNITS_BYTES, 0, MAX_STORAGE_BYTES, 0),
      codeBytes: reader.quantity("code", SIZE_UNITS_BYTES, 1024, MAX_CODE_BYTES, DEFAULT_CODE_BYTES),
    };
    const config = configTable(reader);
    reader.finish();
    const { memoryBytes, storageBytes, codeBytes } = grant;
    if (module === undefined || memoryBytes === undefined) return [];
    if (storageBytes === undefined || codeBytes === undefined) return [];
    return [{ module, ...grant, memoryBytes, storageBytes, codeBytes, ...config }];
  });
}

/** A grant of a device that is nowhere defined is a slip of the pen: it would never have an effect. */
function unknownDevice(kind: "sensor" | "serial", name: string, table: unknown): string | undefined {
  if (isTable(table) && Object.hasOwn(table, name)) return undefined;
  return `there is no [${kind}.${name}]`;
}
