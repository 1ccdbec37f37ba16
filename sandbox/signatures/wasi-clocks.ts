/** wasi:clocks 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import { func, type InterfaceSignature, own, record, u32, u64 } from "./notation.ts";
import { pollable } from "./wasi-io.ts";

export const datetime = record({ seconds: u64, nanoseconds: u32 });

export const wasiClocks = {
  "wasi:clocks/monotonic-clock": {
    resources: { pollable },
    functions: {
      now: func({}, u64),
      resolution: func({}, u64),
      "subscribe-instant": func({ when: u64 }, own(pollable)),
      "subscribe-duration": func({ when: u64 }, own(pollable)),
    },
  },
  "wasi:clocks/wall-clock": {
    resources: {},
    functions: {
      now: func({}, datetime),
      resolution: func({}, datetime),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
