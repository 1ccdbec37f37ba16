/** The agent's side of a module's calls, faced with a worker that keeps to no rules. */

import test from "ava";
import type { HostCall } from "../../sandbox/channel.ts";
import { HostCalls } from "../../sandbox/host-calls.ts";
import {
  DEFAULT_NETWORK_CALLS_PER_SECOND,
  MAX_MESSAGE_BYTES,
  MAX_OPEN_HANDLES,
  MAX_SERIAL_BYTES,
  MAX_TOPIC_BYTES,
} from "../../sandbox/limits.ts";
import type { ModuleGrants, ModuleServices } from "../../sandbox/module-spec.ts";

const grants: ModuleGrants = {
  sensors: ["ambient"],
  serial: ["modbus0"],
  publish: ["telemetry/#", "+/state"],
};
const generous = { hostCallsPerSecond: 1e6, messagesPerSecond: 1e6, messageBytesPerSecond: 1e9 };

/** Services that write down what reaches them. */
function watched(overrides: Partial<ModuleServices> = {}) {
  const calls: unknown[][] = [];
  const services: ModuleServices = {
    readSensor: async (name) => {
      calls.push(["readSensor", name]);
      return { tag: "ok", value: { value: 1, unit: "Cel", timeNs: 2n ** 64n - 1n } };
    },
    openSerial: async (name) => {
      calls.push(["openSerial", name]);
      return { tag: "ok", value: undefined };
    },
    closeSerial: async (name) => {
      calls.push(["closeSerial", name]);
    },
    readSerial: async (...args) => {
      calls.push(["readSerial", ...args]);
      return { tag: "ok", value: new Uint8Array(args[1]) };
    },
    writeSerial: async (name, data) => {
      calls.push(["writeSerial", name, data.byteLength]);
      return { tag: "ok", value: data.byteLength };
    },
    publish: async (topic, payload) => {
      calls.push(["publish", topic, payload.byteLength]);
      return { tag: "ok", value: undefined };
    },
    ...overrides,
  };
  const notes: string[] = [];
  const hostCalls = new HostCalls(grants, services, generous, {
    limited: (code) => notes.push(code),
    serviceFailed: (message) => notes.push(message),
    networkRefused: (what) => notes.push(what),
  });
  const ask = async (request: HostCall, payload = new Uint8Array(0)) =>
    (await hostCalls.answer(request, payload)).head;
  return { hostCalls, ask, calls, notes };
}

test("a sensor that is granted is read, its time is exact to 64 bits", async (t) => {
  const { ask } = watched();
  const reply = await ask({ call: "read-sensor", name: "ambient" });
  t.deepEqual(reply, { tag: "reading", value: 1, unit: "Cel", timeNs: "18446744073709551615" });
});

const refused: readonly [what: string, request: HostCall, payloadBytes: number, code: string][] = [
  ["a sensor that is not granted", { call: "read-sensor", name: "outside" }, 0, "not-granted"],
  ["a sensor by a port's name", { call: "read-sensor", name: "modbus0" }, 0, "not-granted"],
  ["a port that is not granted", { call: "open-serial", name: "/dev/ttyS0" }, 0, "not-granted"],
  ["a write to a port that was not opened", { call: "write-serial", name: "modbus0" }, 1, "not-granted"],
  [
    "a read from a port that was not opened",
    { call: "read-serial", name: "modbus0", maxBytes: 1, timeoutMs: 0 },
    0,
    "not-granted",
  ],
  ["a topic that is not granted", { call: "publish", topic: "alarms/fire" }, 1, "not-granted"],
  ["a topic above its own", { call: "publish", topic: "../other/telemetry/x" }, 1, "not-granted"],
  ["a topic with a wildcard", { call: "publish", topic: "telemetry/#" }, 1, "invalid-topic"],
  ["telemetry without a level of its own", { call: "publish", topic: "telemetry" }, 1, "invalid-topic"],
  ["what is granted and no telemetry", { call: "publish", topic: "pump/state" }, 1, "invalid-topic"],
  ["an empty topic", { call: "publish", topic: "" }, 1, "invalid-topic"],
  [
    "a long topic",
    { call: "publish", topic: `telemetry/${"x".repeat(MAX_TOPIC_BYTES)}` },
    1,
    "invalid-topic",
  ],
  ["a long message", { call: "publish", topic: "telemetry/x" }, MAX_MESSAGE_BYTES + 1, "too-large"],
];

for (const [what, request, payloadBytes, code] of refused) {
  test(`refused without a call of the service: ${what}`, async (t) => {
    const { ask, calls } = watched();
    t.deepEqual(await ask(request, new Uint8Array(payloadBytes)), { tag: "error", code });
    t.deepEqual(calls, []);
  });
}

test("a port is opened once, read and written within bounds, and closed once", async (t) => {
  const { hostCalls, ask, calls } = watched();
  t.deepEqual(await ask({ call: "open-serial", name: "modbus0" }), { tag: "done" });
  t.deepEqual(await ask({ call: "open-serial", name: "modbus0" }), { tag: "error", code: "busy" });
  const read = await hostCalls.answer(
    { call: "read-serial", name: "modbus0", maxBytes: 1e9, timeoutMs: 1e9 },
    new Uint8Array(0),
  );
  t.deepEqual(read.head, { tag: "bytes" });
  t.is(read.payload.byteLength, MAX_SERIAL_BYTES);
  const tooLong = new Uint8Array(MAX_SERIAL_BYTES + 1);
  t.deepEqual(await ask({ call: "write-serial", name: "modbus0" }, tooLong), {
    tag: "error",
    code: "invalid-argument",
  });
  const nothing = { call: "read-serial", name: "modbus0", maxBytes: 0, timeoutMs: 0 } as const;
  t.deepEqual(await ask(nothing), { tag: "error", code: "invalid-argument" });
  t.deepEqual(await ask({ call: "write-serial", name: "modbus0" }, tooLong.subarray(1)), {
    tag: "count",
    count: MAX_SERIAL_BYTES,
  });
  await ask({ call: "close-serial", name: "modbus0" });
  await ask({ call: "close-serial", name: "modbus0" });
  await hostCalls.close();
  t.deepEqual(calls, [
    ["openSerial", "modbus0"],
    ["readSerial", "modbus0", MAX_SERIAL_BYTES, 10_000],
    ["writeSerial", "modbus0", MAX_SERIAL_BYTES],
    ["closeSerial", "modbus0"],
  ]);
});

test("a port that the module left open is closed when it ends", async (t) => {
  const { hostCalls, ask, calls } = watched();
  await ask({ call: "open-serial", name: "modbus0" });
  await hostCalls.close();
  t.deepEqual(calls.at(-1), ["closeSerial", "modbus0"]);
});

/** A port that opens when it is told to. */
function slowPort() {
  const opened = Promise.withResolvers<void>();
  const closed: string[] = [];
  const { hostCalls, ask } = watched({
    openSerial: async () => {
      await opened.promise;
      return { tag: "ok", value: undefined };
    },
    closeSerial: async (name) => {
      closed.push(name);
    },
  });
  return { hostCalls, ask, closed, open: () => opened.resolve() };
}

test("the module's end waits for a port that is being opened, so that its next start finds it free", async (t) => {
  const { hostCalls, ask, closed, open } = slowPort();
  const asked = ask({ call: "open-serial", name: "modbus0" });
  const ended = hostCalls.close();
  open();
  await ended;
  t.deepEqual(closed, ["modbus0"]);
  await asked;
  t.deepEqual(closed, ["modbus0"]);
});

test("a port that opens only long after the module's end is closed again", async (t) => {
  const { hostCalls, ask, closed, open } = slowPort();
  const asked = ask({ call: "open-serial", name: "modbus0" });
  await hostCalls.close();
  t.deepEqual(closed, []);
  open();
  await asked;
  t.deepEqual(closed, ["modbus0"]);
});

test("a service's error code reaches the module unchanged", async (t) => {
  const { ask } = watched({ openSerial: async () => ({ tag: "err", code: "busy" }) });
  t.deepEqual(await ask({ call: "open-serial", name: "modbus0" }), { tag: "error", code: "busy" });
});

for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a sensor that measures ${value} has failed`, async (t) => {
    const { ask } = watched({
      readSensor: async () => ({ tag: "ok", value: { value, unit: "Cel", timeNs: 0n } }),
    });
    t.deepEqual(await ask({ call: "read-sensor", name: "ambient" }), { tag: "error", code: "failed" });
  });
}

test("a service that rejects is noted, and its call has failed", async (t) => {
  const { ask, notes } = watched({ publish: () => Promise.reject(new Error("no link")) });
  t.deepEqual(await ask({ call: "publish", topic: "telemetry/x" }), { tag: "error", code: "unavailable" });
  t.deepEqual(notes, ["publish failed: no link"]);
});

test("ports are bounded, whatever the worker asks for", async (t) => {
  const many = Array.from({ length: MAX_OPEN_HANDLES + 1 }, (_, index) => `port${index}`);
  const hostCalls = new HostCalls(
    { ...grants, serial: many },
    { ...emptyServices, openSerial: async () => ({ tag: "ok", value: undefined }) },
    generous,
    { limited: () => {}, serviceFailed: () => {}, networkRefused: () => {} },
  );
  const replies: string[] = [];
  for (const name of many) {
    const { head } = await hostCalls.answer({ call: "open-serial", name }, new Uint8Array(0));
    replies.push(head.tag);
  }
  t.deepEqual(replies, [...Array(MAX_OPEN_HANDLES).fill("done"), "error"]);
});

const emptyServices: ModuleServices = {
  readSensor: async () => ({ tag: "err", code: "unavailable" }),
  openSerial: async () => ({ tag: "err", code: "unavailable" }),
  closeSerial: async () => {},
  readSerial: async () => ({ tag: "err", code: "unavailable" }),
  writeSerial: async () => ({ tag: "err", code: "unavailable" }),
  publish: async () => ({ tag: "err", code: "unavailable" }),
};

test("without a grant every call of the network is denied, by the interface's own code, and told", async (t) => {
  const { ask, notes } = watched();
  const create = { op: "create", protocol: "tcp", family: "ipv4" } as const;
  t.deepEqual(await ask({ call: "network", request: create }), {
    tag: "network",
    reply: { tag: "error", code: "access-denied" },
  });
  const timeouts = { connectTimeoutMs: 1, firstByteTimeoutMs: 1, betweenBytesTimeoutMs: 1 };
  const target = { method: "GET", scheme: "http", authority: "127.0.0.1", pathWithQuery: "/" } as const;
  const request = { op: "request", head: { ...target, ...timeouts, hasBody: false } } as const;
  t.deepEqual(await ask({ call: "network", request }), {
    tag: "network",
    reply: { tag: "http-error", code: "HTTP-request-denied" },
  });
  t.is(notes.length, 2);
});

test("calls of the network have a rate of their own: they wait, and that is told", async (t) => {
  const { ask, notes } = watched();
  const request = { op: "resolve", name: "localhost" } as const;
  const calls = Array.from({ length: DEFAULT_NETWORK_CALLS_PER_SECOND + 200 }, () =>
    ask({ call: "network", request }),
  );
  await Promise.all(calls);
  t.true(notes.includes("limit/host-call-rate"));
});
