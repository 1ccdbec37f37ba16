import test from "ava";
import { DeviceTopics, filterMatches } from "../../agent/topics.ts";

const topics = new DeviceTopics("demo", "pi-01");
const digest = "0123456789abcdef".repeat(4);

test("a device writes below its own folder only", (t) => {
  t.true(topics.mayPublish("skerry/v1/demo/device/pi-01/state"));
  t.true(topics.mayPublish(topics.telemetry("acme/thermo", "motor/speed")));
  for (const topic of [
    "skerry/v1/demo/device/pi-01/",
    "skerry/v1/demo/device/pi-01",
    "skerry/v1/demo/device/pi-011/state",
    "skerry/v1/demo/device/pi-02/state",
    "skerry/v1/demo/image/targets",
    "skerry/v1/other/device/pi-01/state",
    "skerry/v1/demo/device/pi-01/telemetry/#",
    "skerry/v1/demo/device/pi-01/telemetry/+/x",
    "skerry/v1/demo/device/pi-01/te\0lemetry",
    `skerry/v1/demo/device/pi-01/${"x".repeat(1_024)}`,
  ]) {
    t.false(topics.mayPublish(topic), topic);
  }
});

test("a module's slash becomes a dot in its topics", (t) => {
  t.is(
    topics.telemetry("acme/thermo", "temperature"),
    "skerry/v1/demo/device/pi-01/telemetry/acme.thermo/temperature",
  );
  t.is(topics.log("acme/thermo"), "skerry/v1/demo/device/pi-01/log/acme.thermo");
});

test("incoming topics are told apart", (t) => {
  t.deepEqual(topics.parse("skerry/v1/demo/image/timestamp"), {
    kind: "metadata",
    repository: "image",
    file: "timestamp",
  });
  t.deepEqual(topics.parse("skerry/v1/demo/director/12.root"), {
    kind: "metadata",
    repository: "director",
    file: "12.root",
  });
  t.deepEqual(topics.parse(`skerry/v1/demo/blob/${digest}`), { kind: "blob", digest });
  t.deepEqual(topics.parse(topics.command), { kind: "command" });
  t.deepEqual(topics.parse("skerry/v1/demo/device/pi-01/message/acme.thermo/set/point"), {
    kind: "message",
    module: "acme/thermo",
    path: "set/point",
  });
});

test("topics that mean nothing to this device are not taken for others", (t) => {
  for (const topic of [
    "",
    "skerry/v1/demo",
    "skerry/v1/demo/image",
    "skerry/v1/demo/image/",
    "skerry/v1/demo/image/timestamp/x",
    "skerry/v1/demo/image/0.root",
    "skerry/v1/demo/device/pi-01/message/acme.thermo",
    "skerry/v1/demo/device/pi-01/message/acme/x",
    "skerry/v1/demo/device/pi-01/message/../x",
    "skerry/v1/demo/device/pi-01/state",
    "skerry/v1/demo/device/pi-02/message/acme.thermo/x",
    "skerry/v1/demo/image/01.root",
    "skerry/v1/demo/image/../keys",
    "skerry/v1/demo/image/1234567890.root",
    "skerry/v1/other/image/timestamp",
    `skerry/v1/demo/blob/${digest.toUpperCase()}`,
    `skerry/v1/demo/blob/${digest}0`,
    "skerry/v1/demo/device/pi-02/command",
  ]) {
    t.is(topics.parse(topic), undefined, topic);
  }
});

test("MQTT 5 §4.7.1.3: a plus stands for exactly one level", (t) => {
  t.true(filterMatches("a/+", "a/b"));
  t.true(filterMatches("a/b", "a/b"));
  t.false(filterMatches("a/+", "a"));
  t.false(filterMatches("a/+", "a/b/c"));
  t.false(filterMatches("a/b", "a/c"));
});

test("MQTT 5 §4.7.1.2: a number sign stands for any number of levels", (t) => {
  t.true(filterMatches("a/#", "a/b/c"));
  t.true(filterMatches("a/#", "a"));
  t.false(filterMatches("a/#", "b/c"));
});

test("every topic that the device builds passes its own check", (t) => {
  const { status, state, event, reply } = topics;
  for (const topic of [status, state, event, reply]) t.true(topics.mayPublish(topic), topic);
  t.is(topics.metadataFilter("image"), "skerry/v1/demo/image/+");
});
