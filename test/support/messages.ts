/** What arrived, in order, and waiting for what is to arrive. */

/** Longer than anything that a test waits for; a test that gets there has failed. */
const TIME_LIMIT_MS = 50_000;

export class Messages<Message> {
  readonly all: Message[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #timeLimitMs: number;

  constructor(timeLimitMs = TIME_LIMIT_MS) {
    this.#timeLimitMs = timeLimitMs;
  }

  /** How many there are: where to look from for what arrives from now on. */
  get count(): number {
    return this.all.length;
  }

  add(message: Message): void {
    this.all.push(message);
    for (const look of this.#waiting) look();
  }

  /** The first that fits, at `from` or later; waits for it. Rejects with `what` and all there is when none comes. */
  async until(what: string, fits: (message: Message) => boolean, from = 0): Promise<Message> {
    const [first] = await this.untilSeveral(1, what, fits, from);
    if (first === undefined) throw new Error(`no ${what}`);
    return first;
  }

  /** The first `count` that fit. */
  async untilSeveral(
    count: number,
    what: string,
    fits: (message: Message) => boolean,
    from = 0,
  ): Promise<Message[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Message[]>();
    const look = (): void => {
      const found = this.all.slice(from).filter(fits);
      if (found.length >= count) resolve(found.slice(0, count));
    };
    // Not what keeps the process alive: of two things that are waited for, one may never come.
    const timer = setTimeout(() => {
      const seen = this.all.slice(from).map((message) => JSON.stringify(message));
      reject(
        new Error(`waited ${this.#timeLimitMs} ms for ${what}; what came:\n${seen.slice(-40).join("\n")}`),
      );
    }, this.#timeLimitMs).unref();
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }
}
