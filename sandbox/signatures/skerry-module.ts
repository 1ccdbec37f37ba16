/** What the interfaces of skerry:module have (wit/). */

import { enumeration, func, type InterfaceSignature, list, none, result, string, u8 } from "./notation.ts";

const errorCode = enumeration("not-granted", "invalid-topic", "too-large", "rate-limited", "unavailable");

export const skerryModule = {
  "skerry:module/messaging": {
    resources: {},
    functions: {
      publish: func({ topic: string, payload: list(u8) }, result(none, errorCode)),
    },
  },
  "skerry:module/lifecycle": {
    resources: {},
    functions: {
      init: func({}, result(none, string)),
      health: func({}, result(none, string)),
    },
  },
  "skerry:module/timer-handler": {
    resources: {},
    functions: {
      "on-timer": func({}, result(none, string)),
    },
  },
  "skerry:module/message-handler": {
    resources: {},
    functions: {
      "on-message": func({ topic: string, payload: list(u8) }, result(none, string)),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
