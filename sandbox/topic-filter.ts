/** Topics that a module publishes to, and the filters that grant them (MQTT 5.0 §4.7, relative to the module). */

import { MAX_TOPIC_BYTES } from "./limits.ts";

/** Not empty, no longer than `MAX_TOPIC_BYTES`, no empty level at either end, no wildcard, no control character. */
export function isValidTopic(topic: string): boolean {
  if (topic.length === 0 || topic.length > MAX_TOPIC_BYTES || Buffer.byteLength(topic) > MAX_TOPIC_BYTES) {
    return false;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  return !topic.startsWith("/") && !topic.endsWith("/") && !/[#+\u0000-\u001f\u007f-\u009f]/.test(topic);
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
