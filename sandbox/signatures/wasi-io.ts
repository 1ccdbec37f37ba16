/** wasi:io 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import {
  bool,
  borrow,
  func,
  type InterfaceSignature,
  list,
  methods,
  none,
  own,
  resource,
  result,
  string,
  u8,
  u32,
  u64,
  variant,
} from "./notation.ts";

export const ioError = resource("error");
export const pollable = resource("pollable");
export const inputStream = resource("input-stream");
const streamError = variant({ "last-operation-failed": own(ioError), closed: none });
export const outputStream = resource("output-stream");

export const wasiIo = {
  "wasi:io/error": {
    resources: { error: ioError },
    functions: {
      ...methods("error", ioError, {
        "to-debug-string": func({}, string),
      }),
    },
  },
  "wasi:io/poll": {
    resources: { pollable },
    functions: {
      poll: func({ in: list(borrow(pollable)) }, list(u32)),
      ...methods("pollable", pollable, {
        ready: func({}, bool),
        block: func({}),
      }),
    },
  },
  "wasi:io/streams": {
    resources: { "input-stream": inputStream, error: ioError, pollable, "output-stream": outputStream },
    functions: {
      ...methods("input-stream", inputStream, {
        read: func({ len: u64 }, result(list(u8), streamError)),
        "blocking-read": func({ len: u64 }, result(list(u8), streamError)),
        skip: func({ len: u64 }, result(u64, streamError)),
        "blocking-skip": func({ len: u64 }, result(u64, streamError)),
        subscribe: func({}, own(pollable)),
      }),
      ...methods("output-stream", outputStream, {
        "check-write": func({}, result(u64, streamError)),
        write: func({ contents: list(u8) }, result(none, streamError)),
        "blocking-write-and-flush": func({ contents: list(u8) }, result(none, streamError)),
        flush: func({}, result(none, streamError)),
        "blocking-flush": func({}, result(none, streamError)),
        subscribe: func({}, own(pollable)),
        "write-zeroes": func({ len: u64 }, result(none, streamError)),
        "blocking-write-zeroes-and-flush": func({ len: u64 }, result(none, streamError)),
        splice: func({ src: borrow(inputStream), len: u64 }, result(u64, streamError)),
        "blocking-splice": func({ src: borrow(inputStream), len: u64 }, result(u64, streamError)),
      }),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
