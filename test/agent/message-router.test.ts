/** Who is told what, and what becomes of messages that nobody takes. */

import test from "ava";
import { MAX_HELD_MESSAGES } from "../../agent/limits.ts";
import { MessageRouter } from "../../agent/message-router.ts";

/** A module that takes everything it is handed. */
function receiver(): {
  told: string[];
  deliver: (topic: string, payload: Uint8Array) => Promise<{ kind: "handled" }>;
} {
  const told: string[] = [];
  return {
    told,
    deliver: async (topic, payload) => {
      told.push(`${topic}=${Buffer.from(payload).toString()}`);
      return { kind: "handled" };
    },
  };
}

const SOME = Buffer.from("1");

test("a message reaches the module that it is for, if that asked for its topic", async (t) => {
  const router = new MessageRouter();
  const [heater, valve] = [receiver(), receiver()];
  router.add("acme/heater", ["message/set/+"], heater.deliver);
  router.add("acme/valve", ["message/#"], valve.deliver);
  t.deepEqual(await router.send("acme/heater", "set/point", SOME), { kind: "handled" });
  t.like(await router.send("acme/heater", "reset", SOME), { kind: "not-granted" });
  t.deepEqual(heater.told, ["message/set/point=1"]);
  t.deepEqual(valve.told, []);
});

test("telemetry reaches the other modules that asked for it, never its own", (t) => {
  const router = new MessageRouter();
  const [thermo, alarm, valve] = [receiver(), receiver(), receiver()];
  router.add("acme/thermo", ["telemetry/#"], thermo.deliver);
  router.add("acme/alarm", ["telemetry/acme.thermo/#"], alarm.deliver);
  router.add("acme/valve", ["telemetry/acme.meter/#", "message/#"], valve.deliver);
  router.published("acme/thermo", "temperature", SOME);
  t.deepEqual(alarm.told, ["telemetry/acme.thermo/temperature=1"]);
  t.deepEqual([...thermo.told, ...valve.told], []);
});

test("a message to a module that is not there yet waits for it; one to another is not mixed up with it", async (t) => {
  const router = new MessageRouter();
  const buffer = Buffer.from("1");
  const sent = router.send("acme/heater", "a", buffer);
  const other = router.send("acme/valve", "a", buffer);
  buffer.fill("x");
  const heater = receiver();
  router.add("acme/heater", ["message/#"], heater.deliver);
  t.deepEqual(await sent, { kind: "handled" });
  t.deepEqual(heater.told, ["message/a=1"]);
  router.close();
  t.like(await other, { kind: "not-running" });
});

test("no more messages wait than the bound", async (t) => {
  const router = new MessageRouter();
  t.teardown(() => router.close());
  for (let count = 0; count < MAX_HELD_MESSAGES; count += 1) void router.send("acme/heater", "a", SOME);
  t.like(await router.send("acme/heater", "a", SOME), { kind: "not-running" });
});

test("a module that has ended is told nothing more, its successor is", async (t) => {
  const router = new MessageRouter();
  t.teardown(() => router.close());
  const [old, next] = [receiver(), receiver()];
  const remove = router.add("acme/heater", ["message/#"], old.deliver);
  remove();
  const sent = router.send("acme/heater", "a", SOME);
  router.add("acme/heater", ["message/#"], next.deliver);
  // The end of the old one comes late: it must not take the new one away.
  remove();
  await sent;
  await router.send("acme/heater", "b", SOME);
  t.deepEqual([...old.told, ...next.told], ["message/a=1", "message/b=1"]);
});
