/**
 * Runs one module in one worker, seen from the agent.
 *
 * starting → running → ended. While a reactor runs, at most one call is inside it: timer, messages and health checks wait
 * their turn, and a timer that falls due while the last one still waits or runs is skipped. Whatever ends the module (itself, a stop, a limit, a crash of its
 * worker) is recorded once; `done` resolves when the worker's thread is gone and its ports are closed.
 */

import { type AgentMessage, encodeFrame, type WorkerMessage } from "./channel.ts";
import { AgentControl, createControlMemory } from "./control-block.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import { HostCalls } from "./host-calls.ts";
import { Inbox } from "./inbox.ts";
import { LimitReports } from "./limit-reports.ts";
import { LOG_SLACK } from "./limits.ts";
import { LogRate } from "./log-rate.ts";
import { type EffectiveLimits, effectiveLimits } from "./module-limits.ts";
import type {
  Delivery,
  HealthReport,
  ModuleEnd,
  ModuleObserver,
  ModuleServices,
  ModuleSpec,
  RunningModule,
} from "./module-spec.ts";
import { ModuleWorker } from "./module-worker.ts";
import { ReactorCalls } from "./reactor-calls.ts";
import { ReactorTimer } from "./reactor-timer.ts";
import { workerStart } from "./start-worker.ts";
import { Watchdog } from "./watchdog.ts";

/**
 * Starts a module in a worker of its own and returns at once; `done` tells how it ended.
 *
 * Nothing that the module does throws here or later: a component that can't be read or is refused ends as `failed`.
 */
export function startModule(
  spec: ModuleSpec,
  services: ModuleServices,
  observer: ModuleObserver = {},
): RunningModule {
  const host = new ModuleHost(spec, services, observer);
  host.start();
  return host;
}

class ModuleHost implements RunningModule {
  readonly done: Promise<ModuleEnd>;
  readonly #spec: ModuleSpec;
  readonly #observer: ModuleObserver;
  readonly #controlMemory = createControlMemory();
  readonly #control = new AgentControl(this.#controlMemory);
  readonly #watchdog = new Watchdog(
    this.#control,
    {
      "limit/write-rate": () => this.#control.writeWaitMs(),
      "limit/host-call-rate": () => this.#hostCalls.waitedMs,
    },
    (code, message) => this.#fail(code, message),
  );
  readonly #reactor = new ReactorCalls((call, payload) => this.#post(call, payload), this.#watchdog);
  readonly #timer = new ReactorTimer(() => this.#onTimer());
  readonly #hostCalls: HostCalls;
  readonly #inbox: Inbox;
  readonly #limitReports: LimitReports;
  readonly #log: LogRate;
  readonly #limits: EffectiveLimits;
  readonly #resolveDone: (end: ModuleEnd) => void;
  #worker: ModuleWorker | undefined;
  #state: "starting" | "running" | "ended" = "starting";
  #isInitializing = false;
  #end: ModuleEnd | undefined;
  #hostCallPending = false;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(spec: ModuleSpec, services: ModuleServices, observer: ModuleObserver) {
    const { promise, resolve } = Promise.withResolvers<ModuleEnd>();
    this.done = promise;
    this.#resolveDone = resolve;
    this.#spec = spec;
    this.#observer = observer;
    this.#limits = effectiveLimits(spec.limits);
    const { logLinesPerSecond, logBytesPerSecond, receivedMessagesPerSecond } = this.#limits;
    this.#limitReports = new LimitReports((code, message) => observer.limited?.(code, message));
    this.#log = new LogRate(LOG_SLACK * logLinesPerSecond, LOG_SLACK * logBytesPerSecond);
    this.#hostCalls = new HostCalls(spec.grants, services, this.#limits, {
      limited: (code, message) => this.#limitReports.report(code, message),
      serviceFailed: (message) => this.#logLine("warning", message),
      networkRefused: (what) => this.#logLine("warning", `network: not granted: ${what}`),
    });
    this.#inbox = new Inbox({
      messagesPerSecond: receivedMessagesPerSecond,
      call: (topic, payload) => this.#onMessage(topic, payload),
      limited: (code, message) => this.#limitReports.report(code, message),
    });
  }

  start(): void {
    try {
      this.#worker = new ModuleWorker(this.#controlMemory, this.#limits.heapMiB, {
        message: (head, payload) => {
          if (this.#end === undefined) this.#handle(head, payload);
        },
        failed: (code, message) => this.#fail(code, message),
        gone: (code) => {
          this.#end ??= failure(
            "sandbox/worker-failed",
            `the module's worker ended by itself with code ${code}`,
          );
          void this.#cleanUp(this.#end);
        },
      });
      this.#post({ kind: "start", start: workerStart(this.#spec, this.#limits) });
    } catch (error) {
      this.#fail("sandbox/worker-failed", `the module's worker did not start: ${messageOf(error)}`);
      return;
    }
    this.#watchdog.watchCall("start", this.#limits.startDeadlineMs);
  }

  async stop(graceMs: number): Promise<ModuleEnd> {
    if (this.#end === undefined && this.#graceTimer === undefined) {
      this.#control.requestStop();
      this.#post({ kind: "stop" });
      this.#graceTimer = setTimeout(() => this.#finish({ kind: "stopped" }), graceMs);
    }
    return this.done;
  }

  async health(deadlineMs: number): Promise<HealthReport> {
    if (this.#state !== "running") {
      return {
        healthy: false,
        reason: this.#state === "starting" ? "the module is starting" : "the module has ended",
      };
    }
    if (this.#spec.world === "command") {
      return { healthy: true };
    }
    const error = await this.#reactor.call({ kind: "health" }, deadlineMs);
    return error === null ? { healthy: true } : { healthy: false, reason: error };
  }

  deliver(topic: string, payload: Uint8Array): Promise<Delivery> {
    return this.#inbox.deliver(topic, payload);
  }

  #handle(message: WorkerMessage, payload: Uint8Array): void {
    switch (message.kind) {
      case "call":
        this.#answer(message, payload);
        break;
      case "log":
        this.#logLine(message.level, message.text);
        break;
      case "log-dropped":
        this.#limitReports.report(
          "limit/log-rate",
          "more log lines, or bytes of them, than granted per second: some are dropped",
        );
        break;
      case "limited":
        this.#limitReports.report(message.code, message.message);
        break;
      case "initializing":
        this.#nowInitializing();
        break;
      case "running":
        this.#nowRunning(message.hasTimer);
        break;
      case "called":
        this.#reactor.finish(message.error);
        break;
      case "ended":
        this.#finish(message.end);
        break;
    }
  }

  #answer(message: WorkerMessage & { kind: "call" }, payload: Uint8Array): void {
    if (this.#hostCallPending) {
      throw new SandboxError(
        "sandbox/channel-violation",
        "the module's worker did not wait for a call's reply",
      );
    }
    this.#hostCallPending = true;
    void this.#hostCalls.answer(message.request, payload).then((reply) => {
      this.#hostCallPending = false;
      this.#control.reply(message.sequence, encodeFrame(reply.head, reply.payload));
    });
  }

  /** From here on it is the guest that computes; it says so once. An interpreter sets itself up here, from code that is compiled as it is reached. */
  #nowInitializing(): void {
    if (this.#state === "starting" && !this.#isInitializing) {
      this.#isInitializing = true;
      this.#watchdog.watchCall("init", this.#limits.startDeadlineMs);
    }
  }

  #nowRunning(hasTimer: boolean): void {
    if (this.#state !== "starting") {
      return;
    }
    this.#state = "running";
    this.#watchdog.rest();
    if (this.#spec.world === "command") {
      this.#watchdog.watchActivity(this.#limits.callDeadlineMs);
    } else if (this.#spec.intervalMs !== undefined && hasTimer) {
      this.#timer.start(this.#spec.intervalMs);
    }
    if (this.#spec.world === "reactor") this.#inbox.open();
    this.#observer.running?.();
  }

  async #onTimer(): Promise<void> {
    if (this.#state !== "running") return;
    const error = await this.#reactor.call({ kind: "on-timer" }, this.#limits.callDeadlineMs);
    this.#tellOfCall("on-timer", error);
  }

  async #onMessage(topic: string, payload: Uint8Array): Promise<string | null> {
    const error = await this.#reactor.call(
      { kind: "on-message", topic },
      this.#limits.callDeadlineMs,
      payload,
    );
    this.#tellOfCall("on-message", error);
    return error;
  }

  #tellOfCall(call: "on-timer" | "on-message", error: string | null): void {
    if (this.#end !== undefined) return;
    if (error === null) this.#observer.callSucceeded?.(call);
    else this.#observer.callFailed?.(call, error);
  }

  #logLine(level: "info" | "warning" | "error", text: string): void {
    if (this.#log.take(text)) {
      this.#observer.log?.(level, text);
    }
  }

  #post(message: AgentMessage, payload?: Uint8Array): void {
    this.#worker?.post(message, payload);
  }

  #fail(code: SandboxErrorCode, message: string): void {
    this.#finish(failure(code, message));
  }

  /** Records how the module ended and takes its thread away; what is left follows when it is gone. */
  #finish(end: ModuleEnd): void {
    if (this.#end !== undefined) {
      return;
    }
    this.#end = end;
    this.#state = "ended";
    this.#watchdog.rest();
    this.#inbox.end();
    if (this.#worker === undefined) {
      void this.#cleanUp(end);
    } else {
      this.#worker.terminate();
    }
  }

  async #cleanUp(end: ModuleEnd): Promise<void> {
    this.#state = "ended";
    this.#watchdog.rest();
    this.#timer.stop();
    clearTimeout(this.#graceTimer);
    this.#inbox.end();
    this.#reactor.end();
    await this.#hostCalls.close();
    this.#observer.ended?.(end);
    this.#resolveDone(end);
  }
}

function failure(code: SandboxErrorCode, message: string): ModuleEnd {
  return { kind: "failed", code, message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
