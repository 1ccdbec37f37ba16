import test from "ava";
import fc from "fast-check";
import { MAX_FILTERS_PER_PACKET, QUARANTINE_BASE_MS } from "../../agent/limits.ts";
import { type SubscriptionChange, Subscriptions } from "../../agent/subscriptions.ts";

function all(subscriptions: Subscriptions, nowMs = 0): SubscriptionChange[] {
  const changes: SubscriptionChange[] = [];
  for (let change = subscriptions.next(nowMs); change !== undefined; change = subscriptions.next(nowMs)) {
    changes.push(change);
  }
  return changes;
}

test("a filter is subscribed once, unsubscribed once", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.reset(false);
  subscriptions.want("a");
  t.deepEqual(all(subscriptions), [{ kind: "subscribe", filters: ["a"] }]);
  subscriptions.unwant("a");
  t.deepEqual(all(subscriptions), [{ kind: "unsubscribe", filters: ["a"] }]);
});

test("what is wanted and given up before a packet went out costs none", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.want("a");
  subscriptions.unwant("a");
  t.deepEqual(all(subscriptions), []);
});

test("wanting a filter again subscribes again: its retained message comes once more", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.want("a");
  all(subscriptions);
  subscriptions.want("a");
  t.deepEqual(all(subscriptions), [{ kind: "subscribe", filters: ["a"] }]);
});

test("packets hold no more filters than any broker takes", (t) => {
  const subscriptions = new Subscriptions();
  for (let n = 0; n < 2 * MAX_FILTERS_PER_PACKET + 1; n++) subscriptions.want(`blob/${n}`);
  t.deepEqual(
    all(subscriptions).map(({ filters }) => filters.length),
    [MAX_FILTERS_PER_PACKET, MAX_FILTERS_PER_PACKET, 1],
  );
});

test("a resumed session: everything wanted again, and what was given up meanwhile unsubscribed", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.want("kept");
  subscriptions.want("given-up");
  all(subscriptions);
  subscriptions.unwant("given-up");
  subscriptions.reset(true);
  t.deepEqual(all(subscriptions), [
    { kind: "subscribe", filters: ["kept"] },
    { kind: "unsubscribe", filters: ["given-up"] },
  ]);
});

test("subscribing and unsubscribing take turns, so that neither waits for all of the other", (t) => {
  const subscriptions = new Subscriptions();
  const some = (name: string): string[] =>
    Array.from({ length: 2 * MAX_FILTERS_PER_PACKET }, (_, n) => `${name}/${n}`);
  for (const filter of some("old")) subscriptions.want(filter);
  all(subscriptions);
  for (const filter of some("old")) subscriptions.unwant(filter);
  for (const filter of some("new")) subscriptions.want(filter);
  t.deepEqual(
    all(subscriptions).map(({ kind }) => kind),
    ["subscribe", "unsubscribe", "subscribe", "unsubscribe"],
  );
});

test("a lost session: nothing to unsubscribe", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.want("kept");
  subscriptions.want("given-up");
  all(subscriptions);
  subscriptions.unwant("given-up");
  subscriptions.reset(false);
  t.deepEqual(all(subscriptions), [{ kind: "subscribe", filters: ["kept"] }]);
});

test("what an earlier run left in the session is unsubscribed when it shows", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.reset(true);
  subscriptions.foundAtBroker("left-over");
  t.deepEqual(all(subscriptions), [{ kind: "unsubscribe", filters: ["left-over"] }]);
});

test("a filter that brought an oversized packet stays out for its time, the others do not", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.want("image/+");
  subscriptions.want("command");
  all(subscriptions);
  t.deepEqual(subscriptions.quarantine("image/targets", 0), ["image/+"]);
  subscriptions.reset(false);
  t.deepEqual(all(subscriptions, 1), [{ kind: "subscribe", filters: ["command"] }]);
  t.is(subscriptions.nextReleaseMs(1), QUARANTINE_BASE_MS);
  t.deepEqual(all(subscriptions, QUARANTINE_BASE_MS), [{ kind: "subscribe", filters: ["image/+"] }]);
  t.is(subscriptions.nextReleaseMs(QUARANTINE_BASE_MS), undefined);

  subscriptions.quarantine("image/targets", QUARANTINE_BASE_MS);
  t.is(subscriptions.nextReleaseMs(QUARANTINE_BASE_MS), 3 * QUARANTINE_BASE_MS);
});

test("however filters come and go: once settled, the broker has exactly what is wanted", (t) => {
  const filter = fc.constantFrom("a", "b", "c", "d");
  const action = fc.oneof(
    fc.record({ kind: fc.constant("want" as const), filter }),
    fc.record({ kind: fc.constant("unwant" as const), filter }),
    fc.record({ kind: fc.constant("send" as const), filter }),
    fc.record({ kind: fc.constantFrom("resumed" as const, "lost" as const), filter }),
  );
  fc.assert(
    fc.property(fc.array(action), (actions) => {
      const subscriptions = new Subscriptions();
      const broker = new Set<string>();
      const wanted = new Set<string>();
      const send = (): boolean => {
        const change = subscriptions.next(0);
        for (const each of change?.filters ?? []) {
          if (change?.kind === "subscribe") broker.add(each);
          else broker.delete(each);
        }
        return change !== undefined;
      };
      for (const { kind, filter: name } of actions) {
        if (kind === "want") subscriptions.want(name);
        if (kind === "want") wanted.add(name);
        if (kind === "unwant") subscriptions.unwant(name);
        if (kind === "unwant") wanted.delete(name);
        if (kind === "send") send();
        if (kind === "lost") broker.clear();
        if (kind === "lost" || kind === "resumed") subscriptions.reset(kind === "resumed");
      }
      while (send());
      return [...wanted].every((name) => broker.has(name)) && broker.size === wanted.size;
    }),
  );
  t.pass();
});

test("filters that a broker makes up are remembered in a bounded number", (t) => {
  const subscriptions = new Subscriptions();
  subscriptions.reset(true);
  for (let index = 0; index < 10_000; index++) subscriptions.foundAtBroker(`skerry/v1/demo/blob/${index}`);
  let unsubscribed = 0;
  for (let change = subscriptions.next(0); change !== undefined; change = subscriptions.next(0)) {
    unsubscribed += change.filters.length;
  }
  t.is(unsubscribed, 256);
});
