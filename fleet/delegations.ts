/**
 * Delegations of the image repository's targets: TUF 1.0.31 §4.5, one level, as the operator writes them. Pure.
 *
 * - A team's role: patterns of target paths, keys of its own, terminating, so that nobody after it speaks for its modules.
 * - Hash bins, `bin-0` …: together they cover every path, under the keys of the top-level targets, for when those would outgrow a message.
 *   They come last. A path that a role covers is listed by it; what was listed at the top before stays there.
 */

import { isJsonObject, type JsonObject, type JsonValue } from "../ota/json.ts";
import type { PublicKey } from "../ota/keys.ts";
import type { Delegation, Delegations, ParsedFile, RoleKeys, TargetInfo, Targets } from "../ota/metadata.ts";
import { includesPath } from "../ota/path-pattern.ts";
import { FleetError } from "./errors.ts";
import { MAX_BINS } from "./limits.ts";

/** The role that the root names itself. */
export const TOP_LEVEL = "targets";

/** The files of delegated roles, by role. */
export type DelegatedFiles = ReadonlyMap<string, ParsedFile<Targets>>;

/** The role that lists a path from now on: the first delegation that covers it. */
export function roleForPath(delegations: Delegations | undefined, path: string): string {
  return delegations?.roles.find((delegation) => includesPath(delegation, path))?.name ?? TOP_LEVEL;
}

/** Every target that devices find, sorted by path: what the top level lists, otherwise a delegation, each for what it covers. */
export function listedTargets(topLevel: Targets, delegated: DelegatedFiles): ReadonlyMap<string, TargetInfo> {
  const roles = topLevel.delegations?.roles ?? [];
  const files = [topLevel, ...roles.flatMap(({ name }) => delegated.get(name)?.metadata ?? [])];
  const listed = new Map<string, TargetInfo>();
  for (const path of files.flatMap(({ targets }) => [...targets.keys()]).toSorted()) {
    const target = topLevel.targets.get(path) ?? findBelow(roles, delegated, path);
    if (target !== undefined) listed.set(path, target);
  }
  return listed;
}

function findBelow(
  roles: readonly Delegation[],
  delegated: DelegatedFiles,
  path: string,
): TargetInfo | undefined {
  for (const delegation of roles.filter((each) => includesPath(each, path))) {
    const target = delegated.get(delegation.name)?.metadata.targets.get(path);
    if (target !== undefined || delegation.terminating) return target;
  }
  return undefined;
}

export function isBin({ matches }: Delegation): boolean {
  return matches.kind === "hash-prefixes";
}

/** The patterns of a team's target paths: `acme/*` stands for modules, and is written with its two further levels. Throws FleetError "fleet/usage". */
export function pathPatterns(text: string): readonly string[] {
  return text.split(",").map((pattern) => {
    const levels = pattern.split("/");
    const isRight = /^[a-z0-9*?/.+-]+$/i.test(pattern) && levels.every((level) => level !== "");
    if (isRight && levels.length === 2) return `${pattern}/*/*`;
    if (isRight && levels.length === 4) return pattern;
    throw new FleetError(
      "fleet/usage",
      `"${pattern}" is no pattern of modules: write publisher/name, with * and ? for any characters of one level, such as acme/*`,
    );
  });
}

/** The member `delegations` of a targets file: what TUF defines of it, and what others may have added. */
export interface DelegationsJson {
  readonly keys: JsonObject;
  readonly roles: readonly JsonObject[];
}

export function delegationsJsonOf(signed: JsonObject | undefined): DelegationsJson {
  const member = signed?.["delegations"];
  if (!isJsonObject(member)) return { keys: {}, roles: [] };
  const { keys, roles } = member;
  return {
    keys: isJsonObject(keys) ? keys : {},
    roles: Array.isArray(roles) ? roles.filter(isJsonObject) : [],
  };
}

/** With a team's role: its keys and paths; one of that name is replaced. It goes before the bins. */
export function withTeam(
  { keys, roles }: DelegationsJson,
  name: string,
  team: { readonly key: PublicKey; readonly patterns: readonly string[] },
): DelegationsJson {
  const role = {
    name,
    keyids: [team.key.keyId],
    threshold: 1,
    paths: team.patterns,
    terminating: true,
  };
  const others = roles.filter((each) => each["name"] !== name);
  const [bins, teams] = [others.filter(isBinJson), others.filter((each) => !isBinJson(each))];
  return tidy({ keys: { ...keys, [team.key.keyId]: team.key.json }, roles: [...teams, role, ...bins] });
}

/** With other keys for a role. */
export function withRoleKeys(
  { keys, roles }: DelegationsJson,
  name: string,
  { keyIds, threshold }: RoleKeys,
  added: readonly PublicKey[],
): DelegationsJson {
  return tidy({
    keys: { ...keys, ...keyTable(added) },
    roles: roles.map((each) => (each["name"] === name ? { ...each, keyids: keyIds, threshold } : each)),
  });
}

/** Without a key; roles that have too few left go with it. */
export function withoutKey(
  { keys, roles }: DelegationsJson,
  keyId: string,
  lost: readonly string[],
): DelegationsJson {
  const left = roles.filter(({ name }) => !lost.some((role) => role === name));
  const without = left.map((each) => {
    const { keyids } = each;
    return Array.isArray(keyids) ? { ...each, keyids: keyids.filter((each) => each !== keyId) } : each;
  });
  return tidy({ keys, roles: without });
}

/** With `count` bins under these keys, in the place of the bins that were there. Throws FleetError "fleet/usage". */
export function withBins(
  { keys, roles }: DelegationsJson,
  count: number,
  owner: RoleKeys,
  added: readonly PublicKey[],
): DelegationsJson {
  const before = roles.filter(isBinJson).length;
  if (!Number.isInteger(Math.log2(count)) || count < 2 || count > MAX_BINS) {
    throw new FleetError("fleet/usage", `${count} bins: a power of two from 2 to ${MAX_BINS} is expected`);
  }
  // TUF 1.0.31 §5.5.5: a file that a snapshot listed may not go from it.
  if (count <= before)
    throw new FleetError("fleet/usage", `there are ${before} bins; they can only grow more`);
  const digits = Math.ceil(Math.log2(count) / 4);
  const prefixes = Array.from({ length: 16 ** digits }, (_each, value) =>
    value.toString(16).padStart(digits, "0"),
  );
  const perBin = prefixes.length / count;
  const bins = Array.from({ length: count }, (_each, index) => ({
    name: `bin-${index}`,
    keyids: owner.keyIds,
    threshold: owner.threshold,
    path_hash_prefixes: prefixes.slice(index * perBin, (index + 1) * perBin),
    terminating: true,
  }));
  return tidy({
    keys: { ...keys, ...keyTable(added) },
    roles: [...roles.filter((each) => !isBinJson(each)), ...bins],
  });
}

/** The bins belong to whoever signs the top-level targets: after a rotation of those keys they have the new ones. */
export function withBinKeys(
  json: DelegationsJson,
  owner: RoleKeys,
  ownerKeys: readonly PublicKey[],
): DelegationsJson {
  const { keyIds: keyids, threshold } = owner;
  const roles = json.roles.map((each) => (isBinJson(each) ? { ...each, keyids, threshold } : each));
  return tidy({ keys: { ...json.keys, ...keyTable(ownerKeys) }, roles });
}

function isBinJson(role: JsonObject): boolean {
  return role["path_hash_prefixes"] !== undefined;
}

function keyTable(keys: readonly PublicKey[]): JsonObject {
  return Object.fromEntries(keys.map((key) => [key.keyId, key.json]));
}

/** Without keys that no role lists. */
function tidy({ keys, roles }: DelegationsJson): DelegationsJson {
  const used = new Set<JsonValue>(roles.flatMap(({ keyids }) => (Array.isArray(keyids) ? keyids : [])));
  return { keys: Object.fromEntries(Object.entries(keys).filter(([keyId]) => used.has(keyId))), roles };
}
