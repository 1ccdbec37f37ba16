/**
 * `wasi:cli`'s stdin, stdout and stderr (WASI 0.2): stdin is closed, the others become lines of the module's log.
 *
 * Each `get-stdout` makes a stream of its own: Rust's standard library gets and drops one with every print, and a
 * dropped stream is closed.
 */

import type { LogRate } from "../log-rate.ts";
import type { ModuleSession } from "../module-session.ts";
import type { LogLevel } from "../module-spec.ts";
import { LogLines } from "./log-lines.ts";
import type { Polling } from "./poll.ts";
import { createInputStream, createOutputStream, type InputStream, type OutputStream } from "./streams.ts";

/** `wasi:cli`'s three streams, and what is known of each. */
export interface StandardStreams {
  readonly stdin: { getStdin(): InputStream };
  readonly stdout: { getStdout(): OutputStream };
  readonly stderr: { getStderr(): OutputStream };
  /** An object that stands for the terminal that the stream is connected to, if it is. */
  terminal(stream: "stdin" | "stdout" | "stderr"): object | undefined;
  /** A line for the log that is neither stdout's nor stderr's. */
  line(level: LogLevel, text: string): void;
  /** To be called when the module has ended. */
  end(): void;
}

/** The module's log, rate limited here already: a flood must not reach the agent's thread. */
export class ModuleLog {
  readonly #session: ModuleSession;
  readonly #rate: LogRate;
  #droppedLines = 0;

  constructor(session: ModuleSession, rate: LogRate) {
    this.#session = session;
    this.#rate = rate;
  }

  line(level: LogLevel, text: string): void {
    if (!this.#rate.take(text)) {
      this.#droppedLines += 1;
      if (this.#droppedLines === 1) {
        this.#session.post({ kind: "log-dropped", lines: 1 });
      }
      return;
    }
    if (this.#droppedLines > 1) {
      this.#session.post({ kind: "log-dropped", lines: this.#droppedLines - 1 });
    }
    this.#droppedLines = 0;
    this.#session.post({ kind: "log", level, text });
  }
}

export function createStdio(session: ModuleSession, log: ModuleLog, polling: Polling): StandardStreams {
  const stdoutLines = new LogLines((text) => log.line("info", text));
  const stderrLines = new LogLines((text) => log.line("error", text));

  function streamInto(lines: LogLines) {
    return createOutputStream({
      write(bytes: Uint8Array) {
        session.enterHost();
        lines.write(bytes);
      },
      subscribe: () => polling.always(),
    });
  }

  return {
    stdin: {
      getStdin: () =>
        createInputStream({
          blockingRead() {
            session.enterHost();
            throw { tag: "closed" };
          },
          subscribe: () => polling.always(),
        }),
    },
    stdout: { getStdout: () => streamInto(stdoutLines) },
    stderr: { getStderr: () => streamInto(stderrLines) },
    terminal: () => undefined,
    line: (level, text) => log.line(level, text),
    /** Sends what was written without a line's end. */
    end(): void {
      stdoutLines.end();
      stderrLines.end();
    },
  };
}
