/** The operator's side of the topics in docs/ARCHITECTURE.md, "Topics". */

import type { RepositoryName } from "../ota/metadata.ts";
import { topicSegment } from "../ota/names.ts";

/** Topics of one fleet. */
export class FleetTopics {
  readonly #prefix: string;

  constructor(fleet: string) {
    this.#prefix = `skerry/v1/${fleet}`;
  }

  /** Of a metadata file: `name` is "timestamp", "snapshot", "targets" or "<n>.root". */
  metadata(repository: RepositoryName, name: string): string {
    return `${this.#prefix}/${repository}/${name}`;
  }

  blob(sha256: string): string {
    return `${this.#prefix}/blob/${sha256}`;
  }

  /** What is sent to a module of a device; `path` as `skerry send` takes it. */
  message(device: string, module: string, path: string): string {
    return `${this.#prefix}/device/${device}/message/${topicSegment(module)}/${path}`;
  }

  /** Where a device answers. */
  reply(device: string): string {
    return `${this.#prefix}/device/${device}/reply`;
  }

  /** A filter for that kind of message of every device, or of one. */
  devices(kind: "status" | "state" | "event", device = "+"): string {
    return `${this.#prefix}/device/${device}/${kind}`;
  }

  /** The device and the kind of message of a topic, or undefined if it is no device's. */
  parseDeviceTopic(topic: string): { device: string; kind: string } | undefined {
    const start = `${this.#prefix}/device/`;
    if (!topic.startsWith(start)) return undefined;
    const [device, kind, ...rest] = topic.slice(start.length).split("/");
    if (device === undefined || kind === undefined || rest.length > 0) return undefined;
    return { device, kind };
  }
}

/** Whether a topic falls under a filter (MQTT 5.0 §4.7.1). */
export function matchesFilter(filter: string, topic: string): boolean {
  const filterLevels = filter.split("/");
  const topicLevels = topic.split("/");
  for (const [index, level] of filterLevels.entries()) {
    if (level === "#") return true;
    const found = topicLevels[index];
    if (found === undefined || (level !== "+" && level !== found)) return false;
  }
  return filterLevels.length === topicLevels.length;
}
