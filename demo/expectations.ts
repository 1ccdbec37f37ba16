/** Waits for what a chapter of the demo promises, among what the device publishes from the chapter's beginning on. */
import type { DeviceEvent } from "./device-events.ts";

export interface ExpectedEvent {
  readonly event: string;
  readonly version: string;
  readonly code?: string;
  readonly also?: (event: DeviceEvent) => boolean;
}

/** How a release ends that does not come to run: nothing of it follows. */
const BAD_ENDS: ReadonlySet<string> = new Set(["failed", "rolled-back"]);

interface Waiting {
  /** Looks at what has come so far: true when it is all there, false when it can't come any more, undefined until then. */
  readonly check: () => boolean | undefined;
  readonly resolve: (met: boolean) => void;
}

export class Expectations {
  readonly #timeoutMs: number;
  #events: DeviceEvent[] = [];
  #telemetry: { readonly topic: string; readonly payload: string }[] = [];
  #wantsTelemetry = false;
  #waiting: Waiting | undefined;

  /** Each wait ends after `timeoutMs`. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get isWaitingForTelemetry(): boolean {
    return this.#wantsTelemetry;
  }

  addEvent(event: DeviceEvent): void {
    this.#events.push(event);
    this.#look();
  }

  addTelemetry(topic: string, payload: string): void {
    if (!this.#wantsTelemetry) return;
    this.#telemetry.push({ topic, payload });
    this.#look();
  }

  /**
   * Waits for these events in this order, others between them allowed, and consumes all up to the last. False after the time-out, or
   * as soon as the version fails or is rolled back without that being expected.
   */
  async events(expected: readonly ExpectedEvent[]): Promise<boolean> {
    const position = (): number => {
      let next = 0;
      for (const [index, event] of this.#events.entries()) {
        const wanted = expected[next];
        if (wanted !== undefined && matches(event, wanted)) next++;
        if (next === expected.length) return index + 1;
      }
      return -1;
    };
    const isOver = (): boolean => this.#events.some((event) => endsOtherwise(event, expected));
    const met = await this.#wait(() => (position() >= 0 ? true : isOver() ? false : undefined));
    if (met) this.#events = this.#events.slice(position());
    return met;
  }

  /** Waits for two messages that arrive from now on, on a topic with this ending and, if given, with this text. */
  async telemetry(topicEnd: string, text = ""): Promise<boolean> {
    this.#telemetry = [];
    const fits = (message: { topic: string; payload: string }): boolean =>
      message.topic.endsWith(topicEnd) && message.payload.includes(text);
    this.#wantsTelemetry = true;
    const met = await this.#wait(() => this.#telemetry.filter(fits).length >= 2 || undefined);
    this.#wantsTelemetry = false;
    return met;
  }

  async #wait(check: Waiting["check"]): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), this.#timeoutMs);
    this.#waiting = { check, resolve };
    this.#look();
    const met = await promise;
    clearTimeout(timer);
    this.#waiting = undefined;
    return met;
  }

  #look(): void {
    const met = this.#waiting?.check();
    if (met !== undefined) this.#waiting?.resolve(met);
  }
}

function endsOtherwise(event: DeviceEvent, expected: readonly ExpectedEvent[]): boolean {
  return (
    BAD_ENDS.has(event.event) &&
    expected.some(({ version }) => version === event.version) &&
    !expected.some((wanted) => matches(event, wanted))
  );
}

function matches(event: DeviceEvent, wanted: ExpectedEvent): boolean {
  return (
    event.event === wanted.event &&
    event.version === wanted.version &&
    (wanted.code === undefined || event.code === wanted.code) &&
    (wanted.also === undefined || wanted.also(event))
  );
}
