/** What the interfaces of skerry:device have (wit/deps/skerry-device). */

import {
  enumeration,
  f64,
  func,
  type InterfaceSignature,
  list,
  methods,
  own,
  record,
  resource,
  result,
  string,
  u8,
  u32,
  u64,
} from "./notation.ts";

const sensor = resource("sensor");
const reading = record({ value: f64, unit: string, "time-ns": u64 });
const errorCode = enumeration("not-granted", "unavailable", "failed");
const port = resource("port");
const serialErrorCode = enumeration(
  "not-granted",
  "busy",
  "unavailable",
  "overrun",
  "timed-out",
  "invalid-argument",
  "failed",
);

export const skerryDevice = {
  "skerry:device/sensor": {
    resources: { sensor },
    functions: {
      open: func({ name: string }, result(own(sensor), errorCode)),
      ...methods("sensor", sensor, {
        read: func({}, result(reading, errorCode)),
      }),
    },
  },
  "skerry:device/serial": {
    resources: { port },
    functions: {
      open: func({ name: string }, result(own(port), serialErrorCode)),
      ...methods("port", port, {
        read: func({ "max-bytes": u32, "timeout-ms": u32 }, result(list(u8), serialErrorCode)),
        write: func({ data: list(u8) }, result(u32, serialErrorCode)),
      }),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
