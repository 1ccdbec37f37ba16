/**
 * Fetches many blobs with few of them outstanding, so that memory does not grow with their number.
 *
 * Each payload is checked against its name and length before anything is done with it. What was not asked for, or comes a
 * second time, is ignored; what is wrong is counted and asked for again; when nothing good comes for a while, or too little for
 * long, it is over, and what has come was taken already.
 */

import { hash } from "node:crypto";
import type { BlobSource } from "./blob-source.ts";
import type { Clock } from "./clock.ts";
import { OtaError } from "./errors.ts";
import {
  DELIVERY_REFILL_BLOBS,
  DELIVERY_REFILL_PART,
  DELIVERY_TAKING_BLOBS,
  MAX_BAD_PAYLOADS,
  MIN_RETRIEVAL_BYTES_PER_SECOND,
  SLOW_RETRIEVAL_WINDOW_MS,
} from "./limits.ts";

/** A blob by its name and its length in bytes. */
export type WantedBlob = { readonly sha256: string; readonly length: number };

export type BlobWindowOptions<Blob extends WantedBlob> = {
  readonly source: BlobSource;
  /** No two with one digest. */
  readonly wanted: readonly Blob[];
  /** Handles a blob whose bytes are right, few at a time: beyond that the source is held back. */
  readonly take: (blob: Blob, payload: Uint8Array) => Promise<void>;
  /** Blobs that are asked for at a time, and their bytes together; one is asked for whatever its length. */
  readonly windowBlobs: number;
  readonly windowBytes: number;
  /** How long to wait for the next good one. */
  readonly idleTimeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is fetched, for messages. */
  readonly what: string;
};

/**
 * Returns once all blobs are taken. When it throws, no `take` is running any more and nothing is requested.
 *
 * @throws OtaError "delivery/timeout", "delivery/slow-retrieval", "delivery/chunk-corrupt", "delivery/cancelled", and what `take` throws
 */
export function fetchBlobs<Blob extends WantedBlob>(options: BlobWindowOptions<Blob>): Promise<void> {
  return new BlobWindow(options).run();
}

type Outstanding<Blob> = { readonly blob: Blob; badPayloads: number; isTaking: boolean };

class BlobWindow<Blob extends WantedBlob> {
  readonly #options: BlobWindowOptions<Blob>;
  readonly #outstanding = new Map<string, Outstanding<Blob>>();
  readonly #result = Promise.withResolvers<void>();
  #next = 0;
  #taking = 0;
  #outcome: { readonly error?: unknown } | undefined;
  #cancelTimer: () => void = () => undefined;
  #cancelRateTimer: () => void = () => undefined;
  /** Bytes of the blobs that are outstanding. */
  #outstandingBytes = 0;
  /** Taken, and not released yet. */
  #taken: string[] = [];
  #takenBytes = 0;
  /** Bytes of the good blobs since the rate was looked at last. */
  #goodBytes = 0;

  constructor(options: BlobWindowOptions<Blob>) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { source, signal, what } = this.#options;
    const abort = (): void =>
      this.#end({ error: new OtaError("delivery/cancelled", `fetching ${what} was called off`) });
    signal.addEventListener("abort", abort);
    source.onBlob((digest, payload) => this.#receive(digest, payload));
    try {
      if (signal.aborted) {
        abort();
      } else {
        this.#restartTimer();
        this.#restartRateTimer();
        this.#fill();
      }
      await this.#result.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Asks for as many as the window holds, in one request; ends when none is left. */
  #fill(): void {
    const { source, wanted } = this.#options;
    const digests: string[] = [];
    while (this.#outcome === undefined) {
      const blob = wanted[this.#next];
      if (blob === undefined || !this.#hasRoom(blob)) {
        break;
      }
      this.#next++;
      this.#outstandingBytes += blob.length;
      this.#outstanding.set(blob.sha256, { blob, badPayloads: 0, isTaking: false });
      digests.push(blob.sha256);
    }
    if (digests.length > 0) {
      source.request(digests);
    } else if (this.#outstanding.size === 0) {
      this.#end({});
    }
  }

  #hasRoom(blob: Blob): boolean {
    const { windowBlobs, windowBytes } = this.#options;
    const { size } = this.#outstanding;
    return size === 0 || (size < windowBlobs && this.#outstandingBytes + blob.length <= windowBytes);
  }

  async #receive(digest: string, payload: Uint8Array): Promise<void> {
    const outstanding = this.#outstanding.get(digest);
    // Late, a duplicate, or never asked for: the broker may send what it likes.
    if (this.#outcome !== undefined || outstanding === undefined || outstanding.isTaking) {
      return;
    }
    if (payload.length !== outstanding.blob.length || sha256Of(payload) !== digest) {
      this.#refuse(outstanding, payload.length);
      return;
    }
    outstanding.isTaking = true;
    this.#taking++;
    this.#goodBytes += payload.length;
    const isTaken = this.#take(outstanding.blob, payload);
    if (this.#taking >= DELIVERY_TAKING_BLOBS) {
      await isTaken;
    }
  }

  /** Never rejects. */
  async #take(blob: Blob, payload: Uint8Array): Promise<void> {
    try {
      await this.#options.take(blob, payload);
      this.#noteTaken(blob);
    } catch (error) {
      this.#end({ error });
    } finally {
      this.#taking--;
      this.#settle();
    }
  }

  #noteTaken(blob: Blob): void {
    this.#outstanding.delete(blob.sha256);
    this.#outstandingBytes -= blob.length;
    this.#taken.push(blob.sha256);
    this.#takenBytes += blob.length;
    if (this.#outcome === undefined) {
      this.#restartTimer();
      if (this.#isRefillDue()) {
        this.#releaseTaken();
        this.#fill();
      }
    }
  }

  #isRefillDue(): boolean {
    return (
      this.#outstanding.size === 0 ||
      this.#taken.length >= DELIVERY_REFILL_BLOBS ||
      this.#takenBytes >= DELIVERY_REFILL_PART * this.#options.windowBytes
    );
  }

  #releaseTaken(): void {
    this.#options.source.release(this.#taken);
    this.#taken = [];
    this.#takenBytes = 0;
  }

  #refuse(outstanding: Outstanding<Blob>, length: number): void {
    const { blob } = outstanding;
    outstanding.badPayloads++;
    if (outstanding.badPayloads < MAX_BAD_PAYLOADS) {
      this.#options.source.request([blob.sha256]);
      return;
    }
    const difference =
      length === blob.length ? "other bytes than its name says" : `${length} bytes instead of ${blob.length}`;
    const message =
      `${this.#options.what}: blob ${blob.sha256} came ${MAX_BAD_PAYLOADS} times with ${difference}; ` +
      '"skerry sync" puts the right one on the broker';
    this.#end({ error: new OtaError("delivery/chunk-corrupt", message, { details: { blob: blob.sha256 } }) });
  }

  #restartTimer(): void {
    const { clock, idleTimeoutMs, source } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimer(idleTimeoutMs, () => {
      if (this.#taking > 0) {
        // A slow disk is no silent broker.
        this.#restartTimer();
        return;
      }
      const error =
        source.isReceiving?.() === true
          ? this.#tooSlow(`no message came to its end in ${idleTimeoutMs} ms`)
          : new OtaError(
              "delivery/timeout",
              `${this.#missing(`nothing came for ${idleTimeoutMs} ms`)}. "skerry sync" fills the broker`,
            );
      this.#end({ error });
    });
  }

  /** A broker that gives now and then a little is never silent, and the release never complete. */
  #restartRateTimer(): void {
    const { clock } = this.#options;
    this.#goodBytes = 0;
    this.#cancelRateTimer = clock.setTimer(SLOW_RETRIEVAL_WINDOW_MS, () => {
      const seconds = SLOW_RETRIEVAL_WINDOW_MS / 1_000;
      // Where the disk is what holds the source back, the broker is not to blame.
      if (
        this.#taking < DELIVERY_TAKING_BLOBS &&
        this.#goodBytes < MIN_RETRIEVAL_BYTES_PER_SECOND * seconds
      ) {
        this.#end({ error: this.#tooSlow(`${this.#goodBytes} bytes came in ${seconds} s`) });
      } else {
        this.#restartRateTimer();
      }
    });
  }

  #tooSlow(what: string): OtaError {
    return new OtaError(
      "delivery/slow-retrieval",
      `${this.#missing(`slow retrieval, ${what}`)}. Look at the line to the broker, and who else may be behind it`,
    );
  }

  #missing(what: string): string {
    const { wanted } = this.#options;
    const missing = wanted.length - this.#next + this.#outstanding.size;
    return `${this.#options.what}: ${what}, ${missing} of ${wanted.length} blobs are missing; it goes on from there later`;
  }

  /** The first outcome holds. */
  #end(outcome: { readonly error?: unknown }): void {
    if (this.#outcome !== undefined) {
      return;
    }
    this.#outcome = outcome;
    this.#cancelTimer();
    this.#cancelRateTimer();
    this.#releaseTaken();
    this.#options.source.release([...this.#outstanding.keys()]);
    this.#settle();
  }

  /** Reports the outcome once nothing is being taken. */
  #settle(): void {
    if (this.#outcome === undefined || this.#taking > 0) {
      return;
    }
    if ("error" in this.#outcome) {
      this.#result.reject(this.#outcome.error);
    } else {
      this.#result.resolve();
    }
  }
}

/** SHA-256 of bytes that fit into memory, in lower-case hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}
