/**
 * The topics of one device: building those that it writes, reading those that it subscribes to
 * (docs/ARCHITECTURE.md, "Topics"). Pure.
 */
import type { RepositoryName } from "../ota/metadata.ts";
import { isSha256, moduleOfTopicSegment, topicSegment } from "../ota/names.ts";
import { MAX_TOPIC_BYTES } from "./limits.ts";

/** What an incoming topic means to this device. */
export type IncomingTopic =
  /** `file` is the last level: `timestamp`, `7.root`, a delegated role … */
  | { readonly kind: "metadata"; readonly repository: RepositoryName; readonly file: string }
  /** `digest` is the SHA-256 in lower-case hex. */
  | { readonly kind: "blob"; readonly digest: string }
  | { readonly kind: "command" }
  /** To a module, as the operator names it behind the module: `setpoint`, `motor/speed`. */
  | { readonly kind: "message"; readonly module: string; readonly path: string };

const METADATA_FILE = /^(?:[1-9][0-9]{0,8}\.)?[a-z0-9][a-z0-9_-]{0,63}$/;

/** The topics of device `deviceId` in `fleet`; both are checked names already. */
export class DeviceTopics {
  /** `skerry/v1/<fleet>/` */
  readonly prefix: string;
  /** Everything that this device may write lies below: `skerry/v1/<fleet>/device/<id>/`. */
  readonly own: string;
  readonly status: string;
  readonly state: string;
  readonly event: string;
  readonly command: string;
  readonly reply: string;
  /** Filter for everything that is sent to this device's modules. */
  readonly messages: string;

  constructor(fleet: string, deviceId: string) {
    this.prefix = `skerry/v1/${fleet}/`;
    this.own = `${this.prefix}device/${deviceId}/`;
    this.status = `${this.own}status`;
    this.state = `${this.own}state`;
    this.event = `${this.own}event`;
    this.command = `${this.own}command`;
    this.reply = `${this.own}reply`;
    this.messages = `${this.own}message/#`;
  }

  /** Filter for all metadata of a repository. */
  metadataFilter(repository: RepositoryName): string {
    return `${this.prefix}${repository}/+`;
  }

  /** Topic of a blob by its SHA-256. */
  blob(digest: string): string {
    return `${this.prefix}blob/${digest}`;
  }

  /** Topic of a module's telemetry; `path` is what the module names, already checked: `temperature`, `motor/speed`. */
  telemetry(module: string, path: string): string {
    return `${this.own}telemetry/${topicSegment(module)}/${path}`;
  }

  /** Topic of a module's log. */
  log(module: string): string {
    return `${this.own}log/${topicSegment(module)}`;
  }

  /** What a received topic means, or undefined if it means nothing to this device (a broker may send anything). */
  parse(topic: string): IncomingTopic | undefined {
    if (topic === this.command) return { kind: "command" };
    if (topic.startsWith(this.own)) return this.#parseMessage(topic.slice(this.own.length));
    if (!topic.startsWith(this.prefix)) return undefined;
    const [folder, name, ...rest] = topic.slice(this.prefix.length).split("/");
    if (name === undefined || rest.length > 0) return undefined;
    if (folder === "blob") return isSha256(name) ? { kind: "blob", digest: name } : undefined;
    if (folder !== "image" && folder !== "director") return undefined;
    return METADATA_FILE.test(name) ? { kind: "metadata", repository: folder, file: name } : undefined;
  }

  #parseMessage(rest: string): IncomingTopic | undefined {
    const [kind, segment = "", ...path] = rest.split("/");
    const module = moduleOfTopicSegment(segment);
    if (kind !== "message" || module === undefined || path.length === 0) return undefined;
    return { kind, module, path: path.join("/") };
  }

  /** Whether this device may publish to `topic`: a topic name, not a filter, below its own folder. */
  mayPublish(topic: string): boolean {
    if (!topic.startsWith(this.own) || topic.length === this.own.length) return false;
    // MQTT 5 §4.7.1, §4.7.3: no wildcards and no null character in a topic name.
    return !/[+#\0]/.test(topic) && Buffer.byteLength(topic) <= MAX_TOPIC_BYTES;
  }
}

/** Whether a filter matches a topic: MQTT 5 §4.7.1. */
export function filterMatches(filter: string, topic: string): boolean {
  const filterLevels = filter.split("/");
  const topicLevels = topic.split("/");
  const isOpen = filterLevels.at(-1) === "#";
  const named = isOpen ? filterLevels.slice(0, -1) : filterLevels;
  return (
    (isOpen ? named.length <= topicLevels.length : named.length === topicLevels.length) &&
    named.every((level, index) => level === "+" || level === topicLevels[index])
  );
}
