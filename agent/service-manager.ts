/**
 * What the agent tells systemd, where systemd started it: that it is ready, how it is, that it stops, and that it lives (sd_notify(3), `Type=notify`,
 * `WatchdogSec=`).
 *
 * The messages are datagrams on a Unix socket, which Node has no means to send, so `systemd-notify` sends them. That program is there wherever
 * systemd is, takes a few milliseconds of processor time per message and nothing in between; a native addon would be one more to keep for three
 * architectures, and a helper that stays would hold memory for a message a minute. The unit needs `NotifyAccess=all`.
 *
 *     every half of WATCHDOG_USEC ──▶ event loop runs ──▶ the supervisor is not stuck ──▶ WATCHDOG=1
 */
import { spawn } from "node:child_process";
import { messageOf } from "./errors.ts";
import { NOTICE_TIMEOUT_MS, STATUS_SETTLING_MS } from "./limits.ts";
import type { Log } from "./log.ts";

/** How the agent is. */
export interface AgentCondition {
  /** For people, on one line. */
  readonly summary: string;
  /** What hangs, if anything does that only a new start of the agent would help. */
  readonly stuck: string | undefined;
}

export interface ServiceManager {
  /** The agent runs, with or without the broker; from now on its condition is told. */
  ready(condition: () => AgentCondition): void;
  /** The condition may have changed. */
  conditionChanged(): void;
  /** The agent was asked to stop. It is not said to be alive any more: `TimeoutStopSec=` holds. */
  stopping(): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

const NOBODY: ServiceManager = {
  ready: () => undefined,
  conditionChanged: () => undefined,
  stopping: () => undefined,
};

/** The service manager that started this process; one that does nothing where none asked to be told. */
export function openServiceManager(log: Log, environment: Environment = process.env): ServiceManager {
  const socket = environment["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "") return NOBODY;
  return new Systemd(log, environment);
}

/** Half of what systemd waits for a sign of life; undefined if it does not wait for this process (sd_watchdog_enabled(3)). */
export function watchdogIntervalMs(environment: Environment): number | undefined {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: processId } = environment;
  if (microseconds === undefined || !/^[1-9]\d{0,14}$/.test(microseconds)) return undefined;
  if (processId !== undefined && processId !== String(process.pid)) return undefined;
  return Number(microseconds) / 1_000 / 2;
}

class Systemd implements ServiceManager {
  readonly #log: Log;
  readonly #environment: Environment;
  #condition: () => AgentCondition = () => ({ summary: "starting", stuck: undefined });
  #watchdog: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #toldSummary = "";
  #isStuckLogged = false;
  /** What waits for the message before it to be sent; a later value of a variable takes an earlier one's place. */
  readonly #waiting = new Map<string, string>();
  #isSending = false;
  #isFailureLogged = false;

  constructor(log: Log, environment: Environment) {
    this.#log = log;
    this.#environment = environment;
  }

  ready(condition: () => AgentCondition): void {
    this.#condition = condition;
    this.#waiting.set("READY", "1");
    this.#tellStatus();
    this.#send();
    const intervalMs = watchdogIntervalMs(this.#environment);
    if (intervalMs !== undefined) this.#watchdog = setInterval(() => this.#feed(), intervalMs);
  }

  conditionChanged(): void {
    // Several modules start at once, a bad line comes and goes: a process for each of these is not worth it.
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#tellStatus();
      this.#send();
    }, STATUS_SETTLING_MS).unref();
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#settling);
    this.#waiting.set("STOPPING", "1").set("STATUS", "stopping");
    this.#send();
  }

  #feed(): void {
    const { stuck } = this.#condition();
    if (stuck === undefined) {
      this.#isStuckLogged = false;
      this.#waiting.set("WATCHDOG", "1");
      this.#send();
    } else if (!this.#isStuckLogged) {
      this.#isStuckLogged = true;
      this.#log("error", `${stuck}: the watchdog is left to start the agent anew`, { code: "agent/stuck" });
    }
  }

  #tellStatus(): void {
    const { summary } = this.#condition();
    if (summary === this.#toldSummary) return;
    this.#toldSummary = summary;
    this.#waiting.set("STATUS", summary);
  }

  /** Sends what waits, a message at a time: they are to arrive in their order. */
  #send(): void {
    if (this.#isSending || this.#waiting.size === 0) return;
    const variables = [...this.#waiting].map(([name, value]) => `${name}=${value}`);
    this.#waiting.clear();
    this.#isSending = true;
    const options = { env: this.#environment, stdio: "ignore", timeout: NOTICE_TIMEOUT_MS } as const;
    const child = spawn("systemd-notify", variables, options);
    const ended = (failure: string | undefined): void => {
      this.#isSending = false;
      if (failure !== undefined) this.#logFailure(failure);
      this.#send();
    };
    child.once("error", (error) => ended(messageOf(error)));
    child.once("exit", (code, signal) => ended(code === 0 ? undefined : `it ended with ${code ?? signal}`));
    // An agent that has stopped does not wait for it.
    child.unref();
  }

  #logFailure(failure: string): void {
    if (this.#isFailureLogged) return;
    this.#isFailureLogged = true;
    this.#log("warning", `systemd-notify cannot tell systemd how the agent is: ${failure}`);
  }
}
