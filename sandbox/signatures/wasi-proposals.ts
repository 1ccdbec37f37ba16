/**
 * Proposals of WASI that are not part of 0.2, in the drafts that this host has: wasi:config 0.2.0-rc.1, wasi:keyvalue 0.2.0-draft, wasi:logging
 * 0.1.0-draft.
 */

import {
  bool,
  borrow,
  enumeration,
  func,
  type InterfaceSignature,
  list,
  methods,
  none,
  option,
  own,
  record,
  resource,
  result,
  string,
  tuple,
  u8,
  u64,
  variant,
} from "./notation.ts";

const configError = variant({ upstream: string, io: string });
const keyvalueError = variant({ "no-such-store": none, "access-denied": none, other: string });
const keyResponse = record({ keys: list(string), cursor: option(u64) });
const bucket = resource("bucket");
const level = enumeration("trace", "debug", "info", "warn", "error", "critical");

export const wasiProposals = {
  "wasi:config/store": {
    resources: {},
    functions: {
      get: func({ key: string }, result(option(string), configError)),
      "get-all": func({}, result(list(tuple(string, string)), configError)),
    },
  },
  "wasi:keyvalue/store": {
    resources: { bucket },
    functions: {
      open: func({ identifier: string }, result(own(bucket), keyvalueError)),
      ...methods("bucket", bucket, {
        get: func({ key: string }, result(option(list(u8)), keyvalueError)),
        set: func({ key: string, value: list(u8) }, result(none, keyvalueError)),
        delete: func({ key: string }, result(none, keyvalueError)),
        exists: func({ key: string }, result(bool, keyvalueError)),
        "list-keys": func({ cursor: option(u64) }, result(keyResponse, keyvalueError)),
      }),
    },
  },
  "wasi:keyvalue/atomics": {
    resources: { bucket },
    functions: {
      increment: func({ bucket: borrow(bucket), key: string, delta: u64 }, result(u64, keyvalueError)),
    },
  },
  "wasi:keyvalue/batch": {
    resources: { bucket },
    functions: {
      "get-many": func(
        { bucket: borrow(bucket), keys: list(string) },
        result(list(option(tuple(string, list(u8)))), keyvalueError),
      ),
      "set-many": func(
        { bucket: borrow(bucket), "key-values": list(tuple(string, list(u8))) },
        result(none, keyvalueError),
      ),
      "delete-many": func({ bucket: borrow(bucket), keys: list(string) }, result(none, keyvalueError)),
    },
  },
  "wasi:logging/logging": {
    resources: {},
    functions: {
      log: func({ level, context: string, message: string }),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
