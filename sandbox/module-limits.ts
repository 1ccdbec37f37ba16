/** The limits that one module runs under: what was said about it, and the defaults for the rest. */

import * as limits from "./limits.ts";
import type { ModuleLimits } from "./module-spec.ts";

/** Every limit that has a default; `codeBytes` has none. */
export type EffectiveLimits = Required<Omit<ModuleLimits, "codeBytes">> & Pick<ModuleLimits, "codeBytes">;

const DEFAULTS: EffectiveLimits = {
  memoryBytes: limits.DEFAULT_MEMORY_BYTES,
  callDeadlineMs: limits.DEFAULT_CALL_DEADLINE_MS,
  startDeadlineMs: limits.DEFAULT_START_DEADLINE_MS,
  hostCallsPerSecond: limits.DEFAULT_HOST_CALLS_PER_SECOND,
  logLinesPerSecond: limits.DEFAULT_LOG_LINES_PER_SECOND,
  logBytesPerSecond: limits.DEFAULT_LOG_BYTES_PER_SECOND,
  writtenBytesPerSecond: limits.DEFAULT_WRITTEN_BYTES_PER_SECOND,
  messagesPerSecond: limits.DEFAULT_MESSAGES_PER_SECOND,
  messageBytesPerSecond: limits.DEFAULT_MESSAGE_BYTES_PER_SECOND,
  receivedMessagesPerSecond: limits.DEFAULT_RECEIVED_MESSAGES_PER_SECOND,
  heapMiB: limits.DEFAULT_HEAP_MIB,
};

export function effectiveLimits(given: ModuleLimits): EffectiveLimits {
  return { ...DEFAULTS, ...given };
}
