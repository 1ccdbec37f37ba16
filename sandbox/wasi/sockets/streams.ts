/**
 * Connections and HTTP bodies as streams of `wasi:io/streams` (WASI 0.2). A stream that fails says why once, as
 * `last-operation-failed`, and is closed afterwards.
 */

import { MAX_NETWORK_PIECE_BYTES } from "../../limits.ts";
import { createInputStream, createOutputStream, type InputStream, type OutputStream } from "../streams.ts";
import { type NetworkClient, NetworkFailure } from "./client.ts";

const NOTHING = new Uint8Array(0);

/** @param drop is told when the guest drops the stream */
export function networkInput(client: NetworkClient, id: number, drop: () => void): InputStream {
  let isOver = false;

  function read(length: bigint): Uint8Array {
    if (isOver) throw { tag: "closed" };
    if (length === 0n) return NOTHING;
    const maxBytes = Number(length < MAX_NETWORK_PIECE_BYTES ? length : BigInt(MAX_NETWORK_PIECE_BYTES));
    try {
      const { head, payload } = client.call({ op: "read", id, maxBytes }, ["bytes", "end"]);
      if (head.tag === "bytes") return payload;
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (error.code === "would-block") return NOTHING;
      isOver = true;
      throw client.streamError(error);
    }
    isOver = true;
    throw { tag: "closed" };
  }

  return createInputStream({
    read,
    blockingRead(length: bigint) {
      for (;;) {
        const bytes = read(length);
        if (bytes.byteLength > 0 || length === 0n) return bytes;
        client.waitUntil(id, "read");
      }
    },
    subscribe: () => (isOver ? client.always() : client.pollable(id, "read")),
    drop,
  });
}

/** @param drop is told when the guest drops the stream */
export function networkOutput(client: NetworkClient, id: number, drop: () => void): OutputStream {
  let isOver = false;

  /** How much may be written; 0 while something is on its way. */
  function permit(): bigint {
    return BigInt(asked(() => client.call({ op: "check-write", id }, ["permit", "end"]).head)?.bytes ?? 0);
  }

  function asked<Head extends { readonly tag: string }>(
    call: () => Head,
  ): Exclude<Head, { tag: "end" }> | undefined {
    if (isOver) throw { tag: "closed" };
    try {
      const head = call();
      if (head.tag !== "end") return head as Exclude<Head, { tag: "end" }>;
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      if (error.code === "would-block") return undefined;
      isOver = true;
      throw client.streamError(error);
    }
    isOver = true;
    throw { tag: "closed" };
  }

  function write(bytes: Uint8Array): void {
    if (bytes.byteLength > 0) asked(() => client.call({ op: "write", id }, ["done", "end"], bytes).head);
  }

  function waitUntilWritten(): void {
    while (permit() === 0n) client.waitUntil(id, "write");
  }

  return createOutputStream({
    checkWrite: permit,
    write,
    blockingWriteAndFlush(bytes: Uint8Array) {
      waitUntilWritten();
      write(bytes);
    },
    flush: () => client.enterHost(),
    blockingFlush: waitUntilWritten,
    subscribe: () => (isOver ? client.always() : client.pollable(id, "write")),
    drop,
  });
}
