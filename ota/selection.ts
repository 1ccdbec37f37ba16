/**
 * From two verified targets files to what this device should run: Uptane 2.1, "Full verification" (the director's targets have to
 * be in the image repository with the same length and hashes).
 *
 * Per module: its pin with the highest order, otherwise the group assignment with the highest order that includes the device, otherwise nothing,
 * and a module that nobody assigns is not mentioned. A refusal concerns one module; the others are selected all the same.
 */

import { type Assignment, type DeviceIdentity, includesDevice, parseAssignments } from "./assignment.ts";
import { OtaError, type TrustErrorCode } from "./errors.ts";
import { isJsonObject } from "./json.ts";
import { MAX_COMPONENT_BYTES, MAX_MODULES, MAX_PAYLOAD_BYTES } from "./limits.ts";
import type { TargetInfo, Targets } from "./metadata.ts";
import { isModuleName, parseTargetPath, type ReleaseFile, targetPath } from "./names.ts";
import { resolveTarget } from "./resolve-target.ts";

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
  | { readonly kind: "refused"; readonly error: OtaError };

/** A director target and the best of its assignments that include the device. */
interface Candidate {
  readonly target: TargetInfo;
  readonly assignment: Assignment;
}

/** What the device should run, by module name. Pure; both targets have to be verified. */
export function selectReleases(
  image: Targets,
  director: Targets,
  device: DeviceIdentity,
): ReadonlyMap<string, Selection> {
  const selections = new Map<string, Selection>();
  for (const [module, targets] of directorTargetsByModule(director)) {
    const selection = attempt(() => selectModule(module, targets, image, device, selections.size));
    if (selection !== undefined) selections.set(module, selection);
  }
  return selections;
}

function attempt(select: () => Selection | undefined): Selection | undefined {
  try {
    return select();
  } catch (error) {
    // A refusal of one module must not keep the others from their updates.
    if (error instanceof OtaError) return { kind: "refused", error };
    throw error;
  }
}

function selectModule(
  module: string,
  directorTargets: readonly TargetInfo[],
  image: Targets,
  device: DeviceIdentity,
  selectedCount: number,
): Selection | undefined {
  const winner = winningCandidate(module, directorTargets, device);
  if (winner === undefined) return undefined;
  if (selectedCount >= MAX_MODULES) {
    throw refusal("trust/bad-assignment", module, undefined, `a device takes at most ${MAX_MODULES} modules`);
  }
  return { kind: "selected", release: vouchedRelease(winner.target, module, image) };
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

function vouchedRelease(directorTarget: TargetInfo, module: string, image: Targets): Release {
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
  if (!isSameFile(component, directorTarget)) {
    throw refusal(
      "trust/not-vouched",
      module,
      version,
      "the image repository lists its component with another length or hash than the director",
    );
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
  image: Targets,
  module: string,
  version: string,
  file: ReleaseFile,
  maxBytes: number,
): TargetInfo {
  const path = targetPath(module, version, file);
  const target = resolveTarget(image, path);
  if (target === undefined) {
    throw refusal(
      "trust/not-vouched",
      module,
      version,
      `the director assigns it, and the image repository lists no ${path}; publish it first`,
    );
  }
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
 * Uptane 2.1 wants the same hashes and length on both sides. Both have a SHA-256 (the parser sees to it); a further algorithm that only
 * one side lists vouches for nothing.
 */
function isSameFile(left: TargetInfo, right: TargetInfo): boolean {
  const sharedHashesAgree = [...left.hashes].every(
    ([algorithm, digest]) => (right.hashes.get(algorithm) ?? digest) === digest,
  );
  return left.length === right.length && sharedHashesAgree;
}

function releaseCounter(component: TargetInfo, module: string, version: string): number {
  const skerry = component.custom?.["skerry"];
  const release = isJsonObject(skerry) ? skerry["release"] : undefined;
  if (typeof release === "number" && release >= 1) return release;
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
