/**
 * Runs the fuzzer's rounds in a child process under a watchdog: a round that takes too long, takes too much memory or
 * ends the process is a finding like any other, and the next round goes on in a new process.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { isDamaged } from "./round.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
/** A round takes milliseconds. */
const HANG_MS = 10_000;
/** The child's JavaScript heap. */
const HEAP_MIB = 512;
/** Resident memory of the child at its peak; it starts with about 120, and the text parser has its own. */
const MEMORY_CEILING_MIB = 1_024;

/** Something that the loader must not do. */
export interface Finding {
  readonly round: number;
  readonly phase: string;
  readonly what: string;
}

export interface FuzzSummary {
  readonly rounds: number;
  /** Rounds whose component was instantiated and called. */
  readonly ran: number;
  /** Damaged core code that did not come to an end: the module's own endless loop, which the agent's watchdog ends. */
  readonly endless: readonly number[];
  readonly findings: readonly Finding[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly firstRound: number;
  readonly maxRounds: number;
  /** By the clock of `performance.now()`. */
  readonly untilMs: number;
  readonly onFinding?: (finding: Finding) => void;
}

/** Runs rounds until the time is over or there were enough. */
export async function fuzz(options: FuzzOptions): Promise<FuzzSummary> {
  const tally = new Tally(options);
  while (!tally.isOver) await runChild(options, tally);
  return tally;
}

class Tally implements FuzzSummary {
  rounds = 0;
  ran = 0;
  readonly endless: number[] = [];
  readonly findings: Finding[] = [];
  phase = "start";
  readonly #options: FuzzOptions;

  constructor(options: FuzzOptions) {
    this.#options = options;
  }

  get next(): number {
    return this.#options.firstRound + this.rounds;
  }

  get isOver(): boolean {
    return this.rounds >= this.#options.maxRounds || performance.now() >= this.#options.untilMs;
  }

  found(what: string): void {
    const finding = { round: this.next, phase: this.phase, what };
    this.findings.push(finding);
    this.#options.onFinding?.(finding);
  }

  /** One line of the child's. */
  take(line: string): void {
    const [, kind, word = "", rest = ""] = /^(\w+) \d+ (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === "at") this.phase = word;
    if (kind === "found") this.found(String(JSON.parse(rest)));
    if (kind !== "end") return;
    if (word === "ran") this.ran += 1;
    this.rounds += 1;
  }

  /** The child hung in this round. */
  hung(): void {
    const isInGuest = this.phase === "instantiate" || this.phase === "call";
    if (isInGuest && isDamaged(this.next)) this.endless.push(this.next);
    else this.found(`no end within ${HANG_MS} ms`);
    this.rounds += 1;
  }
}

async function runChild({ seed, firstRound, maxRounds }: FuzzOptions, tally: Tally): Promise<void> {
  const rounds = [seed, tally.next, firstRound + maxRounds].map(String);
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, CHILD, ...rounds], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? "" : `the process ended with ${signal ?? code}`),
    );
  });
  const reason = await watched(child, tally);
  child.kill("SIGKILL");
  const crash = await ended;
  if (reason === "hang") tally.hung();
  if (reason === "end" && crash !== "") {
    tally.found(crash);
    tally.rounds += 1;
  }
}

/** Reads the child's lines until it ends, hangs, grew too large, or the time is over. */
async function watched(child: ChildProcess, tally: Tally): Promise<"end" | "hang" | "large" | "over"> {
  let hang = false;
  const lines = createInterface({ input: child.stdio[3] as Readable });
  const watchdog = setTimeout(() => {
    hang = true;
    lines.close();
  }, HANG_MS);
  try {
    for await (const line of lines) {
      watchdog.refresh();
      tally.take(line);
      const peakMiB = Number(/^end .* (\d+)$/.exec(line)?.[1] ?? 0);
      if (peakMiB > MEMORY_CEILING_MIB) {
        tally.found(`${peakMiB} MiB resident at the peak of this round or the one before`);
        return "large";
      }
      if (tally.isOver) return "over";
    }
    return hang ? "hang" : "end";
  } finally {
    clearTimeout(watchdog);
    lines.close();
  }
}
