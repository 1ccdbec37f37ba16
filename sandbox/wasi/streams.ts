/**
 * `wasi:io/streams` (WASI 0.2), on preview2-shim's streams.
 *
 * The shim refuses lengths that a JavaScript number can't hold, and the guest would end for it; to WASI they are
 * lengths like any other ("read as much as there is"). A stream gives less than what it is asked for anyway.
 */

import {
  type InputStreamHandler,
  inputStreamCreate,
  type OutputStreamHandler,
  outputStreamCreate,
} from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import { MAX_STREAM_PIECE_BYTES } from "../limits.ts";

export type InputStream = ReturnType<typeof inputStreamCreate>;
export type OutputStream = ReturnType<typeof outputStreamCreate>;

export function createInputStream(handler: InputStreamHandler): InputStream {
  const stream = inputStreamCreate(handler);
  const { read, blockingRead, skip, blockingSkip } = stream;
  return Object.assign(stream, {
    read: (length: bigint) => read.call(stream, bounded(length)),
    blockingRead: (length: bigint) => blockingRead.call(stream, bounded(length)),
    skip: (length: bigint) => skip.call(stream, bounded(length)),
    blockingSkip: (length: bigint) => blockingSkip.call(stream, bounded(length)),
  });
}

export function createOutputStream(handler: OutputStreamHandler): OutputStream {
  const permit = BigInt(MAX_STREAM_PIECE_BYTES);
  const stream = outputStreamCreate({ checkWrite: () => permit, ...handler });
  const { splice, blockingSplice } = stream;
  return Object.assign(stream, {
    splice: (source: InputStream, length: bigint) => splice.call(stream, source, bounded(length)),
    blockingSplice: (source: InputStream, length: bigint) =>
      blockingSplice.call(stream, source, bounded(length)),
  });
}

function bounded(length: bigint): bigint {
  return length > MAX_STREAM_PIECE_BYTES ? BigInt(MAX_STREAM_PIECE_BYTES) : length;
}
