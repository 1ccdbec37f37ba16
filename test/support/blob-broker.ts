/** A `BlobSource` in this process that can misbehave like a broker: late, twice, out of order, wrong, never. */

import type { BlobReceiver, BlobSource } from "../../ota/blob-source.ts";

/** What is delivered for the nth request of a digest; several payloads arrive one after another, none is silence. */
export type Misbehaviour = (
  digest: string,
  payload: Uint8Array | undefined,
  nth: number,
) => readonly Uint8Array[];

export class BlobBroker implements BlobSource {
  readonly blobs = new Map<string, Uint8Array>();
  readonly requested: string[] = [];
  readonly #subscriptions = new Set<string>();
  readonly #misbehave: Misbehaviour;
  #receiver: BlobReceiver = () => Promise.resolve();
  /** The most digests that were subscribed to at one time. */
  mostSubscribed = 0;
  /** Deliveries in their order; a test may reorder what waits. */
  reorder: (digests: string[]) => string[] = (digests) => digests;

  constructor(misbehave: Misbehaviour = (_, payload) => (payload === undefined ? [] : [payload])) {
    this.#misbehave = misbehave;
  }

  add(blobs: ReadonlyMap<string, Uint8Array>): this {
    for (const [digest, payload] of blobs) this.blobs.set(digest, payload);
    return this;
  }

  get subscribed(): number {
    return this.#subscriptions.size;
  }

  onBlob(receiver: BlobReceiver): void {
    this.#receiver = receiver;
  }

  request(digests: readonly string[]): void {
    this.requested.push(...digests);
    for (const digest of digests) this.#subscriptions.add(digest);
    this.mostSubscribed = Math.max(this.mostSubscribed, this.#subscriptions.size);
    const numbered = this.reorder([...digests]).map(
      (digest) => [digest, this.requested.filter((each) => each === digest).length] as const,
    );
    setImmediate(() => void this.#deliver(numbered));
  }

  release(digests: readonly string[]): void {
    for (const digest of digests) this.#subscriptions.delete(digest);
  }

  /** Hands a payload over as if the broker had sent it unasked. */
  async push(digest: string, payload: Uint8Array): Promise<void> {
    await this.#receiver(digest, payload);
  }

  async #deliver(digests: readonly (readonly [string, number])[]): Promise<void> {
    for (const [digest, nth] of digests) {
      for (const payload of this.#misbehave(digest, this.blobs.get(digest), nth)) {
        await this.#receiver(digest, payload);
      }
    }
  }
}
