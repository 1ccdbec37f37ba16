/**
 * Memory that the agent's side and a module's worker share: a few words to wake, stop and watch the worker, and room
 * for the reply to the one call that it may be waiting for.
 *
 * The worker waits on one word, `wakeCount`, which the agent's side raises with each reply and with the stop, so that
 * a wait is never missed: the worker reads the word, looks whether what it waits for is there, and sleeps only while the
 * word is unchanged.
 */

import { MAX_REPLY_BYTES } from "./limits.ts";
import { monotonicMs } from "./monotonic-time.ts";

const HEADER_WORDS = 8;
const WAKE_COUNT = 0;
const STOP_REQUESTED = 1;
const REPLY_SEQUENCE = 2;
const REPLY_LENGTH = 3;
const ACTIVITY_COUNT = 4;
const WAITING = 5;
const WRITE_WAIT_MS = 6;

/** Longest single wait, in milliseconds; longer ones are waited for in parts. */
const LONGEST_WAIT_MS = 0x7fffffff;

/** What one wait counts at most, in milliseconds: longer than any call lasts. */
const LONGEST_COUNTED_WAIT_MS = 0x3fffffff;

/** Memory for one module. */
export function createControlMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT + MAX_REPLY_BYTES);
}

/** The agent's view. */
export class AgentControl {
  readonly #words: Int32Array;
  readonly #reply: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_WORDS);
    this.#reply = new Uint8Array(memory, this.#words.byteLength);
  }

  /** Hands over the reply to call `sequence` and wakes the worker. */
  reply(sequence: number, frame: Uint8Array): void {
    this.#reply.set(frame);
    Atomics.store(this.#words, REPLY_LENGTH, frame.byteLength);
    Atomics.store(this.#words, REPLY_SEQUENCE, sequence);
    this.#wake();
  }

  /** From now on every host call of the module ends it; one that waits is woken. */
  requestStop(): void {
    Atomics.store(this.#words, STOP_REQUESTED, 1);
    this.#wake();
  }

  /** Rises with each host call that the module makes. */
  activityCount(): number {
    return Atomics.load(this.#words, ACTIVITY_COUNT);
  }

  /** Does the module wait inside a host call (a sleep, a reply) at this moment? */
  isWaiting(): boolean {
    return Atomics.load(this.#words, WAITING) === 1;
  }

  /** Rises by the milliseconds of each wait for the write rate, when it begins; wraps. */
  writeWaitMs(): number {
    return Atomics.load(this.#words, WRITE_WAIT_MS);
  }

  #wake(): void {
    Atomics.add(this.#words, WAKE_COUNT, 1);
    Atomics.notify(this.#words, WAKE_COUNT);
  }
}

/** The worker's view. */
export class WorkerControl {
  readonly #words: Int32Array;
  readonly #reply: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_WORDS);
    this.#reply = new Uint8Array(memory, this.#words.byteLength);
  }

  /** Tells the watchdog that the module has called the host. */
  noteActivity(): void {
    Atomics.add(this.#words, ACTIVITY_COUNT, 1);
  }

  /** Tells the watchdog that the module is about to wait, because it writes more than it may. */
  noteWriteWait(waitMs: number): void {
    Atomics.add(this.#words, WRITE_WAIT_MS, Math.min(Math.ceil(waitMs), LONGEST_COUNTED_WAIT_MS));
  }

  stopRequested(): boolean {
    return Atomics.load(this.#words, STOP_REQUESTED) === 1;
  }

  /** Blocks this thread until the reply to call `sequence` is there (a copy of its frame) or a stop is requested (undefined). */
  waitForReply(sequence: number): Uint8Array | undefined {
    const arrived = () => Atomics.load(this.#words, REPLY_SEQUENCE) === sequence;
    this.#waitUntil(arrived, Number.POSITIVE_INFINITY);
    if (this.stopRequested() || !arrived()) {
      return undefined;
    }
    return this.#reply.slice(0, Atomics.load(this.#words, REPLY_LENGTH));
  }

  /** Blocks this thread until `monotonicMs()` reaches `deadlineMs` or a stop is requested. */
  sleepUntil(deadlineMs: number): void {
    this.#waitUntil(() => false, deadlineMs);
  }

  #waitUntil(arrived: () => boolean, deadlineMs: number): void {
    Atomics.store(this.#words, WAITING, 1);
    for (;;) {
      const wakeCount = Atomics.load(this.#words, WAKE_COUNT);
      const remainingMs = deadlineMs - monotonicMs();
      if (arrived() || this.stopRequested() || remainingMs <= 0) {
        break;
      }
      Atomics.wait(this.#words, WAKE_COUNT, wakeCount, Math.min(remainingMs, LONGEST_WAIT_MS));
    }
    Atomics.store(this.#words, WAITING, 0);
    this.noteActivity();
  }
}
