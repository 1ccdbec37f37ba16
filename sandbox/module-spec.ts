/** What the agent says about a module, and what it learns from it: the types around `startModule`. */

import type { TrapCode } from "./component/errors.ts";
import type { LimitCode, SandboxErrorCode } from "./errors.ts";
import type { NetworkGrants } from "./network/rules.ts";

/** `command` runs `wasi:cli/run` until it returns; `reactor` is called at its start, by a timer and for its health. */
export type World = "command" | "reactor";

export type Stdio = "log" | "inherit";

/** What a module may reach, by the policy's names. Everything else is refused, whatever the worker says. */
export interface ModuleGrants {
  readonly sensors: readonly string[];
  readonly serial: readonly string[];
  /** MQTT topic filters, relative to the module: `telemetry/#`. */
  readonly publish: readonly string[];
  /** Private files, in bytes: with some, `wasi:keyvalue` is there. */
  readonly storageBytes?: number;
  /** What `wasi:config` tells the module. */
  readonly config?: Readonly<Record<string, string>>;
  /** Without it there is no network at all: a component that imports it is refused. With empty lists nothing can be reached. */
  readonly network?: NetworkGrants;
}

/** Each left out takes the default of `limits.ts`. */
export interface ModuleLimits {
  /** All linear memories together. */
  readonly memoryBytes?: number;
  /** WebAssembly code of the component; without it however much. */
  readonly codeBytes?: number;
  /** `Infinity`: however long it takes. */
  readonly callDeadlineMs?: number;
  readonly startDeadlineMs?: number;
  readonly hostCallsPerSecond?: number;
  readonly logLinesPerSecond?: number;
  readonly logBytesPerSecond?: number;
  /** To folders with a quota. */
  readonly writtenBytesPerSecond?: number;
  readonly messagesPerSecond?: number;
  readonly messageBytesPerSecond?: number;
  /** Messages to the module. */
  readonly receivedMessagesPerSecond?: number;
  /** JavaScript heap of the worker. */
  readonly heapMiB?: number;
}

/** A folder of the host that the module may use, and nothing beside it. */
export interface ModuleFolder {
  /** Absolute; it exists. */
  readonly hostPath: string;
  /** What the module calls it: `/data`. */
  readonly guestPath: string;
  /** What may lie in it, if that is bounded. */
  readonly quota?: FolderQuota;
}

interface FolderQuota {
  /** Sizes of all files together, in bytes. */
  readonly maxBytes: number;
  /** Files, folders and links together. */
  readonly maxEntries: number;
}

export interface ModuleSpec {
  /** `publisher/name`; the name of the file for a module that is run by hand. The program's name for the guest. */
  readonly name: string;
  readonly version: string;
  /** The component's file; it is read by the worker and not held open. */
  readonly componentPath: string;
  /** The agent has validated what is in that file, and answers for it. Otherwise the worker validates it. */
  readonly isValidated?: boolean;
  readonly world: World;
  /** The module's whole environment; nothing of the host's is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  /** The folders that it finds open; without them it has no files at all. */
  readonly folders?: readonly ModuleFolder[];
  /**
   * `log`, the default: stdin is at its end, stdout and stderr become log lines. `inherit`: they are this process's
   * own, for a module that is run by hand; stdin comes through `ModuleServices.readStdin`.
   */
  readonly stdio?: Stdio;
  /** Reactor: time between two `on-timer` calls. Without it none are made. */
  readonly intervalMs?: number;
  readonly grants: ModuleGrants;
  readonly limits: ModuleLimits;
}

/** The error codes of the WIT interfaces: services answer with them, and they reach the module unchanged. */
export type SensorErrorCode = "not-granted" | "unavailable" | "failed";
export type SerialErrorCode =
  | "not-granted"
  | "busy"
  | "unavailable"
  | "overrun"
  | "timed-out"
  | "invalid-argument"
  | "failed";
export type PublishErrorCode = "not-granted" | "invalid-topic" | "too-large" | "rate-limited" | "unavailable";

export type Outcome<Value, Code> =
  | { readonly tag: "ok"; readonly value: Value }
  | { readonly tag: "err"; readonly code: Code };

interface SensorReading {
  /** In `unit`, finite. */
  readonly value: number;
  /** UCUM code, `Cel` for instance. */
  readonly unit: string;
  /** Nanoseconds since 1970. */
  readonly timeNs: bigint;
}

/**
 * What the agent does for one module. Called with granted names and bounded arguments only, one call at a time
 * per module. A rejection is a defect of the service: the module sees `failed` (or `unavailable`), the log its message.
 */
export interface ModuleServices {
  readSensor(name: string): Promise<Outcome<SensorReading, SensorErrorCode>>;
  /** A port has one owner; `busy` if another module holds it. */
  openSerial(name: string): Promise<Outcome<void, SerialErrorCode>>;
  /** Called for each port that is still open when the module has ended, too. */
  closeSerial(name: string): Promise<void>;
  /** At most `maxBytes` bytes, at least one unless `timeoutMs` passed. */
  readSerial(
    name: string,
    maxBytes: number,
    timeoutMs: number,
  ): Promise<Outcome<Uint8Array, SerialErrorCode>>;
  /** The number of bytes sent. */
  writeSerial(name: string, data: Uint8Array): Promise<Outcome<number, SerialErrorCode>>;
  /** `topic` is relative to the module and below `telemetry/`: `telemetry/temperature`. */
  publish(topic: string, payload: Uint8Array): Promise<Outcome<void, "unavailable">>;
  /**
   * At least one byte of standard input and at most `maxBytes`, or none at its end; `timed-out` when none came within
   * `timeoutMs`. Without this function standard input is at its end.
   */
  readStdin?(maxBytes: number, timeoutMs: number): Promise<Outcome<Uint8Array, "timed-out">>;
}

/** `info`: stdout; `error`: stderr; `warning`: the host's own remarks about the module. */
export type LogLevel = "info" | "warning" | "error";

/** How a module ended. It ends once. */
export type ModuleEnd =
  /** `stop` was called. */
  | { readonly kind: "stopped" }
  /** A command's `run` returned, or it called `exit`; 0 is success. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** The guest trapped; `stack` is the guest's own, a line per function, the innermost first (wasm-stack.ts). */
  | { readonly kind: "trapped"; readonly code: TrapCode; readonly message: string; readonly stack: string }
  /** Refused before it ran, ended by a limit, or the worker failed; with the guest's stack where a call of its own ended it. */
  | {
      readonly kind: "failed";
      readonly code: SandboxErrorCode;
      readonly message: string;
      readonly stack?: string;
    };

/** Told what happens, on the agent's thread. Each left out is not told. */
export interface ModuleObserver {
  /** The component is instantiated and, for a reactor, `init` has succeeded. */
  running?(): void;
  log?(level: LogLevel, text: string): void;
  /** The module ran into a limit and goes on; at most once per code and minute. */
  limited?(code: LimitCode, message: string): void;
  /** `on-timer` or `on-message` answered with an error; the module stays alive. */
  callFailed?(call: "on-timer" | "on-message", message: string): void;
  /** One of these came to a good end. */
  callSucceeded?(call: "on-timer" | "on-message"): void;
  ended?(end: ModuleEnd): void;
}

export type HealthReport = { readonly healthy: true } | { readonly healthy: false; readonly reason: string };

/** What became of a message to a module. */
export type Delivery =
  | { readonly kind: "handled" }
  /** `on-message` answered with this error. */
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "dropped"; readonly code: LimitCode; readonly message: string }
  /** Its topic is none that a module is told. */
  | { readonly kind: "refused"; readonly message: string }
  /** The module ended before it had dealt with the message. */
  | { readonly kind: "ended" };

export interface RunningModule {
  /** Resolves when the worker is gone and its ports are closed; never rejects. */
  readonly done: Promise<ModuleEnd>;
  /** Asks the module to end, and ends it after `graceMs`. Resolves as `done` does. */
  stop(graceMs: number): Promise<ModuleEnd>;
  /** A reactor's own answer within `deadlineMs`, past which it is ended; a command is healthy while it runs. */
  health(deadlineMs: number): Promise<HealthReport>;
  /**
   * Hands a reactor a message, as soon as it runs and has dealt with those before; whether it was granted is the caller's to say.
   * Resolves when `on-message` has returned, at once when a limit drops the message. Never rejects.
   */
  deliver(topic: string, payload: Uint8Array): Promise<Delivery>;
}
