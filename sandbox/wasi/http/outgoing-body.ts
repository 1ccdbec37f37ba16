/**
 * `wasi:http/types.outgoing-body` (WASI 0.2). What is written before the request is sent is kept, up to a bound; afterwards
 * the agent takes it as fast as the far end does.
 */

import { MAX_SOCKET_BUFFER_BYTES } from "../../limits.ts";
import { encodeHeaders, type HeaderField } from "../../network/header-block.ts";
import type { Pollable } from "../poll.ts";
import { httpFailure, NetworkClient, NetworkFailure } from "../sockets/client.ts";
import { networkOutput } from "../sockets/streams.ts";
import { createOutputStream, type OutputStream } from "../streams.ts";
import { Fields, textOfBytes } from "./fields.ts";
import { FAILED } from "./results.ts";

export class OutgoingBody {
  readonly #client: NetworkClient;
  readonly #declaredBytes: number | undefined;
  #sink: OutputStream | undefined;
  #id: number | undefined;
  /** A character for a byte, as in fields.ts. */
  #kept: string[] = [];
  #writtenBytes = 0;
  /** Before the request is sent: somebody waits for room that nobody makes; he has been told. */
  #isStuck = false;
  #hasFailed = false;
  #isTaken = false;
  #finishedWith: readonly HeaderField[] | undefined;
  #isDropped = false;

  constructor(client: NetworkClient, headers: Fields) {
    // A component may reach this by itself, as `[constructor]outgoing-body`.
    if (!(client instanceof NetworkClient)) throw new TypeError("a body is a request's");
    this.#client = client;
    const [length] = headers.get("content-length");
    this.#declaredBytes = length === undefined ? undefined : Number(textOfBytes(length));
  }

  write(): OutputStream {
    if (this.#isTaken) throw FAILED;
    this.#isTaken = true;
    return createOutputStream({
      checkWrite: () => this.#checkWrite(),
      write: (bytes: Uint8Array) => this.#write(bytes),
      blockingWriteAndFlush: (bytes: Uint8Array) => this.#writeBlocking(bytes),
      flush: () => this.#client.enterHost(),
      blockingFlush: () => this.#sink?.blockingFlush(),
      subscribe: () => this.#subscribe(),
    });
  }

  /** @throws the `error-code` of a body that is not as long as its request says, or that can't be sent */
  static finish(body: OutgoingBody, trailers: Fields | undefined): void {
    if (!(body instanceof OutgoingBody)) throw new TypeError("a body is a request's");
    body.#finish(trailers instanceof Fields ? trailers.entries() : []);
  }

  /** From now on it is the body of request `id`. A request that fails meanwhile says so in its response. */
  connect(id: number): void {
    this.#id = id;
    this.#sink = networkOutput(this.#client, id, () => {});
    const kept = this.#kept;
    this.#kept = [];
    try {
      for (const text of kept) this.#sinkWhole(this.#sink, Buffer.from(text, "latin1"));
      if (this.#finishedWith !== undefined) this.#sendEnd(id, this.#finishedWith);
      else if (this.#isDropped) this.#client.close(id);
    } catch (error) {
      if (!(error instanceof NetworkFailure) && !isStreamError(error)) throw error;
    }
  }

  [Symbol.dispose](): void {
    // "The implementation should treat the body as incomplete": the request is given up.
    if (this.#finishedWith !== undefined) return;
    this.#isDropped = true;
    if (this.#id !== undefined) this.#client.close(this.#id);
  }

  #finish(trailers: readonly HeaderField[]): void {
    this.#client.enterHost();
    if (this.#declaredBytes !== undefined && this.#declaredBytes !== this.#writtenBytes) {
      const val = BigInt(this.#writtenBytes);
      throw new NetworkFailure("HTTP-request-body-size", { tag: "HTTP-request-body-size", val });
    }
    this.#finishedWith = trailers;
    if (this.#id !== undefined) this.#sendEnd(this.#id, trailers);
  }

  #sendEnd(id: number, trailers: readonly HeaderField[]): void {
    this.#client.call({ op: "finish-body", id }, ["done"], encodeHeaders(trailers));
  }

  #checkWrite(): bigint {
    this.#client.enterHost();
    if (this.#sink !== undefined) return this.#sink.checkWrite();
    if (this.#hasFailed) throw { tag: "closed" };
    const roomBytes = MAX_SOCKET_BUFFER_BYTES - this.#writtenBytes;
    if (roomBytes > 0) return BigInt(roomBytes);
    if (this.#isStuck) throw this.#failure();
    return 0n;
  }

  #write(bytes: Uint8Array): void {
    this.#writtenBytes += bytes.byteLength;
    if (this.#sink === undefined) this.#kept.push(textOfBytes(bytes));
    else this.#sinkWhole(this.#sink, bytes);
  }

  #writeBlocking(bytes: Uint8Array): void {
    if (this.#sink === undefined && this.#checkWrite() < bytes.byteLength) throw this.#failure();
    this.#write(bytes);
  }

  /** In pieces, each of which waits for the one before it. */
  #sinkWhole(sink: OutputStream, bytes: Uint8Array): void {
    const pieceBytes = 4096;
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      sink.blockingWriteAndFlush(bytes.subarray(at, at + pieceBytes));
    }
  }

  #subscribe(): Pollable {
    if (this.#id !== undefined) return this.#client.pollable(this.#id, "write");
    // Nobody would ever wake a guest that waits for a request to be taken that it has not sent: it finds out when it goes on.
    this.#isStuck ||= this.#writtenBytes >= MAX_SOCKET_BUFFER_BYTES;
    return this.#client.always();
  }

  /** What the stream says once, before it is closed. */
  #failure() {
    this.#hasFailed = true;
    return this.#client.streamError(httpFailure("HTTP-request-body-size"));
  }
}

/** What a stream throws: it is closed, or its last operation failed. */
function isStreamError(error: unknown): boolean {
  return typeof error === "object" && error !== null && "tag" in error;
}
