/**
 * Warnings that come again and again, a line per poll of an unplugged device: they would fill a small device's journal. Time is passed in.
 *
 * A failure is told at once, the same one again after a minute, then after twice as long each time, with how often it came in between; that its
 * subject works again is told once. What fails and works in turns is told once a minute.
 */
import type { OpenDevicesOptions } from "../devices/registry.ts";
import { messageOf } from "./errors.ts";
import { MAX_REPEATED_TEXTS, REPEATED_WARNING_CAP_MS, REPEATED_WARNING_PAUSE_MS } from "./limits.ts";
import type { Log } from "./log.ts";

interface Repeated {
  /** When a line of it went out last, that it is over included. */
  toldMs: number;
  pauseMs: number;
  /** Failures since then. */
  untold: number;
  /** Told, and not over. */
  isOpen: boolean;
}

export class RepeatedWarnings {
  readonly #tell: (level: "warning" | "info", text: string) => void;
  /** By subject, then by text. */
  readonly #subjects = new Map<string, Map<string, Repeated>>();

  constructor(tell: (level: "warning" | "info", text: string) => void) {
    this.#tell = tell;
  }

  /** `subject` failed, what the text tells; it is one of a bounded number. */
  failed(subject: string, text: string, nowMs: number): void {
    const texts = this.#subjects.get(subject) ?? new Map<string, Repeated>();
    this.#subjects.set(subject, texts);
    // A module's texts may be endless: those beyond the first few are told as if they were one.
    const key = texts.has(text) || texts.size < MAX_REPEATED_TEXTS ? text : "";
    const before = texts.get(key);
    if (before !== undefined && nowMs - before.toldMs < before.pauseMs) {
      before.untold += 1;
      return;
    }
    const { untold, isOpen, pauseMs } = before ?? { untold: 0, isOpen: false, pauseMs: 0 };
    this.#tell("warning", untold === 0 ? text : `${text} (and ${untold} times since it was told)`);
    texts.set(key, {
      toldMs: nowMs,
      pauseMs: isOpen ? Math.min(2 * pauseMs, REPEATED_WARNING_CAP_MS) : REPEATED_WARNING_PAUSE_MS,
      untold: 0,
      isOpen: true,
    });
  }

  succeeded(subject: string, nowMs: number): void {
    const open = [...(this.#subjects.get(subject)?.values() ?? [])].filter(({ isOpen }) => isOpen);
    if (open.length === 0) return;
    this.#tell("info", `${subject} works again`);
    for (const each of open)
      Object.assign(each, { toldMs: nowMs, pauseMs: REPEATED_WARNING_PAUSE_MS, untold: 0, isOpen: false });
  }
}

/** What the agent says of its devices' calls. */
export function deviceWarnings(
  log: Log,
  nowMs: () => number = () => performance.now(),
): Required<Pick<OpenDevicesOptions, "onFailure" | "onSuccess">> {
  const modules = new Map<string, RepeatedWarnings>();
  return {
    onFailure: (module, call, error) => {
      const warnings =
        modules.get(module) ?? new RepeatedWarnings((level, text) => log(level, text, { module }));
      modules.set(module, warnings);
      warnings.failed(call, messageOf(error), nowMs());
    },
    onSuccess: (module, call) => modules.get(module)?.succeeded(call, nowMs()),
  };
}
