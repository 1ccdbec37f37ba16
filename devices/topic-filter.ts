/**
 * Topic filters of grants (MQTT 5.0 §4.7.1: `+` is one level, a trailing `#` any number, none included), on topics
 * relative to the module. What a module is told lies below `message/` (from the operator) and `telemetry/<publisher.name>/`
 * (what another module of the device publishes).
 */

import { MAX_TOPIC_BYTES, MAX_TOPIC_LEVELS } from "./limits.ts";

/** What no level may hold: wildcards among other characters and control characters (MQTT 5.0 §1.5.4). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const FORBIDDEN_IN_LEVEL = /[#+\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff]/u;

/** Why `filter` is no topic filter, or undefined if it is one. */
export function topicFilterProblem(filter: string): string | undefined {
  const levels = filter.split("/");
  const last = levels.length - 1;
  if (levels.some((level, index) => level === "#" && index !== last)) return "# must be the last level";
  if (Buffer.byteLength(filter) > MAX_TOPIC_BYTES) return `it is longer than ${MAX_TOPIC_BYTES} bytes`;
  if (levels.length > MAX_TOPIC_LEVELS) return `it has more than ${MAX_TOPIC_LEVELS} levels`;
  const names = levels.filter((level) => level !== "+" && level !== "#");
  if (names.some((name) => name === "")) return "it has an empty level";
  if (names.some((name) => FORBIDDEN_IN_LEVEL.test(name))) {
    return "a level holds a wildcard beside other characters, or a control character";
  }
  return undefined;
}

/** Why `filter` is no filter of what a module may be told, or undefined if it is one. */
export function subscribeFilterProblem(filter: string): string | undefined {
  const [first = ""] = filter.split("/", 1);
  const isKnown = ["message", "telemetry", "+", "#"].includes(first);
  return topicFilterProblem(filter) ?? (isKnown ? undefined : "it must begin with message/ or telemetry/");
}

/** Whether the filter `wide` matches every topic that `narrow` matches. Both are valid; a topic is a filter too. */
export function coversFilter(wide: string, narrow: string): boolean {
  const wideLevels = wide.split("/");
  const narrowLevels = narrow.split("/");
  for (const [index, level] of wideLevels.entries()) {
    if (level === "#") return true; // its parent level included: narrow may end here
    const other = narrowLevels[index];
    if (other === undefined || other === "#") return false;
    if (level !== "+" && level !== other) return false;
  }
  return wideLevels.length === narrowLevels.length;
}
