/** wasi:random 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import { func, type InterfaceSignature, list, tuple, u8, u64 } from "./notation.ts";

export const wasiRandom = {
  "wasi:random/random": {
    resources: {},
    functions: {
      "get-random-bytes": func({ len: u64 }, list(u8)),
      "get-random-u64": func({}, u64),
    },
  },
  "wasi:random/insecure": {
    resources: {},
    functions: {
      "get-insecure-random-bytes": func({ len: u64 }, list(u8)),
      "get-insecure-random-u64": func({}, u64),
    },
  },
  "wasi:random/insecure-seed": {
    resources: {},
    functions: {
      "insecure-seed": func({}, tuple(u64, u64)),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
