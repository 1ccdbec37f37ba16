/**
 * What is remembered of withdrawn releases, in the targets file that listed them:
 *
 * - their counters, which counters go on from: a device that committed one refuses what has a lower counter, and must not find another release
 *   under the same one. `"skerry":{"withdrawn":{"acme/thermo":4}}`, the highest per module.
 * - their versions: a version stands for the same bytes forever. `"skerry":{"withdrawnVersions":{"acme/thermo":["1.3.0"]}}`, those withdrawn last.
 *   Files that were written before it was there do without.
 */

import { isJsonObject, type JsonObject, type JsonValue } from "../ota/json.ts";
import type { TargetInfo } from "../ota/metadata.ts";
import { parseTargetPath } from "../ota/names.ts";
import type { CommonFields } from "../ota/sign-metadata.ts";
import { TOP_LEVEL } from "./delegations.ts";
import { componentPathOf, releaseCounter } from "./fetch-size.ts";
import { MAX_WITHDRAWN_VERSIONS } from "./limits.ts";
import type { StoredMetadata } from "./metadata-store.ts";
import { nameOf } from "./prune-plan.ts";
import { skerryMember } from "./root-changes.ts";

/** The highest counter by module. */
type ReleaseCounters = ReadonlyMap<string, number>;

/** What one targets file is to remember of releases that it lists no more. */
export interface Withdrawn {
  readonly counters: ReleaseCounters;
  /** By module, in the order of their counters. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

/** The change that unpublishes releases (`module@version`), in every role that lists something of them. */
export function withoutReleases(
  { targets, delegated }: StoredMetadata,
  releases: ReadonlySet<string>,
): {
  readonly contents: ReadonlyMap<string, readonly TargetInfo[]>;
  readonly withdrawn: ReadonlyMap<string, Withdrawn>;
} {
  const stays = ({ path }: TargetInfo): boolean => {
    const release = parseTargetPath(path);
    return release === undefined || !releases.has(nameOf(release));
  };
  const changed = [[TOP_LEVEL, targets] as const, ...delegated]
    .map(([role, { metadata }]) => [role, [...metadata.targets.values()]] as const)
    .filter(([, listed]) => !listed.every(stays));
  return {
    contents: new Map(changed.map(([role, listed]) => [role, listed.filter(stays)])),
    withdrawn: new Map(
      changed.map(([role, listed]) => {
        const counters = lostCounters(listed, listed.filter(stays));
        return [role, { counters, versions: versionsOf(listed.filter((target) => !stays(target))) }];
      }),
    ),
  };
}

/** The counters of modules that lose their newest release. */
function lostCounters(before: readonly TargetInfo[], after: readonly TargetInfo[]): ReleaseCounters {
  const left = highestCounters(after);
  return new Map(
    [...highestCounters(before)].filter(([module, counter]) => counter > (left.get(module) ?? 0)),
  );
}

function highestCounters(targets: readonly TargetInfo[]): ReleaseCounters {
  const highest = new Map<string, number>();
  for (const target of targets) {
    const module = componentPathOf(target)?.module;
    if (module !== undefined) highest.set(module, Math.max(highest.get(module) ?? 0, releaseCounter(target)));
  }
  return highest;
}

function versionsOf(targets: readonly TargetInfo[]): ReadonlyMap<string, readonly string[]> {
  const components = targets
    .toSorted((one, other) => releaseCounter(one) - releaseCounter(other))
    .flatMap((target) => componentPathOf(target) ?? []);
  const byModule = Map.groupBy(components, ({ module }) => module);
  return new Map([...byModule].map(([module, paths]) => [module, paths.map(({ version }) => version)]));
}

/** The counter of the newest release of a module that a targets file listed once and lists no more; 0 if it tells none. */
export function withdrawnCounter(
  { signedJson }: { readonly signedJson: JsonObject },
  module: string,
): number {
  const counters = skerryMember(signedJson)["withdrawn"];
  const counter = isJsonObject(counters) && Object.hasOwn(counters, module) ? counters[module] : undefined;
  return Number.isSafeInteger(counter) ? Number(counter) : 0;
}

/** The versions of a module that a targets file listed once and lists no more, as far as it tells. */
export function withdrawnVersions(
  { signedJson }: { readonly signedJson: JsonObject },
  module: string,
): readonly string[] {
  const byModule = skerryMember(signedJson)["withdrawnVersions"];
  const versions = isJsonObject(byModule) && Object.hasOwn(byModule, module) ? byModule[module] : undefined;
  return Array.isArray(versions) ? versions.filter((version) => typeof version === "string") : [];
}

/** The fields of a targets file from which these releases were withdrawn. */
export function withWithdrawn(fields: CommonFields, withdrawn: Withdrawn | undefined): CommonFields {
  const { base } = fields;
  if (base === undefined || withdrawn === undefined) return fields;
  const file = { signedJson: base };
  const counters = Array.from(
    withdrawn.counters,
    ([module, counter]) => [module, Math.max(counter, withdrawnCounter(file, module))] as const,
  );
  const versions = Array.from(withdrawn.versions, ([module, added]) => {
    const all = new Set([...withdrawnVersions(file, module), ...added]);
    return [module, [...all].slice(-MAX_WITHDRAWN_VERSIONS)] as const;
  });
  const before = skerryMember(base);
  const skerry = {
    ...before,
    ...withEntries(before, "withdrawn", counters),
    ...withEntries(before, "withdrawnVersions", versions),
  };
  return { ...fields, base: { ...base, skerry } };
}

/** A member that holds something by module, with further entries; none where there is nothing to add. */
function withEntries(
  before: JsonObject,
  member: string,
  entries: readonly (readonly [string, JsonValue])[],
): JsonObject {
  if (entries.length === 0) return {};
  const { [member]: held } = before;
  return { [member]: { ...(isJsonObject(held) ? held : {}), ...Object.fromEntries(entries) } };
}
