/**
 * What a module may import and has to export, by name: decided before anything of it runs.
 *
 * Names are the Component Model's interface names (`wasi:clocks/wall-clock@0.2.3`). Versions match as semver says:
 * whoever supplies 0.2 satisfies every 0.2.x (Rust components import 0.2.0 and 0.2.9 of one package at once).
 */

import type { ModuleGrants, World } from "./module-spec.ts";

/** The part of WASI 0.2 that every module gets: nothing in it reaches the device's files, network or hardware. */
export const WASI_INTERFACES = [
  "wasi:cli/environment",
  "wasi:cli/exit",
  "wasi:cli/stderr",
  "wasi:cli/stdin",
  "wasi:cli/stdout",
  "wasi:cli/terminal-input",
  "wasi:cli/terminal-output",
  "wasi:cli/terminal-stderr",
  "wasi:cli/terminal-stdin",
  "wasi:cli/terminal-stdout",
  "wasi:clocks/monotonic-clock",
  "wasi:clocks/wall-clock",
  "wasi:config/store",
  "wasi:filesystem/preopens",
  "wasi:filesystem/types",
  "wasi:io/error",
  "wasi:io/poll",
  "wasi:io/streams",
  "wasi:logging/logging",
  "wasi:random/insecure",
  "wasi:random/insecure-seed",
  "wasi:random/random",
] as const;

const DEVICE_INTERFACES = [
  "skerry:device/sensor",
  "skerry:device/serial",
  "skerry:module/messaging",
] as const;

/** The part of WASI 0.2 that a module gets when it was granted something of the network. */
const NETWORK_INTERFACES = [
  "wasi:http/outgoing-handler",
  "wasi:http/types",
  "wasi:sockets/instance-network",
  "wasi:sockets/ip-name-lookup",
  "wasi:sockets/network",
  "wasi:sockets/tcp",
  "wasi:sockets/tcp-create-socket",
  "wasi:sockets/udp",
  "wasi:sockets/udp-create-socket",
] as const;

/** A proposal beside WASI 0.2: for a module that was granted private files. */
const KEYVALUE_INTERFACES = ["wasi:keyvalue/atomics", "wasi:keyvalue/batch", "wasi:keyvalue/store"] as const;

export type KeyvalueInterface = (typeof KEYVALUE_INTERFACES)[number];
export type NetworkInterface = (typeof NETWORK_INTERFACES)[number];
export type WasiInterface = (typeof WASI_INTERFACES)[number];
export type DeviceInterface = (typeof DEVICE_INTERFACES)[number];
export type HostInterface = WasiInterface | NetworkInterface | KeyvalueInterface | DeviceInterface;

const EXPORTED_INTERFACES = [
  "wasi:cli/run",
  "skerry:module/lifecycle",
  "skerry:module/timer-handler",
  "skerry:module/message-handler",
] as const;
export type ExportedInterface = (typeof EXPORTED_INTERFACES)[number];

/** The versions of a package, or of all in a namespace, that this host stands for. */
const VERSIONS: Readonly<Record<string, RegExp>> = {
  wasi: /^0\.2\.(0|[1-9][0-9]*)$/,
  // Proposals of WASI that are not done: between two drafts anything may change.
  "wasi:config": /^0\.2\.0-rc\.1$/,
  "wasi:keyvalue": /^0\.2\.0-draft$/,
  "wasi:logging": /^0\.1\.0-draft$/,
  skerry: /^0\.1\.(0|[1-9][0-9]*)$/,
};

/** What the grants have to hold for an interface to be supplied, and how to ask for it. */
interface NeededGrant {
  granted(grants: ModuleGrants): boolean;
  readonly ask: string;
}

const NEEDED_GRANTS: Readonly<Record<DeviceInterface, NeededGrant>> = {
  "skerry:device/sensor": { granted: (grants) => grants.sensors.length > 0, ask: "sensor" },
  "skerry:device/serial": { granted: (grants) => grants.serial.length > 0, ask: "serial" },
  "skerry:module/messaging": { granted: (grants) => grants.publish.length > 0, ask: "publish" },
};

const NEEDED_FOR_KEYVALUE: NeededGrant = {
  granted: (grants) => (grants.storageBytes ?? 0) > 0,
  ask: "storage",
};

const NEEDED_FOR_NETWORK: NeededGrant = {
  granted: (grants) => grants.network !== undefined,
  ask: "network",
};

/** An import or export of a component, as `describeComponent` lists it. */
export interface Named {
  readonly name: string;
}

export interface MissingImport {
  /** As the component has it, with its version. */
  readonly name: string;
  /** `unknown`: no grant would help, this host does not have it. */
  readonly reason: "not-granted" | "unknown";
  /** For a person: what is missing and what to do. */
  readonly message: string;
}

/** Which imports of a component would not be supplied; none are missing if the list is empty. Pure. */
export function planImports(
  imports: readonly Named[],
  grants: ModuleGrants,
): { readonly missing: readonly MissingImport[] } {
  const missing: MissingImport[] = [];
  for (const { name } of imports) {
    const wanted = hostInterface(name);
    if (wanted === undefined) {
      const message = `imports ${name}, which this agent does not have; build the module without it`;
      missing.push({ name, reason: "unknown", message });
      continue;
    }
    const needed = neededGrant(wanted);
    if (needed !== undefined && !needed.granted(grants)) {
      const message =
        `imports ${name}, but no ${needed.ask} is granted to it; ` +
        `request it in the manifest's [request] and grant it in the device's policy`;
      missing.push({ name, reason: "not-granted", message });
    }
  }
  return { missing };
}

/** The exports that the world demands and the component lacks, without their version. Pure. */
export function checkExports(exports: readonly Named[], world: World): readonly ExportedInterface[] {
  const demanded: ExportedInterface = world === "command" ? "wasi:cli/run" : "skerry:module/lifecycle";
  return hasExport(exports, demanded) ? [] : [demanded];
}

/** Does a component export an interface, in a version that this host knows? */
export function hasExport(exports: readonly Named[], wanted: ExportedInterface): boolean {
  return exportName(exports, wanted) !== undefined;
}

/** The exact name under which a component exports an interface, or undefined. */
export function exportName(exports: readonly Named[], wanted: ExportedInterface): string | undefined {
  return exports.find(({ name }) => withoutVersion(name) === wanted)?.name;
}

/** The interface that a host calls which an export's name stands for, whatever its compatible version, or undefined. */
export function exportedInterface(name: string): ExportedInterface | undefined {
  const wanted = withoutVersion(name);
  return EXPORTED_INTERFACES.find((one) => one === wanted);
}

/** The interface of this host that an import's name stands for, whatever its compatible version, or undefined. */
export function hostInterface(name: string): HostInterface | undefined {
  const wanted = withoutVersion(name);
  return [...WASI_INTERFACES, ...NETWORK_INTERFACES, ...KEYVALUE_INTERFACES, ...DEVICE_INTERFACES].find(
    (one) => one === wanted,
  );
}

/** Whether an interface belongs to `wasi:sockets` or `wasi:http`. */
export function isNetworkInterface(name: HostInterface): name is NetworkInterface {
  return NETWORK_INTERFACES.some((one) => one === name);
}

/** Whether an interface belongs to `wasi:keyvalue`. */
export function isKeyvalueInterface(name: HostInterface): name is KeyvalueInterface {
  return KEYVALUE_INTERFACES.some((one) => one === name);
}

function neededGrant(name: HostInterface): NeededGrant | undefined {
  if (isNetworkInterface(name)) return NEEDED_FOR_NETWORK;
  if (isKeyvalueInterface(name)) return NEEDED_FOR_KEYVALUE;
  return isDeviceInterface(name) ? NEEDED_GRANTS[name] : undefined;
}

function isDeviceInterface(name: HostInterface): name is DeviceInterface {
  return DEVICE_INTERFACES.some((one) => one === name);
}

/** `wasi:cli/run` for `wasi:cli/run@0.2.6`; undefined without a version or with one that this host is not. */
function withoutVersion(name: string): string | undefined {
  const [unversioned, version, ...rest] = name.split("@");
  if (unversioned === undefined || version === undefined || rest.length > 0) {
    return undefined;
  }
  const [packageName = ""] = unversioned.split("/");
  const supported = VERSIONS[packageName] ?? VERSIONS[packageName.split(":")[0] ?? ""];
  return supported?.test(version) ? unversioned : undefined;
}
