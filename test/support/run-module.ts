/** Starts modules with services made of arrays and functions, and waits for what they report. */

import { startModule } from "../../sandbox/module-host.ts";
import type {
  ModuleEnd,
  ModuleLimits,
  ModuleServices,
  ModuleSpec,
  RunningModule,
} from "../../sandbox/module-spec.ts";

export type ModuleEvent =
  | { readonly event: "running" }
  | { readonly event: "log"; readonly level: string; readonly text: string }
  | { readonly event: "limited"; readonly code: string }
  | { readonly event: "call-failed"; readonly call: string; readonly message: string }
  | { readonly event: "published"; readonly topic: string; readonly payload: string }
  | { readonly event: "ended"; readonly end: ModuleEnd };

/** What one module did, in order. */
export class ModuleRecord {
  readonly events: ModuleEvent[] = [];
  readonly #waiting = new Set<() => void>();

  add(event: ModuleEvent): void {
    this.events.push(event);
    for (const look of this.#waiting) {
      look();
    }
  }

  of<Kind extends ModuleEvent["event"]>(kind: Kind): (ModuleEvent & { event: Kind })[] {
    return this.events.filter((event): event is ModuleEvent & { event: Kind } => event.event === kind);
  }

  /** Resolves when `count` events of a kind are there; rejects when the module ends before. */
  async first(kind: ModuleEvent["event"], count = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (this.of(kind).length >= count) {
        resolve();
      } else if (this.of("ended").length > 0) {
        reject(new Error(`the module ended first: ${JSON.stringify(this.of("ended")[0]?.end)}`));
      }
    };
    this.#waiting.add(look);
    look();
    return promise.finally(() => this.#waiting.delete(look));
  }
}

/** A sensor "ambient", no ports, and messages that end up in the record. */
export function servicesOf(record: ModuleRecord): ModuleServices {
  return {
    readSensor: async () => ({
      tag: "ok",
      value: { value: 21.5, unit: "Cel", timeNs: 1_700_000_000_000_000_000n },
    }),
    openSerial: async () => ({ tag: "err", code: "unavailable" }),
    closeSerial: async () => {},
    readSerial: async () => ({ tag: "err", code: "unavailable" }),
    writeSerial: async () => ({ tag: "err", code: "unavailable" }),
    publish: async (topic, payload) => {
      record.add({ event: "published", topic, payload: Buffer.from(payload).toString() });
      return { tag: "ok", value: undefined };
    },
  };
}

export interface StartOptions extends Partial<Omit<ModuleSpec, "limits">> {
  readonly componentPath: string;
  readonly services?: Partial<ModuleServices>;
  readonly limits?: ModuleLimits;
}

export function startRecorded(options: StartOptions): { module: RunningModule; record: ModuleRecord } {
  const { services, ...spec } = options;
  const record = new ModuleRecord();
  const module = startModule(
    {
      name: "acme/test",
      version: "1.0.0",
      world: "command",
      env: {},
      args: [],
      grants: { sensors: ["ambient"], serial: [], publish: ["telemetry/#"] },
      limits: {},
      ...spec,
    },
    { ...servicesOf(record), ...services },
    {
      running: () => record.add({ event: "running" }),
      log: (level, text) => record.add({ event: "log", level, text }),
      limited: (code) => record.add({ event: "limited", code }),
      callFailed: (call, message) => record.add({ event: "call-failed", call, message }),
      ended: (end) => record.add({ event: "ended", end }),
    },
  );
  return { module, record };
}
