/**
 * Where blobs come from: the agent's MQTT link (`blob/<sha256>` is a retained topic: a request is a subscription, a
 * release its end), or whatever a test puts in its place. Blobs are named by their SHA-256 in lower-case hex.
 *
 * The source is trusted with nothing: it may deliver late, twice, out of order, something else, or never.
 */

/** Takes one payload; the source waits for the promise before it hands over the next (back-pressure). Never rejects. */
export type BlobReceiver = (digest: string, payload: Uint8Array) => Promise<void>;

export interface BlobSource {
  /**
   * Asks for blobs, which arrive at the receiver whenever they come, also after a reconnection. Asking again for one
   * that is requested already asks the broker to send it again.
   */
  request(digests: readonly string[]): void;
  /** No longer wanted. Digests that were not requested are ignored. */
  release(digests: readonly string[]): void;
  /** Whether a message is on its way whose end has not come: tells a slow broker from a silent one. */
  isReceiving?(): boolean;
  /** Sets the one receiver; another takes its place. */
  onBlob(receiver: BlobReceiver): void;
}
