/** The channel's frames, and what the agent's side refuses to read from a worker. */

import test from "ava";
import { MAX_CONFIG_BYTES as POLICY_CONFIG_BYTES } from "../../devices/limits.ts";
import {
  MAX_CONFIG_BYTES,
  MAX_ENVIRONMENT_BYTES,
  MAX_PATH_LENGTH,
  MAX_REQUESTED_NAMES,
} from "../../ota/limits.ts";
import { decodeFrame, encodeFrame, type WorkerStart } from "../../sandbox/channel.ts";
import { AgentControl, createControlMemory, WorkerControl } from "../../sandbox/control-block.ts";
import { SandboxError } from "../../sandbox/errors.ts";
import { MAX_FRAME_BYTES, MAX_LOG_LINE_LENGTH, MAX_REPORT_LENGTH } from "../../sandbox/limits.ts";
import { parseAgentMessage } from "../../sandbox/module-session.ts";
import { parseWorkerMessage } from "../../sandbox/parse-worker-message.ts";

/** A frame with any head, as a worker that keeps to no rules might send it. */
function frameOf(head: unknown, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.byteLength);
  return new Uint8Array(Buffer.concat([length, text, payload]));
}

function frameOfText(text: string): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(text));
  return new Uint8Array(Buffer.concat([length, Buffer.from(text)]));
}

const violation = { instanceOf: SandboxError, code: "sandbox/channel-violation" };

test("a frame carries its head and its payload unchanged", (t) => {
  const message = { kind: "call", sequence: 7, request: { call: "publish", topic: "telemetry/°C" } } as const;
  const payload = Uint8Array.of(0, 255, 10);
  const decoded = decodeFrame(encodeFrame(message, payload));
  t.deepEqual(decoded.head, message);
  t.deepEqual([...decoded.payload], [...payload]);
});

test("a frame is decoded wherever it lies in its buffer", (t) => {
  const frame = encodeFrame({ tag: "count", count: 3 });
  const shifted = new Uint8Array(frame.byteLength + 5);
  shifted.set(frame, 5);
  t.deepEqual(decodeFrame(shifted.subarray(5)).head, { tag: "count", count: 3 });
});

test("a message that outgrows a frame is refused where it is made", (t) => {
  const tooMuch = new Uint8Array(MAX_FRAME_BYTES);
  t.throws(() => encodeFrame({ tag: "bytes" }, tooMuch), violation);
});

const noFrames: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  "an object": { kind: "running" },
  "a string": "running",
  "three bytes": Uint8Array.of(1, 2, 3),
  "a head that is longer than the frame": Uint8Array.of(255, 255, 255, 255, 123, 125),
  "a head that is no JSON": frameOfText("{kind"),
  "a frame over the limit": new Uint8Array(MAX_FRAME_BYTES + 1),
};

for (const [what, frame] of Object.entries(noFrames)) {
  test(`${what} is no frame`, (t) => {
    t.throws(() => parseWorkerMessage(frame), violation);
  });
}

test("what a manifest and a policy may say at most fits into the message that starts a module", (t) => {
  const texts = (count: number, text: string) => Array.from({ length: count }, () => text);
  const name = texts(32, "s".repeat(64));
  const host = { kind: "name", name: "h".repeat(MAX_PATH_LENGTH) } as const;
  const rules = Array.from({ length: MAX_REQUESTED_NAMES }, () => ({
    ...{ host, firstPort: 65_535, lastPort: 65_535 },
    protocol: "tcp" as const,
  }));
  const start: WorkerStart = {
    name: `${"n".repeat(32)}/${"n".repeat(32)}`,
    componentPath: "c".repeat(4095),
    world: "reactor",
    env: { NAME: "x".repeat(MAX_ENVIRONMENT_BYTES) },
    args: [],
    folders: [
      { hostPath: "d".repeat(4095), guestPath: "/data", quota: { maxBytes: 2 ** 40, maxEntries: 1024 } },
    ],
    stdio: "log",
    grants: {
      ...{ sensors: name, serial: name, storageBytes: 2 ** 40 },
      publish: texts(MAX_REQUESTED_NAMES, "\u20ac".repeat(MAX_PATH_LENGTH)),
      config: { manifest: "x".repeat(MAX_CONFIG_BYTES), policy: "x".repeat(POLICY_CONFIG_BYTES) },
      network: { connect: rules, listen: rules },
    },
    ...{
      memoryBytes: 2 ** 40,
      logLinesPerSecond: 20,
      logBytesPerSecond: 8192,
      writtenBytesPerSecond: 32_768,
    },
  };
  const frame = encodeFrame({ kind: "start", start });
  t.true(frame.byteLength > MAX_FRAME_BYTES);
  t.deepEqual(parseAgentMessage(frame).head, { kind: "start", start });
  t.throws(() => decodeFrame(frame), violation, "no other message may be as long");
});

const wrongMessages: Readonly<Record<string, unknown>> = {
  null: null,
  "a number": 5,
  "no kind": {},
  "an unknown kind": { kind: "reboot" },
  "a kind from the prototype": { kind: "constructor" },
  "a call without a number": { kind: "call", request: { call: "read-sensor", name: "ambient" } },
  "a call with a fraction as its number": {
    kind: "call",
    sequence: 0.5,
    request: { call: "read-sensor", name: "ambient" },
  },
  "a call of something else": { kind: "call", sequence: 1, request: { call: "exec", name: "ls" } },
  "a call without its request": { kind: "call", sequence: 1 },
  "a sensor's name that is an object": {
    kind: "call",
    sequence: 1,
    request: { call: "read-sensor", name: {} },
  },
  "a name without end": {
    kind: "call",
    sequence: 1,
    request: { call: "open-serial", name: "x".repeat(5000) },
  },
  "a negative timeout": {
    kind: "call",
    sequence: 1,
    request: { call: "read-serial", name: "a", maxBytes: 1, timeoutMs: -1 },
  },
  "a log line of an unknown level": { kind: "log", level: "fatal", text: "x" },
  "a log line over the limit": { kind: "log", level: "info", text: "x".repeat(MAX_LOG_LINE_LENGTH + 1) },
  "an end of an unknown kind": { kind: "ended", end: { kind: "promoted" } },
  "an end with a code that only the agent may give": {
    kind: "ended",
    end: { kind: "failed", code: "limit/deadline", message: "" },
  },
  "a trap with an unknown code": {
    kind: "ended",
    end: { kind: "trapped", code: "trap/x", message: "", stack: "" },
  },
  "a report over the limit": { kind: "called", error: "x".repeat(MAX_REPORT_LENGTH + 1) },
};

for (const [what, head] of Object.entries(wrongMessages)) {
  test(`a worker's message is refused: ${what}`, (t) => {
    t.throws(() => parseWorkerMessage(frameOf(head)), violation);
  });
}

test("a worker's message keeps only the members that its kind has", (t) => {
  const { head } = parseWorkerMessage(frameOf({ kind: "log", level: "info", text: "hello", extra: "x" }));
  t.deepEqual(head, { kind: "log", level: "info", text: "hello" });
});

test("a reply that is there before the wait begins is not missed", (t) => {
  const memory = createControlMemory();
  const frame = encodeFrame({ tag: "done" });
  new AgentControl(memory).reply(3, frame);
  t.deepEqual(new WorkerControl(memory).waitForReply(3), frame);
});

test("a stop ends a wait, before it begins as well", (t) => {
  const memory = createControlMemory();
  new AgentControl(memory).requestStop();
  const worker = new WorkerControl(memory);
  t.is(worker.waitForReply(1), undefined);
  worker.sleepUntil(Number.POSITIVE_INFINITY);
  t.true(worker.stopRequested());
});
