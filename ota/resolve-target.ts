/**
 * Finding a target through the targets roles: TUF 1.0.31 §5.6.7, step 1.
 *
 * Subset: only the top-level role is searched. Delegations (step 2: pre-order, by priority, terminating ones) join here; a target that only a
 * delegated role lists is not found until then, so it can't be installed.
 */

import type { TargetInfo, Targets } from "./metadata.ts";

/** What the targets roles say about a path; undefined when none of them lists it. */
export function resolveTarget(topLevel: Targets, path: string): TargetInfo | undefined {
  return topLevel.targets.get(path);
}
