/**
 * What a module gets: the policy's decision on a request. Pure, and deny by default: everything that is asked for has
 * to be granted by an entry whose pattern fits the module's name; several entries add up.
 */

import { DEFAULT_CODE_BYTES } from "./limits.ts";
import { coversRule, type NetworkGrants, parseNetworkRule, rulesOf } from "./network-rules.ts";
import { formatSize } from "./sizes.ts";
import { coversFilter } from "./topic-filter.ts";

/** One `[[grant]]` of the policy. */
export type Grant = {
  /** `publisher/name`, `publisher/*`, or both starred for every module. */
  readonly module: string;
  readonly sensor: readonly string[];
  readonly serial: readonly string[];
  /** Topic filters relative to the module. */
  readonly publish: readonly string[];
  /** Topic filters of what the module may be told (devices/topic-filter.ts). */
  readonly subscribe: readonly string[];
  /** Rules of what it may connect and send to (network-rules.ts). */
  readonly network: readonly string[];
  /** Rules of where on the device it may be reached. */
  readonly listen: readonly string[];
  /** Linear memory, in bytes. */
  readonly memoryBytes: number;
  /** Private files, in bytes; 0 is none at all. */
  readonly storageBytes: number;
  /** WebAssembly code of its component, in bytes. */
  readonly codeBytes: number;
  /** What wasi:config tells it, instead of what its manifest says under the same keys. */
  readonly config?: Readonly<Record<string, string>>;
};

/** What a module's manifest asks for. */
export type GrantRequest = {
  readonly sensor: readonly string[];
  readonly serial: readonly string[];
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** Left out by a module that does not use the network; an empty list reaches nothing, and needs no grant. */
  readonly network?: readonly string[] | undefined;
  readonly listen?: readonly string[] | undefined;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  /** The manifest's own values for wasi:config: nothing that has to be granted. */
  readonly config?: Readonly<Record<string, string>>;
};

/** What a module may do: what it asked for, never more. */
export type Grants = {
  readonly sensors: readonly string[];
  readonly serial: readonly string[];
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly network?: NetworkGrants;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly config?: Readonly<Record<string, string>>;
};

/** One thing that was asked for and not granted. */
type Refusal = {
  readonly capability:
    | "module"
    | "sensor"
    | "serial"
    | "publish"
    | "subscribe"
    | "network"
    | "listen"
    | "memory"
    | "storage";
  /** The sensor, port, topic filter or rule; the module for "module"; the bytes for "memory" and "storage". */
  readonly name: string;
  /** For the operator: what is missing, and what to write into the policy. */
  readonly message: string;
};

export type GrantDecision =
  | { readonly kind: "granted"; readonly grants: Grants }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] };

/** Decides on a request: all of it, or a refusal for each part that no grant covers. */
export function decideGrants(
  policy: { readonly grants: readonly Grant[] },
  moduleName: string,
  request: GrantRequest,
): GrantDecision {
  const grants = policy.grants.filter((grant) => matchesModule(grant.module, moduleName));
  const refusals =
    grants.length === 0 ? [noGrantAtAll(moduleName)] : [...refusalsOf(grants, moduleName, request)];
  if (refusals.length > 0) return { kind: "refused", refusals };
  const { sensor, network, listen, config, ...rest } = request;
  const allowed = { connect: rulesOf(network ?? []), listen: rulesOf(listen ?? []) };
  const grantedNetwork = asksForNetwork(request) ? { network: allowed } : {};
  const told = mergedConfig([config, ...grants.map((grant) => grant.config)]);
  return { kind: "granted", grants: { sensors: sensor, ...rest, ...grantedNetwork, ...told } };
}

/** Whether a module asks for the network at all: for its interfaces, if for nothing behind them. */
export function asksForNetwork({ network, listen }: GrantRequest): boolean {
  return network !== undefined || listen !== undefined;
}

/** What of the grants concerns the running module's calls. */
export function moduleGrants({ sensors, serial, publish, network, config, storageBytes }: Grants) {
  return {
    ...{ sensors, serial, publish, storageBytes },
    ...(network === undefined ? {} : { network }),
    ...(config === undefined ? {} : { config }),
  };
}

/** Values of wasi:config, the later ones in the place of earlier ones; none at all where nobody gives any. */
export function mergedConfig(tables: readonly (Readonly<Record<string, string>> | undefined)[]): {
  readonly config?: Readonly<Record<string, string>>;
} {
  const entries = tables.flatMap((table) => Object.entries(table ?? {}));
  return entries.length === 0 ? {} : { config: Object.fromEntries(entries) };
}

/**
 * How much code a module's component may have, in bytes: a manifest does not ask for it, the component has it or not. The
 * engine makes machine code of it, which counts to no memory of the module's.
 */
export function grantedCodeBytes(policy: { readonly grants: readonly Grant[] }, moduleName: string): number {
  const grants = policy.grants.filter((grant) => matchesModule(grant.module, moduleName));
  return grants.length === 0 ? DEFAULT_CODE_BYTES : Math.max(...grants.map(({ codeBytes }) => codeBytes));
}

/** Whether a pattern of the policy fits a module's name. */
export function matchesModule(pattern: string, moduleName: string): boolean {
  if (pattern === "*/*") return true;
  return pattern.endsWith("/*") ? moduleName.startsWith(pattern.slice(0, -1)) : moduleName === pattern;
}

/**
 * The WIT interfaces, without version, that these grants open. A component that imports another one of Skerry's is
 * refused when it is staged, whatever its manifest says.
 */
export function grantedInterfaces(grants: Grants): readonly string[] {
  return [
    ...(grants.sensors.length > 0 ? ["skerry:device/sensor"] : []),
    ...(grants.serial.length > 0 ? ["skerry:device/serial"] : []),
    ...(grants.publish.length > 0 ? ["skerry:module/messaging"] : []),
  ];
}

function* refusalsOf(
  grants: readonly Grant[],
  moduleName: string,
  request: GrantRequest,
): Generator<Refusal> {
  for (const capability of ["sensor", "serial"] as const) {
    for (const name of request[capability]) {
      if (!grants.some((grant) => grant[capability].includes(name))) {
        yield refusal(capability, moduleName, name, `${capability} "${name}"`);
      }
    }
  }
  for (const capability of ["publish", "subscribe"] as const) {
    const toDo = capability === "publish" ? "to publish on" : "to be told";
    for (const filter of request[capability]) {
      if (!grants.some((grant) => grant[capability].some((wide) => coversFilter(wide, filter)))) {
        yield refusal(capability, moduleName, filter, `${toDo} "${filter}"`);
      }
    }
  }
  for (const capability of ["network", "listen"] as const) {
    for (const rule of request[capability] ?? []) {
      if (!grants.some((grant) => isCovered(grant[capability], rule))) {
        const what = capability === "network" ? `"${rule}" on the network` : `being reached at "${rule}"`;
        yield refusal(capability, moduleName, rule, what);
      }
    }
  }
  for (const capability of ["memory", "storage"] as const) {
    const wantedBytes = request[`${capability}Bytes`];
    const grantedBytes = Math.max(...grants.map((grant) => grant[`${capability}Bytes`]));
    if (wantedBytes > grantedBytes) {
      yield {
        capability,
        name: `${wantedBytes}`,
        message:
          `${moduleName} asks for ${formatSize(wantedBytes)} of ${capability} and is granted ${formatSize(grantedBytes)}: ` +
          `raise ${capability} in its [[grant]], or use a version that needs less`,
      };
    }
  }
}

/** A text that is no rule is covered by nothing. */
function isCovered(wide: readonly string[], narrow: string): boolean {
  const rule = parseNetworkRule(narrow);
  return rule !== undefined && rulesOf(wide).some((one) => coversRule(one, rule));
}

function refusal(
  capability: "sensor" | "serial" | "publish" | "subscribe" | "network" | "listen",
  moduleName: string,
  name: string,
  what: string,
): Refusal {
  return {
    capability,
    name,
    message: `${moduleName} asks for ${what}, which no grant gives it: add "${name}" to ${capability} in a [[grant]] for it`,
  };
}

function noGrantAtAll(moduleName: string): Refusal {
  return {
    capability: "module",
    name: moduleName,
    message: `no [[grant]] of the policy fits ${moduleName}: add one with module = "${moduleName}"`,
  };
}
