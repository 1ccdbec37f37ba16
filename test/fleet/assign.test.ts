/** Assigning releases: what the director's metadata says afterwards, and who runs what by it. */

import test from "ava";
import fc from "fast-check";
import {
  type Audience,
  assignmentsOf,
  assignRelease,
  decideAssignments,
  type ModuleAssignments,
  parseReleaseName,
  unpinDevice,
} from "../../fleet/assign.ts";
import { FleetError } from "../../fleet/errors.ts";
import { loadMetadata } from "../../fleet/metadata-store.ts";
import type { Repository } from "../../fleet/repository.ts";
import { type Assignment, includesDevice } from "../../ota/assignment.ts";
import { selectFrom } from "../support/selecting.ts";
import { newRepository, publish } from "./fixture.ts";

const MODULE = "acme/thermo";
const SALT = "00112233445566778899aabbccddeeff";

function group(percent: number, name = "default"): Audience {
  return { kind: "group", group: name, percent };
}

function pin(device: string): Audience {
  return { kind: "device", device };
}

async function assignments(repository: Repository): Promise<ModuleAssignments> {
  return assignmentsOf((await loadMetadata(repository, "director")).targets.metadata, MODULE);
}

/** The version that a device of group "default" selects. */
async function selected(
  repository: Repository,
  id: string,
  groups = ["default"],
): Promise<string | undefined> {
  const image = (await loadMetadata(repository, "image")).targets.metadata;
  const director = (await loadMetadata(repository, "director")).targets.metadata;
  const selection = selectFrom(image, director, { id, groups }).get(MODULE);
  if (selection?.kind === "refused") throw selection.error;
  return selection?.release.version;
}

test("an assigned release is what a device of the group selects; one of another group selects nothing", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await assignRelease(repository, { module: MODULE, version: "1.0.0", audience: group(100) });
  t.is(await selected(repository, "pi-01"), "1.0.0");
  t.is(await selected(repository, "pi-01", ["lab"]), undefined);
});

test("the newest decision holds, also when it goes back to an older version", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await publish(repository, { version: "1.1.0" });
  for (const version of ["1.0.0", "1.1.0", "1.0.0"]) {
    await assignRelease(repository, { module: MODULE, version, audience: group(100) });
    t.is(await selected(repository, "pi-01"), version);
    t.deepEqual([...(await assignments(repository)).keys()], [version]);
  }
});

test("a pin goes before the group, until it is dropped", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await publish(repository, { version: "1.1.0" });
  await assignRelease(repository, { module: MODULE, version: "1.0.0", audience: pin("pi-01") });
  await assignRelease(repository, { module: MODULE, version: "1.1.0", audience: group(100) });
  t.is(await selected(repository, "pi-01"), "1.0.0");
  t.is(await selected(repository, "pi-02"), "1.1.0");
  await unpinDevice(repository, { module: MODULE, device: "pi-01" });
  t.is(await selected(repository, "pi-01"), "1.1.0");
  t.false((await assignments(repository)).has("1.0.0"));
  await t.throwsAsync(unpinDevice(repository, { module: MODULE, device: "pi-01" }), {
    code: "fleet/unknown-release",
  });
});

test("another module's assignments stay", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await publish(repository, { module: "acme/other" });
  await assignRelease(repository, { module: "acme/other", version: "1.0.0", audience: group(100) });
  await assignRelease(repository, { module: MODULE, version: "1.0.0", audience: group(100) });
  const director = (await loadMetadata(repository, "director")).targets.metadata;
  t.deepEqual(
    [...director.targets.keys()],
    ["acme/other/1.0.0/component.wasm", "acme/thermo/1.0.0/component.wasm"],
  );
});

test("what was not published is not assigned, and the message says what was", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const assign = (module: string, version: string): Promise<unknown> =>
    assignRelease(repository, { module, version, audience: group(100) });
  const version = await t.throwsAsync(assign(MODULE, "1.0.1"), {
    instanceOf: FleetError,
    code: "fleet/unknown-release",
  });
  t.regex(version?.message ?? "", /published are 1\.0\.0/);
  await t.throwsAsync(assign("acme/other", "1.0.0"), {
    instanceOf: FleetError,
    code: "fleet/unknown-release",
  });
});

test("names and percentages that are none are refused", async (t) => {
  const repository = await newRepository(t);
  for (const audience of [
    group(101),
    group(-1),
    group(2.5),
    group(100, "a/b"),
    group(100, "+"),
    pin("Pi 01"),
    pin(""),
  ]) {
    const assign = assignRelease(repository, { module: MODULE, version: "1.0.0", audience });
    await t.throwsAsync(assign, { instanceOf: FleetError, code: "fleet/usage" }, JSON.stringify(audience));
  }
  for (const text of [
    "",
    "acme/thermo",
    "acme@1.0.0",
    "acme/thermo@",
    "acme/thermo@1.0",
    "../x@1.0.0",
    "acme/thermo@1.0.0@2.0.0",
  ]) {
    t.throws(() => parseReleaseName(text), { instanceOf: FleetError, code: "fleet/usage" }, text);
  }
  t.deepEqual(parseReleaseName("acme/thermo@1.0.0-rc.1"), { module: "acme/thermo", version: "1.0.0-rc.1" });
});

test("changing a rollout's percent keeps its salt and raises its order; another version gets a new salt", (t) => {
  const first = decideAssignments(new Map(), "1.1.0", group(5), SALT);
  t.deepEqual(first.assignment, { kind: "group", order: 1, group: "default", percent: 5, salt: SALT });
  const raised = decideAssignments(first.after, "1.1.0", group(25), "ff".repeat(16));
  t.deepEqual(raised.assignment, { kind: "group", order: 2, group: "default", percent: 25, salt: SALT });
  t.deepEqual([...raised.after], [["1.1.0", [raised.assignment]]]);
  const next = decideAssignments(raised.after, "1.2.0", group(5), "ff".repeat(16));
  t.like(next.assignment, { order: 3, salt: "ff".repeat(16) });
});

test("a rollout below 100 percent leaves the others their version; at 100 percent nothing else remains of the group", (t) => {
  const everybody = decideAssignments(new Map(), "1.0.0", group(100), SALT);
  const elsewhere = decideAssignments(everybody.after, "1.0.0", group(100, "lab"), SALT);
  const canary = decideAssignments(elsewhere.after, "1.1.0", group(25), SALT);
  t.deepEqual([...canary.after.keys()], ["1.0.0", "1.1.0"]);
  t.is(canary.after.get("1.0.0")?.length, 2);
  const done = decideAssignments(canary.after, "1.1.0", group(100), SALT);
  t.deepEqual(
    [...done.after],
    [
      ["1.0.0", [elsewhere.assignment]],
      ["1.1.0", [done.assignment]],
    ],
  );
});

test("any sequence of decisions: orders are unique, the newest is in force, and nothing unreachable is kept", (t) => {
  const version = fc.constantFrom("1.0.0", "1.1.0", "2.0.0");
  const audience = fc.oneof(
    fc.record({
      kind: fc.constant("group" as const),
      group: fc.constantFrom("default", "lab"),
      percent: fc.integer({ min: 0, max: 100 }),
    }),
    fc.record({ kind: fc.constant("device" as const), device: fc.constantFrom("pi-01", "pi-02") }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(version, audience), { minLength: 1, maxLength: 12 }), (decisions) => {
      let current: ModuleAssignments = new Map();
      let last: Assignment | undefined;
      for (const [each, whom] of decisions) {
        const { after, assignment } = decideAssignments(current, each, whom, SALT);
        current = after;
        last = assignment;
      }
      const all = [...current.values()].flat();
      t.is(new Set(all.map((each) => each.order)).size, all.length);
      t.is(last?.order, Math.max(...all.map((each) => each.order)));
      const pins = all.filter((each) => each.kind === "pin").map((each) => each.device);
      t.is(new Set(pins).size, pins.length);
      for (const [, assignmentsOfVersion] of current) t.true(assignmentsOfVersion.length > 0);
      const full = all.filter((each) => each.kind === "group" && each.percent === 100);
      for (const whole of full) {
        const older = all.filter(
          (each) =>
            each.kind === "group" &&
            whole.kind === "group" &&
            each.group === whole.group &&
            each.order < whole.order,
        );
        t.deepEqual(older, []);
      }
    }),
  );
});

test("raising a percentage only adds devices", (t) => {
  const devices = Array.from({ length: 200 }, (_, index) => ({ id: `pi-${index}`, groups: ["default"] }));
  const small = decideAssignments(new Map(), "1.1.0", group(10), SALT);
  const large = decideAssignments(small.after, "1.1.0", group(40), "ff".repeat(16));
  const included = (assignment: Assignment): string[] =>
    devices.filter((device) => includesDevice(assignment, device)).map((device) => device.id);
  const before = included(small.assignment);
  const after = included(large.assignment);
  t.true(before.length > 0 && after.length > before.length);
  t.deepEqual(
    before.filter((id) => !after.includes(id)),
    [],
  );
});

test("going back to an older release is told: devices that have committed the newer one refuse it", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  await publish(repository, { version: "1.1.0" });
  const assign = async (version: string) =>
    (await assignRelease(repository, { module: MODULE, version, audience: group(100) })).olderThan;
  t.is(await assign("1.0.0"), undefined);
  t.is(await assign("1.1.0"), undefined);
  t.is(await assign("1.1.0"), undefined);
  t.is(await assign("1.0.0"), "1.1.0");
});

test("a group that was never assigned anything is told, with those that were", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const assign = async (audience: Audience) =>
    (await assignRelease(repository, { module: MODULE, version: "1.0.0", audience })).groupsUntilNow;
  t.deepEqual(await assign(group(100)), [], "the first of all");
  t.deepEqual(await assign(group(50)), []);
  t.deepEqual(await assign(group(10, "defualt")), ["default"]);
  t.deepEqual(await assign(group(20, "defualt")), []);
  t.deepEqual(await assign(pin("pi-01")), []);
  t.deepEqual(await assign(group(10, "lab")), ["default", "defualt"]);
});
