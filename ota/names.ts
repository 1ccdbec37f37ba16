/**
 * The names that metadata, topics and folders are made of, and target paths (docs/ARCHITECTURE.md, "Names", "Metadata").
 *
 * Every name that becomes part of a path or a topic is checked here, so that none can hold a separator, a wildcard or "..".
 */

const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const MODULE = /^[a-z0-9][a-z0-9-]{0,31}\/[a-z0-9][a-z0-9-]{0,31}$/;
const CONFIG_KEY = /^[A-Za-z0-9_.-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Semantic Versioning 2.0.0 without build metadata: two builds of one version would be two versions with one order. */
const VERSION =
  /^(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)(?:-(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?$/;
const MAX_VERSION_LENGTH = 64;

/** Whether the text names a fleet. */
export function isFleetName(text: string): boolean {
  return NAME.test(text);
}

/** Whether the text is a device's id. */
export function isDeviceId(text: string): boolean {
  return NAME.test(text);
}

/** Whether the text names a group of devices. */
export function isGroupName(text: string): boolean {
  return NAME.test(text);
}

/** Whether the text names a kind of hardware, as a device's configuration and a manifest do. */
export function isHardwareName(text: string): boolean {
  return NAME.test(text);
}

const RESERVED_ROLES: ReadonlySet<string> = new Set(["root", "timestamp", "snapshot", "targets", "mirrors"]);

/**
 * Whether the text may name a delegated targets role: it is the last level of its topic and the name of its file as it stands. A dot would make
 * `2.root` of it, an upper-case letter two files of one name where a file system does not tell them apart.
 */
export function isDelegatedRole(text: string): boolean {
  return NAME.test(text) && !RESERVED_ROLES.has(text);
}

/** Whether the text names a module, as `publisher/name`. */
export function isModuleName(text: string): boolean {
  return MODULE.test(text);
}

/** The name of one of a module's own settings, in its [config]. */
export function isConfigKey(text: string): boolean {
  return CONFIG_KEY.test(text);
}

/** Whether the text is a module's version. */
export function isVersion(text: string): boolean {
  return text.length <= MAX_VERSION_LENGTH && VERSION.test(text);
}

/** Whether the text is a SHA-256 in lower-case hexadecimal. */
export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** A module's name as one segment of a topic or a folder's name: `acme/thermo` → `acme.thermo`. */
export function topicSegment(module: string): string {
  return module.replace("/", ".");
}

/** The module that a topic segment or a folder names, or undefined when it names none. */
export function moduleOfTopicSegment(segment: string): string | undefined {
  const module = segment.replace(".", "/");
  return !segment.includes("/") && isModuleName(module) ? module : undefined;
}

/** The three files of a release. */
const RELEASE_FILES = ["component.wasm", "component.chunks", "module.toml"] as const;
export type ReleaseFile = (typeof RELEASE_FILES)[number];

export interface TargetPath {
  readonly module: string;
  readonly version: string;
  readonly file: ReleaseFile;
}

/** The target path of one file of a release. */
export function targetPath(module: string, version: string, file: ReleaseFile): string {
  return `${module}/${version}/${file}`;
}

/** Takes a target path apart; undefined when it is not `<publisher>/<name>/<version>/<file of a release>`. */
export function parseTargetPath(path: string): TargetPath | undefined {
  const [publisher, name, version, fileName, ...rest] = path.split("/");
  const module = `${publisher}/${name}`;
  const file = RELEASE_FILES.find((candidate) => candidate === fileName);
  if (version === undefined || file === undefined || rest.length > 0) return undefined;
  return isModuleName(module) && isVersion(version) ? { module, version, file } : undefined;
}
