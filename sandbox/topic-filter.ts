/** Topics that a module publishes to, and the filters that grant them (MQTT 5.0 §4.7, relative to the module). */

import { MAX_TOPIC_BYTES } from "./limits.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

export function isTopicTooLong(topic: string): boolean {
  return topic.length > MAX_TOPIC_BYTES || Buffer.byteLength(topic) > MAX_TOPIC_BYTES;
}

/** Why `topic` is none, whatever its length; or undefined if it is one. */
export function topicProblem(topic: string): string | undefined {
  if (topic === "") return "is empty";
  if (topic.split("/").includes("")) return "has an empty level";
  if (/[#+]/.test(topic)) return "holds a wildcard";
  return CONTROL_CHARACTER.test(topic) ? "holds a control character" : undefined;
}

/** No longer than `MAX_TOPIC_BYTES`, and nothing wrong with it. */
export function isValidTopic(topic: string): boolean {
  return !isTopicTooLong(topic) && topicProblem(topic) === undefined;
}

/** Does `filter` (`telemetry/#`, `+/state`) match `topic`? A trailing `#` matches its parent level, too. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  for (const [index, part] of wanted.entries()) {
    if (part === "#") {
      return index === wanted.length - 1;
    }
    if (index >= levels.length || (part !== "+" && part !== levels[index])) {
      return false;
    }
  }
  return wanted.length === levels.length;
}
