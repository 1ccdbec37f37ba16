/**
 * skerry.toml, the settings of a repository folder:
 *
 *     fleet = "demo"
 *     keys = "keys"                           # folder of the private keys
 *     [broker]
 *     url = "mqtt://127.0.0.1:1883"           # mqtt:// or mqtts://
 *     username = "operator"
 *     password_file = "broker.password"       # or the environment variable SKERRY_MQTT_PASSWORD
 *     ca_file = "ca.pem"
 *     cert_file = "operator.pem"
 *     key_file = "operator.key"
 *     [expiry]
 *     root = "365d"
 *     targets = "365d"
 *     snapshot = "7d"
 *     timestamp = "7d"
 *
 * Paths are relative to the file. Only `fleet` has to be there.
 */

import { join, resolve } from "node:path";
import type { RoleName } from "../ota/metadata.ts";
import { isFleetName } from "../ota/names.ts";
import { parseToml } from "../ota/toml.ts";
import { readTable, type TableReader } from "../ota/toml-reader.ts";
import { FleetError } from "./errors.ts";
import { readFileIfPresent } from "./files.ts";
import { MAX_SETTINGS_BYTES } from "./limits.ts";

export const SETTINGS_FILE = "skerry.toml";

/** Where the broker is, and the files with our credentials (absolute paths). */
interface BrokerSettings {
  readonly url: string;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** How long metadata is valid from its signing, in milliseconds. */
export interface ExpirySettings {
  readonly rootMs: number;
  readonly targetsMs: number;
  readonly snapshotMs: number;
  readonly timestampMs: number;
}

export interface FleetSettings {
  readonly fleet: string;
  /** Absolute path. */
  readonly keysFolder: string;
  readonly broker: BrokerSettings;
  readonly expiry: ExpirySettings;
}

export const DEFAULT_BROKER_URL = "mqtt://127.0.0.1:1883";

const DAY_MS = 86_400_000;
const MIN_EXPIRY_MS = 60_000;
const MAX_EXPIRY_MS = 3_650 * DAY_MS;
const BROKER_URL = /^mqtts?:\/\/(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?\/?$/;

/** Whether the text is an address that we can connect to; user and password never stand in it. */
export function isBrokerUrl(text: string): boolean {
  return BROKER_URL.test(text);
}

/**
 * Reads skerry.toml of a folder; throws FleetError "fleet/settings" with file and line, or
 * "fleet/no-repository".
 */
export async function readSettings(folder: string): Promise<FleetSettings> {
  const bytes = await readFileIfPresent(join(folder, SETTINGS_FILE), MAX_SETTINGS_BYTES);
  if (bytes === undefined) {
    throw new FleetError(
      "fleet/no-repository",
      `There is no ${SETTINGS_FILE} in ${folder}: create a repository with \`skerry keys init\`, or name its folder with --repo or SKERRY_REPO`,
    );
  }
  return parseSettings(bytes.toString("utf8"), folder);
}

/**
 * Parses the text of a skerry.toml that lies in `folder`; throws FleetError "fleet/settings" with the line.
 */
export async function parseSettings(text: string, folder: string): Promise<FleetSettings> {
  const document = await parseToml(
    text,
    SETTINGS_FILE,
    (problem, options) => new FleetError("fleet/settings", problem.message, options),
  );
  const root = readTable(document);
  const fleet = root.string("fleet", { expected: "a fleet name" });
  if (!isFleetName(fleet))
    throw root.wrongValue("fleet", "must be a fleet name: a-z, 0-9, _ and -, at most 64");
  const settings: FleetSettings = {
    fleet,
    keysFolder: resolve(folder, root.string("keys", {}, "keys")),
    broker: readBroker(root.table("broker"), folder),
    expiry: readExpiry(root.table("expiry")),
  };
  root.finish();
  return settings;
}

function readBroker(table: TableReader, folder: string): BrokerSettings {
  const url = table.string(
    "url",
    { pattern: BROKER_URL, expected: "mqtt://host:port or mqtts://host:port" },
    DEFAULT_BROKER_URL,
  );
  const file = (key: string): string | undefined => {
    const path = table.string(key, {}, undefined);
    return path === undefined ? undefined : resolve(folder, path);
  };
  return {
    url,
    username: table.string("username", {}, undefined),
    passwordFile: file("password_file"),
    caFile: file("ca_file"),
    certFile: file("cert_file"),
    keyFile: file("key_file"),
  };
}

function readExpiry(table: TableReader): ExpirySettings {
  const range = { min: MIN_EXPIRY_MS, max: MAX_EXPIRY_MS };
  return {
    rootMs: table.durationMs("root", range, 365 * DAY_MS),
    targetsMs: table.durationMs("targets", range, 365 * DAY_MS),
    snapshotMs: table.durationMs("snapshot", range, 7 * DAY_MS),
    timestampMs: table.durationMs("timestamp", range, 7 * DAY_MS),
  };
}

/** How long a role's metadata is valid from its signing, in milliseconds. */
export function lifetimeMs(expiry: ExpirySettings, role: RoleName): number {
  switch (role) {
    case "root":
      return expiry.rootMs;
    case "targets":
      return expiry.targetsMs;
    case "snapshot":
      return expiry.snapshotMs;
    case "timestamp":
      return expiry.timestampMs;
  }
}

/** The text of a new skerry.toml. */
export function settingsText(fleet: string, brokerUrl: string): string {
  return `# A Skerry repository: what the devices of a fleet may and should run. See \`skerry --help\`.
fleet = "${fleet}"
keys = "keys"   # the private keys; the offline ones may lie elsewhere

[broker]
url = "${brokerUrl}"
# username = "operator"
# password_file = "broker.password"   # or the environment variable SKERRY_MQTT_PASSWORD
# ca_file = "ca.pem"
# cert_file = "operator.pem"
# key_file = "operator.key"

# How long metadata is valid. \`skerry refresh\`, run from a timer, signs again what comes near its end:
# snapshot and timestamp with keys that may lie on a server. Without a server choose longer times.
[expiry]
root = "365d"
targets = "365d"
snapshot = "7d"
timestamp = "7d"
`;
}
