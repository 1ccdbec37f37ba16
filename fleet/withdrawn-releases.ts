/**
 * Release counters of withdrawn releases: counters go on from them. A device that committed one refuses what has a lower counter, and must not find
 * another release under the same one. They stand in the targets file that listed the release, `"skerry":{"withdrawn":{"acme/thermo":4}}`, the
 * highest per module.
 */

import { isJsonObject, type JsonObject } from "../ota/json.ts";
import type { TargetInfo } from "../ota/metadata.ts";
import { parseTargetPath } from "../ota/names.ts";
import type { CommonFields } from "../ota/sign-metadata.ts";
import { TOP_LEVEL } from "./delegations.ts";
import { componentPathOf, releaseCounter } from "./fetch-size.ts";
import type { StoredMetadata } from "./metadata-store.ts";
import { nameOf } from "./prune-plan.ts";
import { skerryMember } from "./root-changes.ts";

/** The highest counter by module. */
export type ReleaseCounters = ReadonlyMap<string, number>;

/** The change that unpublishes releases (`module@version`), in every role that lists something of them. */
export function withoutReleases(
  { targets, delegated }: StoredMetadata,
  releases: ReadonlySet<string>,
): {
  readonly contents: ReadonlyMap<string, readonly TargetInfo[]>;
  readonly withdrawn: ReadonlyMap<string, ReleaseCounters>;
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
    withdrawn: new Map(changed.map(([role, listed]) => [role, lostCounters(listed, listed.filter(stays))])),
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

/** The counter of the newest release of a module that a targets file listed once and lists no more; 0 if it tells none. */
export function withdrawnCounter(
  { signedJson }: { readonly signedJson: JsonObject },
  module: string,
): number {
  const counters = skerryMember(signedJson)["withdrawn"];
  const counter = isJsonObject(counters) && Object.hasOwn(counters, module) ? counters[module] : undefined;
  return Number.isSafeInteger(counter) ? Number(counter) : 0;
}

/** The fields of a targets file from which releases with these counters were withdrawn. */
export function withWithdrawn(fields: CommonFields, withdrawn: ReleaseCounters | undefined): CommonFields {
  const { base } = fields;
  if (base === undefined || withdrawn === undefined || withdrawn.size === 0) return fields;
  const before = skerryMember(base);
  const counters = isJsonObject(before["withdrawn"]) ? before["withdrawn"] : {};
  const highest = [...withdrawn].map(
    ([module, counter]) =>
      [module, Math.max(counter, withdrawnCounter({ signedJson: base }, module))] as const,
  );
  const skerry = { ...before, withdrawn: { ...counters, ...Object.fromEntries(highest) } };
  return { ...fields, base: { ...base, skerry } };
}
