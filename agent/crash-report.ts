/** What is told of a module that trapped or ran into a limit: which one, why, where it was, and what it said last. */
import type { LogLevel, ModuleEnd } from "../sandbox/module-spec.ts";
import {
  CRASH_LOG_LINES,
  CRASH_SUMMARY_FRAMES,
  CRASH_SUMMARY_LINE_LENGTH,
  CRASH_SUMMARY_LINES,
} from "./limits.ts";

export type Crash = ModuleEnd & { readonly kind: "trapped" | "failed" };

/** The last lines of a module's log. */
export class RecentLines {
  readonly #lines: string[] = [];

  add(level: LogLevel, text: string): void {
    this.#lines.push(`${level}: ${text}`);
    if (this.#lines.length > CRASH_LOG_LINES) this.#lines.shift();
  }

  /** The last `count` of them, oldest first. */
  last(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}

/** The whole report, for the log. @param subject the module and its version */
export function crashReport(subject: string, crash: Crash, log: RecentLines): readonly string[] {
  const lines = log.last(CRASH_LOG_LINES);
  return [
    `${subject} ${crash.kind === "trapped" ? "trapped" : "was ended"}: ${crash.message} (${crash.code})`,
    ...framesOf(crash).map((frame) => `  at ${frame}`),
    ...(lines.length === 0 ? [] : ["  its last log lines:"]),
    ...lines.map((line) => `    ${line}`),
  ];
}

/** The same in one line, for the event. */
export function crashSummary(crash: Crash, log: RecentLines): string {
  const functions = framesOf(crash).slice(0, CRASH_SUMMARY_FRAMES);
  const lines = log
    .last(CRASH_SUMMARY_LINES)
    .map((line) => JSON.stringify(line.slice(0, CRASH_SUMMARY_LINE_LENGTH)));
  return [
    crash.message,
    ...(functions.length === 0 ? [] : [`at ${functions.join(" < ")}`]),
    ...(lines.length === 0 ? [] : [`last log lines: ${lines.join(" ")}`]),
  ].join("; ");
}

function framesOf(crash: Crash): readonly string[] {
  return crash.stack === undefined || crash.stack === "" ? [] : crash.stack.split("\n");
}
