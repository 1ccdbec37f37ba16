/**
 * Which paths a delegation is for: TUF 1.0.31 §4.5, PATHPATTERN and path_hash_prefixes.
 *
 * Subset of glob(7): `*` and `?` within one level of a path, as the specification's own clients match them; brackets don't parse
 * (`parse-targets.ts`).
 */

import { createHash } from "node:crypto";

import type { Delegation } from "./metadata.ts";

/** Whether a delegation's patterns or prefixes include a target's path. */
export function includesPath({ matches }: Delegation, path: string): boolean {
  if (matches.kind === "paths") return matches.patterns.some((pattern) => matchesPattern(pattern, path));
  const digest = createHash("sha256").update(path, "utf8").digest("hex");
  return matches.prefixes.some((prefix) => digest.startsWith(prefix));
}

/** Whether a pattern matches a whole path: level by level, so that no wildcard matches a separator. */
export function matchesPattern(pattern: string, path: string): boolean {
  const patternLevels = pattern.split("/");
  const pathLevels = path.split("/");
  return (
    patternLevels.length === pathLevels.length &&
    patternLevels.every((level, index) => matchesLevel(level, pathLevels[index] ?? ""))
  );
}

/**
 * Goes through both once, back to behind the last `*` where they part: a pattern of many stars costs its length times the text's, where a regular
 * expression would take exponential time.
 */
function matchesLevel(pattern: string, text: string): boolean {
  let inPattern = 0;
  let inText = 0;
  let behindStar = -1;
  let resumeText = 0;
  while (inText < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === "*") {
      behindStar = ++inPattern;
      resumeText = inText;
    } else if (wanted === "?" || wanted === text[inText]) {
      inPattern += 1;
      inText += 1;
    } else if (behindStar >= 0) {
      inPattern = behindStar;
      inText = ++resumeText;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(inPattern));
}
