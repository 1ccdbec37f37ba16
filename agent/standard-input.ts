/** Standard input in pieces, as a module that is run by hand asks for them. Nothing is read before the first request. */
import type { Readable } from "node:stream";

type Piece =
  | { readonly tag: "ok"; readonly value: Uint8Array }
  | { readonly tag: "err"; readonly code: "timed-out" };

const END: Piece = { tag: "ok", value: new Uint8Array(0) };
const TIMED_OUT: Piece = { tag: "err", code: "timed-out" };

export class StandardInput {
  readonly #open: () => Readable;
  #stream: Readable | undefined;
  #ended = false;
  /** Called when the stream has something new to say. */
  #changed: (() => void) | undefined;

  /** @param open gives the stream; opening standard input has effects on it, so it happens with the first read */
  constructor(open: () => Readable) {
    this.#open = open;
  }

  /**
   * At least one byte and at most `maxBytes`, or none at the input's end; `timed-out` when none came within
   * `timeoutMs`. One read at a time.
   */
  async read(maxBytes: number, timeoutMs: number): Promise<Piece> {
    const stream = this.#listen();
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const piece = take(stream, maxBytes);
      if (piece !== undefined) return { tag: "ok", value: piece };
      if (this.#ended) return END;
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0) return TIMED_OUT;
      await this.#change(remainingMs);
    }
  }

  /** Lets go of the stream, which would keep the process alive. */
  close(): void {
    this.#stream?.destroy();
  }

  #listen(): Readable {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#open();
    this.#stream = stream;
    const end = (): void => {
      this.#ended = true;
      this.#changed?.();
    };
    stream.on("readable", () => this.#changed?.());
    // An input that fails has nothing more to give, and whoever runs the module sees why in their terminal.
    stream.on("end", end).on("close", end).on("error", end);
    return stream;
  }

  async #change(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#changed = resolve;
    await promise;
    this.#changed = undefined;
    clearTimeout(timer);
  }
}

/** Bytes that have arrived, what exceeds `maxBytes` left in the stream. */
function take(stream: Readable, maxBytes: number): Uint8Array | undefined {
  const available = Math.min(stream.readableLength, maxBytes);
  const chunk: unknown = available > 0 ? stream.read(available) : stream.read(0);
  return chunk instanceof Uint8Array ? chunk : undefined;
}
