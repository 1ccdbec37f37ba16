/**
 * Decides who runs what: new director metadata with an assignment for a share of a group, or a pin for one
 * device.
 *
 * Rules, per module (docs/ARCHITECTURE.md, "Director targets"):
 * - Each assignment gets an order above all others of its module, so the newest decision holds.
 * - A rollout (module@version to a group) gets a new salt; changing its percent keeps it, so that raising
 *   only adds devices.
 * - What a decision makes pointless is dropped: an earlier assignment of the same version to the group, at
 *   100 percent any other version's for the group, and any other pin of the device.
 * Example: 1.0.0 at 100, then 1.1.0 at 25, then 1.1.0 at 100 percent leaves one assignment, with 1.1.0's
 * salt.
 */

import { randomBytes } from "node:crypto";
import { type Assignment, assignmentJson, parseAssignments } from "../ota/assignment.ts";
import type { TargetInfo, Targets } from "../ota/metadata.ts";
import {
  isDeviceId,
  isGroupName,
  isModuleName,
  isVersion,
  parseTargetPath,
  targetPath,
} from "../ota/names.ts";
import { hardwareOf, releaseCounterOf } from "../ota/release-custom.ts";
import { targetInfo } from "../ota/sign-metadata.ts";
import { FleetError } from "./errors.ts";
import { withRepositoryLock } from "./lock.ts";
import { listedTargetsOf, loadMetadata } from "./metadata-store.ts";
import type { Repository } from "./repository.ts";
import { writeTargets } from "./write-metadata.ts";

/** Whom a release is for. */
export type Audience =
  | { readonly kind: "group"; readonly group: string /** 0 to 100, whole. */; readonly percent: number }
  | { readonly kind: "device"; readonly device: string };

export interface AssignOptions {
  readonly module: string;
  readonly version: string;
  readonly audience: Audience;
  readonly nowMs?: number;
}

export interface AssignResult {
  readonly module: string;
  readonly version: string;
  readonly assignment: Assignment;
  /** The newest version that was assigned before, if the module's release counter was higher then: devices that have committed it stay with it. */
  readonly olderThan: string | undefined;
  /** If the group was never assigned anything (its name may be mistyped): the groups that were. Otherwise empty. */
  readonly groupsUntilNow: readonly string[];
  /** The devices that anything was pinned to before. */
  readonly pinnedUntilNow: readonly string[];
}

/** All assignments of one module, by version. */
export type ModuleAssignments = ReadonlyMap<string, readonly Assignment[]>;

/**
 * Assigns in the folder; the broker follows with `syncRepository`. Throws FleetError "fleet/unknown-release",
 * "fleet/usage" …
 */
export async function assignRelease(repository: Repository, options: AssignOptions): Promise<AssignResult> {
  const { module, version, audience } = options;
  checkAudience(audience);
  return withRepositoryLock(repository.folder, async () => {
    const image = await loadMetadata(repository, "image");
    const director = await loadMetadata(repository, "director");
    const component = findComponent(listedTargetsOf(image), module, version);
    const before = assignmentsOf(director.targets.metadata, module);
    const salt = randomBytes(16).toString("hex");
    const { after, assignment } = decideAssignments(before, version, audience, salt);

    const targets = withAssignments(director.targets.metadata, module, after, component);
    await writeTargets({ repository, nowMs: options.nowMs ?? Date.now() }, director, targets);
    return {
      module,
      version,
      assignment,
      olderThan: newerAssigned(director.targets.metadata, before, component),
      groupsUntilNow: otherGroups(director.targets.metadata, audience),
      pinnedUntilNow: pinnedDevices(director.targets.metadata),
    };
  });
}

/** The groups of all modules' assignments, unless the audience's is one of them. */
function otherGroups(director: Targets, audience: Audience): readonly string[] {
  if (audience.kind !== "group") return [];
  const assignments = [...director.targets.values()].flatMap(parseAssignments);
  const groups = new Set(assignments.flatMap((each) => (each.kind === "group" ? [each.group] : [])));
  return groups.has(audience.group) ? [] : [...groups].toSorted();
}

function pinnedDevices(director: Targets): readonly string[] {
  const assignments = [...director.targets.values()].flatMap(parseAssignments);
  return [...new Set(assignments.flatMap((each) => (each.kind === "pin" ? [each.device] : [])))];
}

function newerAssigned(
  director: Targets,
  before: ModuleAssignments,
  component: TargetInfo,
): string | undefined {
  const counterOf = (target: TargetInfo | undefined): number => (target && releaseCounterOf(target)) ?? 0;
  const module = parseTargetPath(component.path)?.module ?? "";
  const assigned = [...before.keys()].map((version) => ({
    version,
    release: counterOf(director.targets.get(targetPath(module, version, "component.wasm"))),
  }));
  const newest = assigned.toSorted((left, right) => right.release - left.release)[0];
  return newest !== undefined && newest.release > counterOf(component) ? newest.version : undefined;
}

/**
 * Drops a device's pin, so that it follows its groups again. Throws FleetError "fleet/unknown-release" if
 * there is none.
 */
export async function unpinDevice(
  repository: Repository,
  options: { readonly module: string; readonly device: string; readonly nowMs?: number },
): Promise<void> {
  const { module, device } = options;
  await withRepositoryLock(repository.folder, async () => {
    const director = await loadMetadata(repository, "director");
    const before = assignmentsOf(director.targets.metadata, module);
    const isPin = (each: Assignment): boolean => each.kind === "pin" && each.device === device;
    if (![...before.values()].flat().some(isPin)) {
      throw new FleetError(
        "fleet/unknown-release",
        `${device} is not pinned to any version of ${module}: nothing to drop`,
      );
    }
    const after = new Map([...before].map(([version, each]) => [version, each.filter((one) => !isPin(one))]));
    const targets = withAssignments(director.targets.metadata, module, after);
    await writeTargets({ repository, nowMs: options.nowMs ?? Date.now() }, director, targets);
  });
}

/**
 * The director's targets with other assignments for one module; `added` is a component that may not be among
 * them yet.
 */
function withAssignments(
  director: Targets,
  module: string,
  after: ModuleAssignments,
  added?: TargetInfo,
): Iterable<TargetInfo> {
  const targets = new Map([...director.targets].filter(([path]) => parseTargetPath(path)?.module !== module));
  for (const [version, assignments] of after) {
    const path = targetPath(module, version, "component.wasm");
    const component = path === added?.path ? added : director.targets.get(path);
    if (component !== undefined && assignments.length > 0) {
      targets.set(path, directorTarget(component, assignments));
    }
  }
  return targets.values();
}

/**
 * The pure decision: what a module's assignments are after this one. `newSalt` is used if a rollout starts.
 */
export function decideAssignments(
  before: ModuleAssignments,
  version: string,
  audience: Audience,
  newSalt: string,
): { readonly after: ModuleAssignments; readonly assignment: Assignment } {
  const all = [...before.values()].flat();
  const order = 1 + Math.max(0, ...all.map((each) => each.order));
  const assignment = makeAssignment(before.get(version) ?? [], audience, order, newSalt);
  const after = new Map<string, Assignment[]>();
  for (const [each, assignments] of before) {
    const kept = assignments.filter((old) => !supersedes(assignment, old, each === version));
    if (kept.length > 0) after.set(each, kept);
  }
  after.set(version, [...(after.get(version) ?? []), assignment]);
  return { after, assignment };
}

function makeAssignment(
  ofVersion: readonly Assignment[],
  audience: Audience,
  order: number,
  newSalt: string,
): Assignment {
  if (audience.kind === "device") return { kind: "pin", order, device: audience.device };
  const { group, percent } = audience;
  const running = ofVersion.find((each) => each.kind === "group" && each.group === group);
  return { kind: "group", order, group, percent, salt: running?.kind === "group" ? running.salt : newSalt };
}

/** Whether no device can get the old assignment any more. */
function supersedes(assignment: Assignment, old: Assignment, isSameVersion: boolean): boolean {
  if (assignment.kind === "pin") return old.kind === "pin" && old.device === assignment.device;
  return (
    old.kind === "group" && old.group === assignment.group && (isSameVersion || assignment.percent === 100)
  );
}

/** The assignments of a module in the director's targets, by version. */
export function assignmentsOf(director: Targets, module: string): ModuleAssignments {
  const byVersion = new Map<string, readonly Assignment[]>();
  for (const target of director.targets.values()) {
    const path = parseTargetPath(target.path);
    if (path?.module === module) byVersion.set(path.version, parseAssignments(target));
  }
  return byVersion;
}

/**
 * The image repository vouches for the component, so the director's entry takes length and hash from there.
 */
function directorTarget(component: TargetInfo, assignments: readonly Assignment[]): TargetInfo {
  // Uptane 2.1: release counter and hardware stand on both sides, and a device holds the one against the other.
  const release = releaseCounterOf(component);
  const hardware = hardwareOf(component);
  return targetInfo(component.path, component, {
    skerry: {
      assignments: assignments.map(assignmentJson),
      ...(release === undefined ? {} : { release }),
      ...(hardware === undefined ? {} : { hardware }),
    },
  });
}

function findComponent(listed: ReadonlyMap<string, TargetInfo>, module: string, version: string): TargetInfo {
  const component = listed.get(targetPath(module, version, "component.wasm"));
  if (component !== undefined) return component;
  const versions = [...listed.keys()]
    .map(parseTargetPath)
    .filter((path) => path?.module === module && path.file === "component.wasm")
    .map((path) => path?.version);
  const known =
    versions.length === 0 ? `no version of ${module} was published` : `published are ${versions.join(", ")}`;
  throw new FleetError(
    "fleet/unknown-release",
    `${module}@${version} is not in the repository (${known}): publish it first`,
  );
}

function checkAudience(audience: Audience): void {
  if (audience.kind === "device") {
    if (isDeviceId(audience.device)) return;
    throw new FleetError(
      "fleet/usage",
      `"${audience.device}" is no device id: a-z, 0-9, _ and -, at most 64`,
    );
  }
  if (!isGroupName(audience.group)) {
    throw new FleetError(
      "fleet/usage",
      `"${audience.group}" is no group's name: a-z, 0-9, _ and -, at most 64`,
    );
  }
  if (!Number.isInteger(audience.percent) || audience.percent < 0 || audience.percent > 100) {
    throw new FleetError("fleet/usage", `${audience.percent} is no percentage: a whole number from 0 to 100`);
  }
}

/** Takes `publisher/name@version` apart; throws FleetError "fleet/usage". */
export function parseReleaseName(text: string): { readonly module: string; readonly version: string } {
  const at = text.lastIndexOf("@");
  const module = text.slice(0, Math.max(at, 0));
  const version = text.slice(at + 1);
  if (!isModuleName(module) || !isVersion(version)) {
    throw new FleetError(
      "fleet/usage",
      `"${text}" is no release: write it as publisher/name@version, such as acme/thermo@1.0.0`,
    );
  }
  return { module, version };
}
