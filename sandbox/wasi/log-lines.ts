/** Bytes of stdout or stderr, cut into log lines: UTF-8 as it comes, lines of bounded length. */

import { MAX_LOG_LINE_LENGTH } from "../limits.ts";

export class LogLines {
  readonly #emit: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #pending = "";

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  /** A line that outgrows `MAX_LOG_LINE_LENGTH` without an end goes out in pieces, so that nothing piles up. */
  write(bytes: Uint8Array): void {
    this.#pending += this.#decoder.decode(bytes, { stream: true });
    const lines = this.#pending.split("\n");
    this.#pending = lines.pop() ?? "";
    for (const line of lines) {
      this.#emitPieces(line.endsWith("\r") ? line.slice(0, -1) : line);
    }
    if (this.#pending.length > MAX_LOG_LINE_LENGTH) {
      this.#emitPieces(this.#pending);
      this.#pending = "";
    }
  }

  /** What is left when the module ends: a last line without its end. */
  end(): void {
    if (this.#pending !== "") {
      this.#emitPieces(this.#pending);
      this.#pending = "";
    }
  }

  #emitPieces(line: string): void {
    for (let start = 0; start === 0 || start < line.length; start += MAX_LOG_LINE_LENGTH) {
      this.#emit(line.slice(start, start + MAX_LOG_LINE_LENGTH));
    }
  }
}
