/**
 * From two verified repositories to what this device should run: Uptane 2.1, "Full verification". What the director assigns has to be
 * in the image repository with the same length and hashes, for this device's hardware, and no older than what is committed.
 *
 * Per module: its pin with the highest order, otherwise the group assignment with the highest order that includes the device, otherwise nothing,
 * and a module that nobody assigns is not mentioned. A refusal concerns one module; the others are selected all the same.
 */

import { type Assignment, type DeviceIdentity, includesDevice, parseAssignments } from "./assignment.ts";
import { OtaError, type TrustErrorCode } from "./errors.ts";
import { MAX_COMPONENT_BYTES, MAX_MODULES, MAX_PAYLOAD_BYTES } from "./limits.ts";
import type { TargetInfo, Targets } from "./metadata.ts";
import { isModuleName, parseTargetPath, type ReleaseFile, targetPath } from "./names.ts";
import { hardwareOf, releaseCounterOf } from "./release-custom.ts";
import type { TargetFinder } from "./resolve-target.ts";

/** A version of a module that both repositories stand for. */
interface Release {
  readonly module: string;
  readonly version: string;
  /** The image repository's counter: rises by one with each publish of the module. */
  readonly release: number;
  readonly component: TargetInfo;
  readonly chunks: TargetInfo;
  readonly manifest: TargetInfo;
}

/** What a device should do about a module. */
export type Selection =
  | { readonly kind: "selected"; readonly release: Release }
  | {
      readonly kind: "refused";
      readonly error: OtaError;
      /** Another file of the image repository may change it: topics have no order. */
      readonly isAwaiting: boolean;
    };

/** What a device has committed of a module. */
export interface CommittedRelease {
  readonly version: string;
  /** The image repository's counter. */
  readonly release: number;
}

/** What selecting goes by; all metadata has to be verified. */
export interface SelectionInput {
  readonly image: TargetFinder;
  readonly director: Targets;
  readonly device: DeviceIdentity;
  /** By module. */
  readonly committed: ReadonlyMap<string, CommittedRelease>;
}

/** A director target and the best of its assignments that include the device. */
interface Candidate {
  readonly target: TargetInfo;
  readonly assignment: Assignment;
}

/** What the device should run, by module name. Pure. */
export function selectReleases(input: SelectionInput): ReadonlyMap<string, Selection> {
  const selections = new Map<string, Selection>();
  for (const [module, targets] of directorTargetsByModule(input.director)) {
    const selection = attempt(() => selectModule(module, targets, input, selections.size));
    if (selection !== undefined) selections.set(module, selection);
  }
  return selections;
}

/** A refusal that another file of the image repository may lift. */
class Awaiting extends Error {
  readonly error: OtaError;

  constructor(error: OtaError) {
    super(error.message);
    this.error = error;
  }
}

function attempt(select: () => Selection | undefined): Selection | undefined {
  try {
    return select();
  } catch (error) {
    // A refusal of one module must not keep the others from their updates.
    if (error instanceof OtaError) return { kind: "refused", error, isAwaiting: false };
    if (error instanceof Awaiting) return { kind: "refused", error: error.error, isAwaiting: true };
    throw error;
  }
}

function selectModule(
  module: string,
  directorTargets: readonly TargetInfo[],
  { image, device, committed }: SelectionInput,
  selectedCount: number,
): Selection | undefined {
  const winner = winningCandidate(module, directorTargets, device);
  if (winner === undefined) return undefined;
  if (selectedCount >= MAX_MODULES) {
    throw refusal("trust/bad-assignment", module, undefined, `a device takes at most ${MAX_MODULES} modules`);
  }
  const release = vouchedRelease(winner.target, module, image);
  checkHardware(release, device);
  checkRelease(release, committed.get(module));
  return { kind: "selected", release };
}

/**
 * The director's components by module, in the order of the modules' names. Other paths are nobody's to install and are left out; a
 * component's path with a bad version stays in, to be refused by name if it is this device's.
 */
function directorTargetsByModule(director: Targets): ReadonlyMap<string, readonly TargetInfo[]> {
  const byModule = Map.groupBy(director.targets.values(), ({ path }) => moduleOfComponentPath(path) ?? "");
  byModule.delete("");
  return new Map([...byModule].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function moduleOfComponentPath(path: string): string | undefined {
  const module = path.split("/", 2).join("/");
  return path.endsWith("/component.wasm") && isModuleName(module) ? module : undefined;
}

function winningCandidate(
  module: string,
  targets: readonly TargetInfo[],
  device: DeviceIdentity,
): Candidate | undefined {
  const candidates = targets.flatMap((target) =>
    parseAssignments(target)
      .filter((assignment) => includesDevice(assignment, device))
      .map((assignment) => ({ target, assignment })),
  );
  const [first, ...others] = candidates.toSorted((left, right) => precedence(left, right));
  const rival = others.find(
    (other) => first !== undefined && precedence(first, other) === 0 && other.target !== first.target,
  );
  if (rival !== undefined) {
    throw refusal(
      "trust/bad-assignment",
      module,
      undefined,
      `${first?.target.path} and ${rival.target.path} are assigned with the same order; assign one of them again`,
    );
  }
  return first;
}

/** Negative when the left one goes before the right one. */
function precedence(left: Candidate, right: Candidate): number {
  const pinsFirst = Number(right.assignment.kind === "pin") - Number(left.assignment.kind === "pin");
  return pinsFirst || right.assignment.order - left.assignment.order;
}

function vouchedRelease(directorTarget: TargetInfo, module: string, image: TargetFinder): Release {
  const parsed = parseTargetPath(directorTarget.path);
  if (parsed === undefined) {
    throw refusal(
      "trust/bad-assignment",
      module,
      undefined,
      `${directorTarget.path} is no path of a release; assign <module>@<version> with a semantic version`,
    );
  }
  const { version } = parsed;
  const component = imageTarget(image, module, version, "component.wasm", MAX_COMPONENT_BYTES);
  const difference = differenceOf(component, directorTarget);
  if (difference !== undefined) {
    const problem = `the image repository lists its component with another ${difference} than the director`;
    throw new Awaiting(refusal("trust/not-vouched", module, version, problem));
  }
  return {
    module,
    version,
    release: releaseCounter(component, module, version),
    component,
    chunks: imageTarget(image, module, version, "component.chunks", MAX_PAYLOAD_BYTES),
    manifest: imageTarget(image, module, version, "module.toml", MAX_PAYLOAD_BYTES),
  };
}

function imageTarget(
  image: TargetFinder,
  module: string,
  version: string,
  file: ReleaseFile,
  maxBytes: number,
): TargetInfo {
  const path = targetPath(module, version, file);
  const resolution = image.find(path);
  if (resolution.kind === "unresolved") {
    const { code, message, details } = resolution.error;
    throw new Awaiting(
      new OtaError(code, `${module} ${version}: ${message}`, {
        cause: resolution.error,
        details: { ...details, module, version },
      }),
    );
  }
  if (resolution.kind === "absent") {
    const problem = `the director assigns it, and the image repository lists no ${path}; publish it first`;
    throw new Awaiting(refusal("trust/not-vouched", module, version, problem));
  }
  const { target } = resolution;
  if (target.length > maxBytes) {
    throw refusal(
      "trust/endless-data-attack",
      module,
      version,
      `${path} is listed with ${target.length} bytes, at most ${maxBytes} are taken`,
    );
  }
  return target;
}

/**
 * In what the image repository's entry differs from the director's, if it does. Both have a SHA-256 (the parser sees to it); a further
 * algorithm that only one side lists vouches for nothing. Release counter and hardware have to agree where the director states them (Uptane
 * 2.1, "SHALL match" custom metadata).
 */
function differenceOf(image: TargetInfo, director: TargetInfo): string | undefined {
  if (image.length !== director.length) return "length";
  for (const [algorithm, digest] of image.hashes) {
    if ((director.hashes.get(algorithm) ?? digest) !== digest) return "hash";
  }
  const release = releaseCounterOf(director);
  if (release !== undefined && release !== releaseCounterOf(image)) return "release counter";
  const hardware = hardwareOf(director);
  if (hardware !== undefined && hardware.join() !== hardwareOf(image)?.join()) return "hardware";
  return undefined;
}

/** Uptane 2.1, "Verify image", step 3: whoever holds the director's key can't order what was not made for this device. */
function checkHardware({ module, version, component }: Release, device: DeviceIdentity): void {
  const hardware = hardwareOf(component);
  if (hardware === undefined || (device.hardware !== undefined && hardware.includes(device.hardware))) return;
  const own =
    device.hardware === undefined
      ? "and this device's configuration names no hardware; add it to device.toml if it is one of these"
      : `and this device is ${device.hardware}; assign a release that is for it`;
  throw refusal("trust/wrong-hardware", module, version, `it is for ${hardware.join(", ")}, ${own}`);
}

/** Uptane 2.1, "Verify image", step 5: the way back is closed to whoever holds the director's key. */
function checkRelease({ module, version, release }: Release, committed: CommittedRelease | undefined): void {
  if (committed === undefined || release >= committed.release) return;
  throw refusal(
    "trust/rollback-attack",
    module,
    version,
    `release ${release} of the module is older than release ${committed.release} (${committed.version}), which is committed; ` +
      "to go back to old code on purpose, publish it again under a new version",
  );
}

function releaseCounter(component: TargetInfo, module: string, version: string): number {
  const release = releaseCounterOf(component);
  if (release !== undefined) return release;
  throw refusal(
    "trust/malformed",
    module,
    version,
    `the image repository lists ${component.path} without a release counter; publish it with skerry publish`,
  );
}

function refusal(
  code: TrustErrorCode,
  module: string,
  version: string | undefined,
  problem: string,
): OtaError {
  const subject = version === undefined ? module : `${module} ${version}`;
  return new OtaError(code, `${subject}: ${problem}`, {
    details: { module, ...(version === undefined ? {} : { version }) },
  });
}
