/** Proposals of WASI that are not part of 0.2, in the drafts that this host has: wasi:config 0.2.0-rc.1, wasi:logging 0.1.0-draft. */

import {
  enumeration,
  func,
  type InterfaceSignature,
  list,
  option,
  result,
  string,
  tuple,
  variant,
} from "./notation.ts";

const configError = variant({ upstream: string, io: string });
const level = enumeration("trace", "debug", "info", "warn", "error", "critical");

export const wasiProposals = {
  "wasi:config/store": {
    resources: {},
    functions: {
      get: func({ key: string }, result(option(string), configError)),
      "get-all": func({}, result(list(tuple(string, string)), configError)),
    },
  },
  "wasi:logging/logging": {
    resources: {},
    functions: {
      log: func({ level, context: string, message: string }),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
