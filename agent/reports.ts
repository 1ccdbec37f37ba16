/**
 * What the device says of itself on its topics (docs/ARCHITECTURE.md, "Topics"): events, state, telemetry and logs, as messages
 * within the bounds of the wire.
 */
import { attackOf, type OtaError } from "../ota/errors.ts";
import type { InstallEventName } from "../ota/install-types.ts";
import type { InstallReport, ModuleSnapshot } from "../ota/installer.ts";
import { parseTargetPath } from "../ota/names.ts";
import type { LogLevel } from "../sandbox/module-spec.ts";
import { TokenBucket } from "../sandbox/token-bucket.ts";
import { messageOf } from "./errors.ts";
import {
  MAX_MESSAGE_LENGTH,
  METADATA_REFUSALS_BURST,
  METADATA_REFUSALS_PER_HOUR,
  STATE_DELAY_MS,
} from "./limits.ts";
import type { Link } from "./link-types.ts";
import type { Log } from "./log.ts";
import { boundedModules, cutText } from "./state-message.ts";

/** An event as it goes out. */
export interface AgentEvent {
  readonly time: string;
  readonly device: string;
  readonly module: string | null;
  readonly version: string | null;
  /** A transition of a module, or `limited`: it ran into a limit and goes on. */
  readonly event: InstallEventName | "limited";
  readonly code?: string;
  /** What it is if somebody does it on purpose, as TUF and Uptane call it. */
  readonly attack?: string;
  readonly message?: string;
  readonly to?: string;
  readonly received?: number;
  readonly total?: number;
  /** Of refused metadata. */
  readonly repository?: string;
  readonly role?: string;
}

const SECONDS_PER_HOUR = 3_600;

type EventFacts = Omit<AgentEvent, "time" | "device">;

export interface ReportsOptions {
  readonly link: Pick<Link, "topics" | "publish">;
  readonly deviceId: string;
  readonly log: Log;
  readonly onEvent: (event: AgentEvent) => void;
  readonly snapshot: () => Readonly<Record<string, ModuleSnapshot>>;
}

export class Reports {
  readonly #options: ReportsOptions;
  readonly #refusals = new TokenBucket(
    METADATA_REFUSALS_PER_HOUR / SECONDS_PER_HOUR,
    METADATA_REFUSALS_BURST,
    performance.now(),
  );
  #untoldRefusals = 0;
  #stateTimer: NodeJS.Timeout | undefined;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** A transition of a module. */
  install({ version, ...report }: InstallReport): void {
    this.#event({ ...report, version: version ?? null });
  }

  /** Metadata that was refused: an event for each release that it claims to bring, or one without a module. */
  refusedMetadata(error: OtaError): void {
    const { code, details } = error;
    if (!this.#refusals.take(1, performance.now())) {
      // Neither an event nor a line in the log: the disk would be filled instead of the broker.
      this.#untoldRefusals += 1;
      return;
    }
    const untold = this.#untoldRefusals === 0 ? "" : `; ${this.#untoldRefusals} more were refused before it`;
    this.#untoldRefusals = 0;
    const message = error.message + untold;
    const facts = {
      event: "refused",
      code,
      message,
      ...textMembers(details, ["repository", "role"]),
    } as const;
    const claimed = claimedReleases(details["claims"]);
    if (claimed.length === 0) this.#event({ ...facts, module: null, version: null });
    for (const { module, version } of claimed) this.#event({ ...facts, module, version });
  }

  /** A module ran into a limit and goes on. How often that may be told, the sandbox bounds. */
  limited(module: string, version: string, code: string, message: string): void {
    this.#event({ event: "limited", module, version, code, message });
  }

  /** Something of the device itself failed: its disk, for instance. */
  failed(error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "agent/internal";
    this.#event({ event: "failed", module: null, version: null, code, message: messageOf(error) });
  }

  /** The state may have changed: it goes out once for all changes of a moment. */
  stateChanged(): void {
    this.#stateTimer ??= setTimeout(() => this.flushState(), STATE_DELAY_MS);
  }

  /** Sends the state now. */
  flushState(): void {
    clearTimeout(this.#stateTimer);
    this.#stateTimer = undefined;
    const { link, snapshot } = this.#options;
    const state = { time: new Date().toISOString(), modules: boundedModules(snapshot()) };
    this.#publish("latest", link.topics.state, JSON.stringify(state));
  }

  /** A module's telemetry, below `telemetry/`; false if it can't go out. */
  telemetry(module: string, path: string, payload: Uint8Array): boolean {
    return this.#publish("telemetry", this.#options.link.topics.telemetry(module, path), payload);
  }

  moduleLog(module: string, level: LogLevel, text: string): void {
    const line = JSON.stringify({
      time: new Date().toISOString(),
      level,
      text: cutText(text, MAX_MESSAGE_LENGTH),
    });
    this.#publish("telemetry", this.#options.link.topics.log(module), line);
  }

  #event({ message, ...facts }: EventFacts): void {
    const { deviceId, link, onEvent } = this.#options;
    const attack = facts.code === undefined ? undefined : attackOf(facts.code);
    const event: AgentEvent = {
      time: new Date().toISOString(),
      device: deviceId,
      ...facts,
      ...(attack === undefined ? {} : { attack }),
      ...(message === undefined ? {} : { message: cutText(message, MAX_MESSAGE_LENGTH) }),
    };
    onEvent(event);
    this.#publish("event", link.topics.event, JSON.stringify(event));
  }

  #publish(kind: "latest" | "event" | "telemetry", topic: string, payload: Uint8Array | string): boolean {
    try {
      this.#options.link.publish(kind, topic, payload);
      return true;
    } catch (error) {
      // A topic or size that is not allowed: nothing that is wrong with one message ends the agent.
      this.#options.log("warning", `not sent: ${messageOf(error)}`);
      return false;
    }
  }
}

function textMembers(
  details: OtaError["details"],
  names: readonly ("repository" | "role")[],
): { repository?: string; role?: string } {
  const found: { repository?: string; role?: string } = {};
  for (const name of names) {
    const value = details[name];
    if (typeof value === "string") found[name] = value;
  }
  return found;
}

/** The releases in a list of target paths; the paths were syntax-checked and bounded by whoever made the list. */
function claimedReleases(claims: OtaError["details"][string]): { module: string; version: string }[] {
  if (!Array.isArray(claims)) return [];
  return claims.flatMap((path: unknown) => {
    const parsed = typeof path === "string" ? parseTargetPath(path) : undefined;
    return parsed === undefined ? [] : [{ module: parsed.module, version: parsed.version }];
  });
}
