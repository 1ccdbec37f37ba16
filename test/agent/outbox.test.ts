import test from "ava";
import fc from "fast-check";
import {
  MAX_QUEUED_EVENT_BYTES,
  MAX_QUEUED_EVENTS,
  MAX_QUEUED_LATEST,
  MAX_QUEUED_TELEMETRY,
} from "../../agent/limits.ts";
import { Outbox, type OutgoingKind, type OutgoingMessage } from "../../agent/outbox.ts";

function message(kind: OutgoingKind, topic: string, text: string): OutgoingMessage {
  return { kind, topic, payload: Buffer.from(text), correlationData: undefined };
}

function drain(outbox: Outbox): string[] {
  const taken: string[] = [];
  for (let next = outbox.take(); next !== undefined; next = outbox.take()) {
    taken.push(`${next.topic}=${Buffer.from(next.payload).toString()}`);
  }
  return taken;
}

test("of a retained topic only the newest message is kept", (t) => {
  const outbox = new Outbox();
  outbox.add(message("latest", "state", "old"));
  outbox.add(message("latest", "status", "online"));
  outbox.add(message("latest", "state", "new"));
  t.deepEqual(drain(outbox), ["state=new", "status=online"]);
});

test("state goes before events, events before telemetry, each in order", (t) => {
  const outbox = new Outbox();
  outbox.add(message("telemetry", "t", "1"));
  outbox.add(message("event", "e", "1"));
  outbox.add(message("telemetry", "t", "2"));
  outbox.add(message("event", "e", "2"));
  outbox.add(message("latest", "state", "s"));
  t.deepEqual(drain(outbox), ["state=s", "e=1", "e=2", "t=1", "t=2"]);
});

test("over the bound the oldest telemetry goes, and is counted", (t) => {
  const outbox = new Outbox();
  for (let n = 0; n < MAX_QUEUED_TELEMETRY + 3; n++) outbox.add(message("telemetry", "t", `${n}`));
  t.deepEqual(outbox.dropped, { events: 0, telemetry: 3 });
  t.is(outbox.size, MAX_QUEUED_TELEMETRY);
  t.is(drain(outbox)[0], "t=3");
});

test("over the bound in bytes the oldest events go, and are counted", (t) => {
  const outbox = new Outbox();
  const halfBytes = MAX_QUEUED_EVENT_BYTES / 2;
  outbox.add(message("event", "a", "x".repeat(halfBytes)));
  outbox.add(message("event", "b", "x".repeat(halfBytes)));
  t.deepEqual(outbox.dropped, { events: 0, telemetry: 0 });
  outbox.add(message("event", "c", "x"));
  t.deepEqual(outbox.dropped, { events: 1, telemetry: 0 });
  t.is(outbox.take()?.topic, "b");
});

test("retained topics are bounded in number", (t) => {
  const outbox = new Outbox();
  for (let n = 0; n < MAX_QUEUED_LATEST + 1; n++) outbox.add(message("latest", `topic-${n}`, ""));
  t.is(outbox.size, MAX_QUEUED_LATEST);
  t.is(outbox.take()?.topic, "topic-1");
});

test("what was not acknowledged comes first again, in its order; telemetry does not", (t) => {
  const outbox = new Outbox();
  for (const text of ["1", "2", "3"]) outbox.add(message("event", "e", text));
  outbox.add(message("telemetry", "t", "1"));
  const taken = [outbox.take(), outbox.take()].filter((each) => each !== undefined);
  outbox.restore([...taken, message("telemetry", "t", "0")]);
  t.deepEqual(drain(outbox), ["e=1", "e=2", "e=3", "t=1"]);
});

test("a state put back does not replace a newer one", (t) => {
  const outbox = new Outbox();
  const [older, newer] = [message("latest", "state", "older"), message("latest", "state", "newer")];
  outbox.restore([older, newer]);
  t.deepEqual(drain(outbox), ["state=newer"]);
  outbox.add(message("latest", "state", "newest"));
  outbox.restore([older, newer]);
  t.deepEqual(drain(outbox), ["state=newest"]);
});

test("whatever is added: bounded, and nothing is lost without being counted", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20_000 }), { maxLength: 800 }), (sizes) => {
      const outbox = new Outbox();
      for (const size of sizes) outbox.add(message("event", "e", "x".repeat(size)));
      const { events } = outbox.dropped;
      const { size } = outbox;
      const kept = drain(outbox);
      const bytes = kept.reduce((sum, text) => sum + text.length - "e=".length, 0);
      return (
        size === kept.length &&
        kept.length + events === sizes.length &&
        kept.length <= MAX_QUEUED_EVENTS &&
        bytes <= MAX_QUEUED_EVENT_BYTES
      );
    }),
    { numRuns: 50 },
  );
  t.pass();
});
