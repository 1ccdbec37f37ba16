/**
 * `wasi:logging/logging` (0.1.0-draft): the module's log, which stdout and stderr lead to as well, with the same limits. A level that the
 * log does not have stands in front of the text, and so does the context.
 */

import { MAX_LOG_LINE_LENGTH, MAX_LOG_MESSAGE_LENGTH } from "../limits.ts";
import type { ModuleSession } from "../module-session.ts";
import type { LogLevel } from "../module-spec.ts";

type Level = "trace" | "debug" | "info" | "warn" | "error" | "critical";

const LEVELS: Readonly<Record<Level, LogLevel>> = {
  trace: "info",
  debug: "info",
  info: "info",
  warn: "warning",
  error: "error",
  critical: "error",
};

/** @param write takes one line */
export function createLogging(session: ModuleSession, write: (level: LogLevel, line: string) => void) {
  return {
    log(level: Level, context: string, message: string): void {
      session.enterHost();
      const before = [...(isNamed(level) ? [] : [level]), ...(context === "" ? [] : [context])];
      const text = [...before, message].join(": ").slice(0, MAX_LOG_MESSAGE_LENGTH);
      for (const line of text.split("\n")) {
        for (let start = 0; start === 0 || start < line.length; start += MAX_LOG_LINE_LENGTH)
          write(LEVELS[level], line.slice(start, start + MAX_LOG_LINE_LENGTH));
      }
    },
  };
}

/** Whether the log's own level says it. */
function isNamed(level: Level): boolean {
  return level === "info" || level === "warn" || level === "error";
}
