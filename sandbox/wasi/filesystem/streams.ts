/** Files as streams of `wasi:io/streams` (WASI 0.2): `read-via-stream`, `write-via-stream`, `append-via-stream`. */

import { ioErrorCreate } from "../../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import { createInputStream, createOutputStream, type InputStream, type OutputStream } from "../streams.ts";
import { FilesystemError, type FilesystemErrorCode } from "./error-code.ts";
import type { FileContent } from "./file-content.ts";
import type { FilesystemContext } from "./open-folder.ts";

/** Which of the file system's errors a stream's error stands for. */
const errorCodes = new WeakMap<object, FilesystemErrorCode>();

/** `filesystem-error-code`. */
export function filesystemErrorCode(error: object): FilesystemErrorCode | undefined {
  return errorCodes.get(error);
}

export function fileInput(context: FilesystemContext, content: FileContent, start: bigint): InputStream {
  let position = start;
  const next = streaming(context, (length: bigint) => {
    if (length === 0n) return new Uint8Array(0);
    const bytes = content.readAt(length, position);
    if (bytes.byteLength === 0) throw { tag: "closed" };
    position += BigInt(bytes.byteLength);
    return bytes;
  });
  content.hold();
  return createInputStream({
    read: next,
    blockingRead: next,
    subscribe: () => context.polling.always(),
    drop: () => content.release(),
  });
}

/** @param start undefined for the file's end, wherever that is with each write */
export function fileOutput(
  context: FilesystemContext,
  content: FileContent,
  start: bigint | undefined,
): OutputStream {
  let position = start;
  content.hold();
  return createOutputStream({
    write: streaming(context, (bytes: Uint8Array) => {
      content.writeAll(bytes, position);
      if (position !== undefined) position += BigInt(bytes.byteLength);
    }),
    subscribe: () => context.polling.always(),
    drop: () => content.release(),
  });
}

/** A stream whose operation failed says so once, and is closed afterwards. */
function streaming<Argument, Result>(
  context: FilesystemContext,
  work: (argument: Argument) => Result,
): (argument: Argument) => Result {
  let failed = false;
  return (argument) => {
    if (failed) throw { tag: "closed" };
    try {
      return context.call(() => work(argument));
    } catch (error) {
      if (!(error instanceof FilesystemError)) throw error;
      failed = true;
      const ioError = ioErrorCreate(error.payload);
      errorCodes.set(ioError, error.payload);
      throw { tag: "last-operation-failed", val: ioError };
    }
  };
}
