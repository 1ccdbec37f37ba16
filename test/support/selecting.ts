/** Selection from the top-level targets alone, for tests that are not about delegations. */

import type { DeviceIdentity } from "../../ota/assignment.ts";
import type { Targets } from "../../ota/metadata.ts";
import type { TargetFinder } from "../../ota/resolve-target.ts";
import { type CommittedRelease, type Selection, selectReleases } from "../../ota/selection.ts";

export function selectFrom(
  image: Targets,
  director: Targets,
  device: DeviceIdentity,
  committed: ReadonlyMap<string, CommittedRelease> = new Map(),
): ReadonlyMap<string, Selection> {
  return selectReleases({ image: finderOf(image), director, device, committed });
}

function finderOf({ targets }: Targets): TargetFinder {
  return {
    find(path) {
      const target = targets.get(path);
      return target === undefined ? { kind: "absent" } : { kind: "found", target };
    },
  };
}
