/**
 * Which releases may go. Pure.
 *
 * Rules:
 * - A release stays that the director assigns to anybody (a pin, or any share of a group), or that a device has as running, committed,
 *   staged, on trial or desired: it fetches it again when its flash forgets it.
 * - Of the others those go that are named, the newest of a module as well: a release that turned out bad. With `keep` those go beyond that many newest
 *   of their module.
 * Example: 1.0.0 to 1.4.0 are published, 1.4.0 is assigned to 25 percent and 1.3.0 to all, one device still runs 1.1.0: `keep` 2 lets 1.0.0
 * and 1.2.0 go.
 */

import { FleetError } from "./errors.ts";

export interface ListedRelease {
  readonly module: string;
  readonly version: string;
  /** The release counter. */
  readonly release: number;
}

export interface PruneWish {
  /** `module@version`. */
  readonly named: readonly string[];
  /** How many of the newest of each module to keep; undefined: all but the named ones. */
  readonly keep: number | undefined;
}

export interface PrunePlan {
  readonly unpublish: readonly ListedRelease[];
  /** Releases that the wish would let go and that are needed, with the reason. */
  readonly needed: readonly { readonly release: ListedRelease; readonly reason: string }[];
}

/** `acme/thermo@1.0.0` */
export function nameOf({ module, version }: { readonly module: string; readonly version: string }): string {
  return `${module}@${version}`;
}

/**
 * Decides. `reasons` tells by `module@version` why a release is needed.
 *
 * Throws FleetError "fleet/unknown-release" for a named one that is not listed, "fleet/release-needed" for one that has to stay.
 */
export function planPrune(
  listed: readonly ListedRelease[],
  reasons: ReadonlyMap<string, string>,
  { named, keep }: PruneWish,
): PrunePlan {
  const known = new Set(listed.map(nameOf));
  for (const name of named) {
    if (!known.has(name)) {
      throw new FleetError("fleet/unknown-release", `${name} is not published: nothing to prune`);
    }
  }
  const unpublish: ListedRelease[] = [];
  const needed: { release: ListedRelease; reason: string }[] = [];
  for (const releases of byModule(listed)) {
    for (const [rank, release] of releases.entries()) {
      const isNamed = named.includes(nameOf(release));
      if (!isNamed && (keep === undefined || rank < keep)) continue;
      const reason = reasons.get(nameOf(release));
      if (reason === undefined) unpublish.push(release);
      else if (isNamed) {
        throw new FleetError("fleet/release-needed", `${nameOf(release)} has to stay: ${reason}`);
      } else needed.push({ release, reason });
    }
  }
  return { unpublish, needed };
}

/** The releases of each module, newest first. */
function byModule(listed: readonly ListedRelease[]): readonly (readonly ListedRelease[])[] {
  const groups = Map.groupBy(listed, ({ module }) => module);
  return [...groups.values()].map((releases) =>
    releases.toSorted((one, other) => other.release - one.release),
  );
}
