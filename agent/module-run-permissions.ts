/** What a module that is run by hand may do: what its manifest requests and a policy file grants, as on a device. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { decideGrants, type Grant, grantedCodeBytes, mergedConfig, moduleGrants } from "../devices/grants.ts";
import { rulesOf } from "../devices/network-rules.ts";
import type { DevicePolicy } from "../devices/policy.ts";
import type { Manifest } from "../ota/manifest.ts";
import type { ModuleGrants, World } from "../sandbox/module-spec.ts";
import { AgentError } from "./errors.ts";
import type { ModuleRunOptions } from "./module-run-options.ts";

export interface RunPermissions {
  /** The manifest's, or the file's name. */
  readonly name: string;
  readonly version: string;
  readonly world: World;
  readonly env: Readonly<Record<string, string>>;
  readonly intervalMs: number | undefined;
  readonly memoryBytes: number | undefined;
  /** WebAssembly code that the policy grants; undefined for however much, where none was named. */
  readonly codeBytes: number | undefined;
  readonly grants: ModuleGrants;
  /** Filters of what it may be told. */
  readonly subscribe: readonly string[];
  /** Private files that the manifest requests, in bytes: the quota of what `--dir` gives as its folder. */
  readonly storageBytes: number;
  readonly policy: DevicePolicy;
}

/** The pattern of the grants that every module has. */
const EVERY_MODULE = "*/*";

const NO_POLICY: DevicePolicy = { sensors: new Map(), serialPorts: new Map(), grants: [] };

/**
 * Reads the policy and the manifest that the options name.
 *
 * @throws AgentError or OtaError: a file can't be read or is wrong, or a request is not granted
 */
export async function readPermissions(options: ModuleRunOptions): Promise<RunPermissions> {
  const policy = options.policyPath === undefined ? NO_POLICY : await readPolicy(options.policyPath);
  const permissions =
    options.manifestPath === undefined
      ? unrequested(options, policy)
      : requested(await readManifest(options.manifestPath), options, policy);
  return { ...permissions, grants: withOptions(permissions.grants, options) };
}

/** The pattern in the place of a name fits the grants for every module, and no other. */
function codeBytesOf(
  { policyPath }: ModuleRunOptions,
  policy: DevicePolicy,
  name: string,
): number | undefined {
  return policyPath === undefined ? undefined : grantedCodeBytes(policy, name);
}

function unrequested(options: ModuleRunOptions, policy: DevicePolicy): RunPermissions {
  return {
    name: basename(options.componentPath),
    version: "0.0.0",
    world: "command",
    env: {},
    intervalMs: undefined,
    memoryBytes: undefined,
    codeBytes: codeBytesOf(options, policy, EVERY_MODULE),
    grants: grantedToAll(policy.grants),
    subscribe: [],
    storageBytes: 0,
    policy,
  };
}

function requested(manifest: Manifest, options: ModuleRunOptions, policy: DevicePolicy): RunPermissions {
  const { name, version, world, env, intervalMs, request } = manifest;
  const decision = decideGrants(policy, name, request);
  if (decision.kind === "refused") {
    const refusals = decision.refusals.map(({ message }) => message).join("; ");
    const reason = options.policyPath === undefined ? "without --policy FILE nothing is granted: " : "";
    throw new AgentError("agent/not-granted", `${reason}${refusals}`);
  }
  const { subscribe, memoryBytes, storageBytes } = decision.grants;
  return {
    ...{ name, version, world, env, intervalMs, memoryBytes, storageBytes, policy },
    codeBytes: codeBytesOf(options, policy, name),
    grants: moduleGrants(decision.grants),
    subscribe,
  };
}

/** Without a name and a request a module gets what every module would: the grants for all of them together. */
function grantedToAll(grants: readonly Grant[]): ModuleGrants {
  const forAll = grants.filter(({ module }) => module === EVERY_MODULE);
  return {
    sensors: forAll.flatMap(({ sensor }) => sensor),
    serial: forAll.flatMap(({ serial }) => serial),
    publish: forAll.flatMap(({ publish }) => publish),
    ...mergedConfig(forAll.map(({ config }) => config)),
    // The interfaces are there whatever is granted: what some compiler brought along unasked runs, and reaches nothing.
    network: {
      connect: rulesOf(forAll.flatMap(({ network }) => network)),
      listen: rulesOf(forAll.flatMap(({ listen }) => listen)),
    },
  };
}

/** Adds what the command line allows and tells. */
function withOptions(given: ModuleGrants, { network, listen, config }: ModuleRunOptions): ModuleGrants {
  const grants = { ...given, ...mergedConfig([given.config, config]) };
  if (network.length + listen.length === 0) return grants;
  const { connect = [], listen: listening = [] } = grants.network ?? {};
  return {
    ...grants,
    network: { connect: [...connect, ...rulesOf(network)], listen: [...listening, ...rulesOf(listen)] },
  };
}

async function readPolicy(path: string): Promise<DevicePolicy> {
  const { loadPolicy } = await import("./config.ts");
  return loadPolicy(path);
}

async function readManifest(path: string): Promise<Manifest> {
  const { parseManifest } = await import("../ota/manifest.ts");
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AgentError("config/unreadable", `cannot read ${path}`, { cause });
  });
  return parseManifest(bytes, basename(path));
}
