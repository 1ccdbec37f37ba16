/**
 * What the state file holds, schema 3: per module what the director asks for, what is committed, what failed, and how far an
 * install is; and how often in a row the agent ended unasked, in which boot of the machine the last time. How a module runs is not remembered:
 * it does not, when the agent starts.
 */

import type { FailedRelease, Failure, InstallState, Phase } from "./install-types.ts";
import { MAX_FAILURE_MESSAGE_LENGTH } from "./limits.ts";
import { isModuleName } from "./names.ts";
import { isCount, isObject, parseReleaseRecord, type ReleaseRecord } from "./release.ts";
import { migrateState } from "./state-migrations.ts";

/** Raised by any change that an older agent would misread; then `state-migrations.ts` has one step more. */
export const STATE_SCHEMA = 3;

/** One module's part of the state file. */
export type DurableState = Omit<InstallState, "serving">;

export type StoredState = {
  readonly schema: typeof STATE_SCHEMA;
  readonly modules: Readonly<Record<string, DurableState>>;
  /** Runs of the agent in a row, the latest among them, that were not seen to end as they should or to last. */
  readonly uncleanEnds: number;
  /** The machine's boot that the latest run began in; empty where that was not written down. */
  readonly bootId: string;
};

export const EMPTY_STATE: StoredState = { schema: STATE_SCHEMA, modules: {}, uncleanEnds: 0, bootId: "" };

/** The part of a module's state that outlives the agent; a state file that outgrew its bound could not be read again. */
export function toDurable({ desired, committed, previous, failed, phase }: InstallState): DurableState {
  return {
    desired,
    committed,
    previous,
    failed: failed && bounded(failed),
    phase: "failure" in phase ? { ...phase, failure: phase.failure && bounded(phase.failure) } : phase,
  };
}

function bounded<T extends Failure>(failure: T): T {
  return { ...failure, message: failure.message.slice(0, MAX_FAILURE_MESSAGE_LENGTH) };
}

/** A module's state as it is when the agent starts: nothing runs yet. */
export function fromDurable(durable: DurableState): InstallState {
  return { ...durable, serving: { kind: "down" } };
}

/** Narrows what a state file held, of this schema or an older one; undefined if it is neither. */
export function parseState(stored: unknown): StoredState | undefined {
  const data = migrateState(stored);
  if (!isObject(data) || data["schema"] !== STATE_SCHEMA || !isObject(data["modules"])) {
    return undefined;
  }
  const { uncleanEnds, bootId } = data;
  if (!isCount(uncleanEnds) || typeof bootId !== "string") {
    return undefined;
  }
  const modules: Record<string, DurableState> = {};
  for (const [name, value] of Object.entries(data["modules"])) {
    const module = isModuleName(name) ? attempt(() => parseModule(value)) : undefined;
    if (module === undefined) {
      return undefined;
    }
    modules[name] = module;
  }
  return { schema: STATE_SCHEMA, modules, uncleanEnds, bootId };
}

/** Thrown inside this file for any member that is not the format; the caller gets undefined. */
class NotTheFormat extends Error {}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof NotTheFormat) {
      return undefined;
    }
    throw error;
  }
}

function parseModule(value: unknown): DurableState {
  const members = object(value);
  return {
    desired: optional(members["desired"], release),
    committed: optional(members["committed"], release),
    previous: optional(members["previous"], release),
    failed: optional(members["failed"], failedRelease),
    phase: phase(members["phase"]),
  };
}

function phase(value: unknown): Phase {
  const members = object(value);
  const kind = members["kind"];
  if (kind === "settled") {
    return { kind };
  }
  const of = release(members["release"]);
  switch (kind) {
    case "fetching": {
      const attempts = count(members["attempts"]);
      const waiting = boolean(members["waiting"]);
      return { kind, release: of, attempts, failure: optional(members["failure"], failure), waiting };
    }
    case "verifying":
    case "staged":
      return { kind, release: of, attempts: count(members["attempts"]) };
    case "trial": {
      const running = boolean(members["running"]);
      return {
        kind,
        release: of,
        starts: count(members["starts"]),
        running,
        healthy: boolean(members["healthy"]),
      };
    }
    case "rolling-back":
      return { kind, release: of, failure: optional(members["failure"], failure) };
    default:
      throw new NotTheFormat();
  }
}

function failedRelease(value: unknown): FailedRelease {
  const { id, version } = object(value);
  return { id: string(id), version: string(version), ...failure(value) };
}

function failure(value: unknown): Failure {
  const { code, message } = object(value);
  return { code: string(code), message: string(message) };
}

function release(value: unknown): ReleaseRecord {
  const parsed = parseReleaseRecord(value);
  if (parsed === undefined) {
    throw new NotTheFormat();
  }
  return parsed;
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) {
    throw new NotTheFormat();
  }
  return value;
}

function string(value: unknown): string {
  if (typeof value !== "string") {
    throw new NotTheFormat();
  }
  return value;
}

function count(value: unknown): number {
  if (!isCount(value)) {
    throw new NotTheFormat();
  }
  return value;
}

function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") {
    throw new NotTheFormat();
  }
  return value;
}
