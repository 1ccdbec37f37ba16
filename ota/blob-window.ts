/**
 * Fetches many blobs with few of them outstanding, so that memory does not grow with their number.
 *
 * Each payload is checked against its name and length before anything is done with it. What was not asked for, or comes a
 * second time, is ignored; what is wrong is counted and asked for again; when nothing good comes for a while it is over, and what
 * has come was taken already.
 */

import { createHash } from "node:crypto";
import type { BlobSource } from "./blob-source.ts";
import type { Clock } from "./clock.ts";
import { OtaError } from "./errors.ts";
import { MAX_BAD_PAYLOADS } from "./limits.ts";

/** A blob by its name and its length in bytes. */
export type WantedBlob = { readonly sha256: string; readonly length: number };

export type BlobWindowOptions<Blob extends WantedBlob> = {
  readonly source: BlobSource;
  /** No two with one digest. */
  readonly wanted: readonly Blob[];
  /** Handles a blob whose bytes are right; the source is held back until it is done. */
  readonly take: (blob: Blob, payload: Uint8Array) => Promise<void>;
  /** Blobs that are asked for at a time. */
  readonly windowBlobs: number;
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
 * @throws OtaError "delivery/timeout", "delivery/chunk-corrupt", "delivery/cancelled", and what `take` throws
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
        this.#fill();
      }
      await this.#result.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Asks for as many as the window holds, in one request; ends when none is left. */
  #fill(): void {
    const { source, wanted, windowBlobs } = this.#options;
    const digests: string[] = [];
    while (this.#outcome === undefined && this.#outstanding.size < windowBlobs) {
      const blob = wanted[this.#next];
      if (blob === undefined) {
        break;
      }
      this.#next++;
      this.#outstanding.set(blob.sha256, { blob, badPayloads: 0, isTaking: false });
      digests.push(blob.sha256);
    }
    if (digests.length > 0) {
      source.request(digests);
    } else if (this.#outstanding.size === 0) {
      this.#end({});
    }
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
    try {
      await this.#options.take(outstanding.blob, payload);
      this.#taken(digest);
    } catch (error) {
      this.#end({ error });
    } finally {
      this.#taking--;
      this.#settle();
    }
  }

  #taken(digest: string): void {
    this.#outstanding.delete(digest);
    if (this.#outcome === undefined) {
      this.#options.source.release([digest]);
      this.#restartTimer();
      this.#fill();
    }
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
    const { clock, idleTimeoutMs, wanted, what } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimer(idleTimeoutMs, () => {
      if (this.#taking > 0) {
        // A slow disk is no silent broker.
        this.#restartTimer();
        return;
      }
      const missing = wanted.length - this.#next + this.#outstanding.size;
      const message =
        `${what}: nothing came for ${idleTimeoutMs} ms, ${missing} of ${wanted.length} blobs are missing; it goes on ` +
        'from there later. "skerry sync" fills the broker';
      this.#end({ error: new OtaError("delivery/timeout", message) });
    });
  }

  /** The first outcome holds. */
  #end(outcome: { readonly error?: unknown }): void {
    if (this.#outcome !== undefined) {
      return;
    }
    this.#outcome = outcome;
    this.#cancelTimer();
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
  return createHash("sha256").update(bytes).digest("hex");
}
