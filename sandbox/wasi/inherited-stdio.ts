/**
 * `wasi:cli`'s stdin, stdout and stderr (WASI 0.2) of a module that is run by hand: those of this process.
 *
 * Output is written from the worker itself, byte for byte; a reader that is slow makes the module wait. Input is asked
 * for through the channel: a read of the worker's own could not be interrupted, and would keep it from ending.
 */

import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import {
  terminalInput,
  terminalOutput,
} from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/cli.js";
import { ioErrorCreate } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import { MAX_STDIN_BYTES, MAX_STDIN_WAIT_MS } from "../limits.ts";
import type { ModuleSession } from "../module-session.ts";
import { monotonicMs } from "../monotonic-time.ts";
import type { Polling, Source } from "./poll.ts";
import type { StandardStreams } from "./stdio.ts";
import { createInputStream, createOutputStream, type OutputStream } from "./streams.ts";

const FILE_DESCRIPTORS = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** How long to wait before output is tried again that found its pipe full, in milliseconds. */
const FULL_PIPE_PAUSE_MS = 1;

const NOTHING = new Uint8Array(0);

export function createInheritedStdio(session: ModuleSession, polling: Polling): StandardStreams {
  const input = new StandardInput(session);

  function streamInto(descriptor: number): OutputStream {
    return createOutputStream({
      write: (bytes: Uint8Array) => writeAll(session, descriptor, bytes),
      subscribe: () => polling.always(),
    });
  }

  return {
    stdin: {
      getStdin: () =>
        createInputStream({
          read: (length: bigint) => input.read(length, false),
          blockingRead: (length: bigint) => input.read(length, true),
          subscribe: () => polling.source(input),
        }),
    },
    stdout: { getStdout: () => streamInto(FILE_DESCRIPTORS.stdout) },
    stderr: { getStderr: () => streamInto(FILE_DESCRIPTORS.stderr) },
    terminal(stream) {
      if (!isatty(FILE_DESCRIPTORS[stream])) {
        return undefined;
      }
      const kind = stream === "stdin" ? terminalInput.TerminalInput : terminalOutput.TerminalOutput;
      return Reflect.construct(kind, []);
    },
    line: (level, text) =>
      writeAll(session, FILE_DESCRIPTORS.stderr, new TextEncoder().encode(`${level}: ${text}\n`)),
    end: () => undefined,
  };
}

/** What has arrived and was not read yet is kept: a program may get several streams, and drop them in between. */
class StandardInput implements Source {
  readonly #session: ModuleSession;
  #arrived: Uint8Array = NOTHING;
  #atEnd = false;

  constructor(session: ModuleSession) {
    this.#session = session;
  }

  /** @throws `closed` at the end; without `blocking` the answer may be empty */
  read(length: bigint, blocking: boolean): Uint8Array {
    this.#session.enterHost();
    if (length === 0n) {
      return NOTHING;
    }
    do {
      this.#ask(blocking ? MAX_STDIN_WAIT_MS : 0);
    } while (blocking && !this.#isReady());
    if (this.#arrived.byteLength === 0 && this.#atEnd) {
      throw { tag: "closed" };
    }
    const taken = Math.min(Number(length), this.#arrived.byteLength);
    const bytes = this.#arrived.subarray(0, taken);
    this.#arrived = this.#arrived.subarray(taken);
    return bytes;
  }

  ready(): boolean {
    this.#ask(0);
    return this.#isReady();
  }

  wait(deadlineMs: number): void {
    const remainingMs = Math.max(0, Math.ceil(deadlineMs - monotonicMs()));
    this.#ask(Math.min(remainingMs, MAX_STDIN_WAIT_MS));
  }

  #isReady(): boolean {
    return this.#arrived.byteLength > 0 || this.#atEnd;
  }

  #ask(timeoutMs: number): void {
    if (this.#isReady()) {
      return;
    }
    const reply = this.#session.call({ call: "read-stdin", maxBytes: MAX_STDIN_BYTES, timeoutMs });
    if (reply.head.tag === "bytes") {
      this.#arrived = reply.payload;
    } else if (reply.head.tag === "done") {
      this.#atEnd = true;
    }
  }
}

function writeAll(session: ModuleSession, descriptor: number, bytes: Uint8Array): void {
  session.enterHost();
  for (let written = 0; written < bytes.byteLength; ) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      switch (codeOf(error)) {
        case "EAGAIN":
          break;
        case "EPIPE":
        case "ECONNRESET":
          // Whoever was reading the pipe, or the socket, has gone.
          throw { tag: "closed" };
        default:
          throw { tag: "last-operation-failed", val: ioErrorCreate(String(error)) };
      }
      session.sleepUntil(monotonicMs() + FULL_PIPE_PAUSE_MS);
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
