import { createHash } from "node:crypto";

import test, { type ExecutionContext } from "ava";
import fc from "fast-check";

import { type Assignment, assignmentJson, includesDevice, rolloutPosition } from "../../ota/assignment.ts";
import type { OtaErrorCode } from "../../ota/errors.ts";
import type { JsonObject, JsonValue } from "../../ota/json.ts";
import { MAX_MODULES } from "../../ota/limits.ts";
import type { TargetInfo, Targets } from "../../ota/metadata.ts";
import type { Selection } from "../../ota/selection.ts";
import { targetInfo } from "../../ota/sign-metadata.ts";
import { selectFrom } from "../support/selecting.ts";
import { testTarget } from "../support/signed-repository.ts";

const SALT = "00112233445566778899aabbccddeeff";
const DEVICE = { id: "pi-01", groups: ["default", "lab"] };

function targetsOf(...targets: readonly TargetInfo[]): Targets {
  return {
    type: "targets",
    specVersion: "1.0.31",
    version: 1,
    expires: "2031-01-01T00:00:00Z",
    expiresMs: Date.parse("2031-01-01T00:00:00Z"),
    targets: new Map(targets.map((target) => [target.path, target])),
    delegations: undefined,
  };
}

/** The three image targets of a release. */
function published(release: string, counter = 1): readonly TargetInfo[] {
  return [
    testTarget(`${release}/component.wasm`, { skerry: { release: counter } }),
    testTarget(`${release}/component.chunks`),
    testTarget(`${release}/module.toml`),
  ];
}

function assigned(release: string, ...assignments: readonly Assignment[]): TargetInfo {
  return testTarget(`${release}/component.wasm`, {
    skerry: { assignments: assignments.map(assignmentJson) },
  });
}

function pin(order: number, device = DEVICE.id): Assignment {
  return { kind: "pin", order, device };
}

function share(order: number, percent = 100, group = "default"): Assignment {
  return { kind: "group", order, group, percent, salt: SALT };
}

/** What is selected: "module version", or the code of the refusal. */
function outcome(selection: Selection | undefined): string | undefined {
  if (selection?.kind === "refused") return selection.error.code;
  return selection && `${selection.release.module} ${selection.release.version}`;
}

const ONE = "acme/thermo/1.0.0";
const TWO = "acme/thermo/2.0.0";
const IMAGE = targetsOf(...published(ONE, 7), ...published(TWO, 8), ...published("acme/other/1.0.0"));

function select(...director: readonly TargetInfo[]): string | undefined {
  return outcome(selectFrom(IMAGE, targetsOf(...director), DEVICE).get("acme/thermo"));
}

test("an assigned release comes with its three files, their digests and the image repository's counter", (t) => {
  const selection = selectFrom(IMAGE, targetsOf(assigned(ONE, share(1))), DEVICE).get("acme/thermo");
  t.like(selection, {
    kind: "selected",
    release: {
      module: "acme/thermo",
      version: "1.0.0",
      release: 7,
      component: { path: `${ONE}/component.wasm`, sha256: testTarget(`${ONE}/component.wasm`).sha256 },
      chunks: { path: `${ONE}/component.chunks` },
      manifest: { path: `${ONE}/module.toml` },
    },
  });
});

test("what is assigned to nobody, another device or another group is not mentioned", (t) => {
  const director = targetsOf(
    assigned(ONE),
    assigned(TWO, pin(9, "pi-02"), share(8, 100, "kitchen"), share(7, 0)),
  );
  t.is(selectFrom(IMAGE, director, DEVICE).size, 0);
});

test("of several assignments the highest order holds, and a pin goes before any group", (t) => {
  t.is(select(assigned(ONE, share(1)), assigned(TWO, share(2))), "acme/thermo 2.0.0");
  t.is(select(assigned(ONE, share(3)), assigned(TWO, share(2, 100, "lab"))), "acme/thermo 1.0.0");
  t.is(select(assigned(ONE, pin(1)), assigned(TWO, share(9))), "acme/thermo 1.0.0");
  t.is(select(assigned(ONE, pin(1)), assigned(TWO, pin(2))), "acme/thermo 2.0.0");
});

test("a group assignment that does not include the device leaves it to the next one", (t) => {
  t.is(select(assigned(ONE, share(1)), assigned(TWO, share(2, 0))), "acme/thermo 1.0.0");
});

test("two releases with the same order are refused rather than guessed at, one release twice is not", (t) => {
  t.is(select(assigned(ONE, share(1)), assigned(TWO, share(1, 100, "lab"))), "trust/bad-assignment");
  t.is(select(assigned(ONE, share(1), share(1, 100, "lab"))), "acme/thermo 1.0.0");
});

test("not vouched: the image repository does not list the component, its chunk list or its manifest", (t) => {
  t.is(select(assigned("acme/thermo/3.0.0", share(1))), "trust/not-vouched");
  for (const missing of published(ONE)) {
    const image = targetsOf(...published(ONE).filter(({ path }) => path !== missing.path));
    const selections = selectFrom(image, targetsOf(assigned(ONE, share(1))), DEVICE);
    t.is(outcome(selections.get("acme/thermo")), "trust/not-vouched", missing.path);
  }
});

test("not vouched: the image repository lists the component with another length, SHA-256 or SHA-512", (t) => {
  const good = assigned(ONE, share(1));
  const other = "0".repeat(64);
  const sha512 = (digit: string): TargetInfo["hashes"] =>
    new Map([...good.hashes, ["sha512", digit.repeat(128)]]);
  const [component, ...siblings] = published(ONE);
  if (component === undefined) return t.fail();
  const judge = (image: TargetInfo, director: TargetInfo) =>
    outcome(selectFrom(targetsOf(image, ...siblings), targetsOf(director), DEVICE).get("acme/thermo"));
  t.is(judge(component, good), "acme/thermo 1.0.0");
  t.is(judge(component, { ...good, length: good.length + 1 }), "trust/not-vouched");
  t.is(
    judge(component, { ...good, sha256: other, hashes: new Map([["sha256", other]]) }),
    "trust/not-vouched",
  );
  t.is(judge({ ...component, hashes: sha512("a") }, { ...good, hashes: sha512("b") }), "trust/not-vouched");
  t.is(judge({ ...component, hashes: sha512("a") }, { ...good, hashes: sha512("a") }), "acme/thermo 1.0.0");
  t.is(judge({ ...component, hashes: sha512("a") }, good), "acme/thermo 1.0.0");
});

test("a refusal names module and version and leaves the other modules alone", (t) => {
  const director = targetsOf(assigned("acme/thermo/3.0.0", share(1)), assigned("acme/other/1.0.0", share(1)));
  const selections = selectFrom(IMAGE, director, DEVICE);
  const refused = selections.get("acme/thermo");
  t.is(outcome(selections.get("acme/other")), "acme/other 1.0.0");
  if (refused?.kind !== "refused") return t.fail();
  t.regex(refused.error.message, /acme\/thermo 3\.0\.0: .*publish it first/);
  t.like(refused.error.details, { module: "acme/thermo", version: "3.0.0" });
});

test("endless data attack: a file listed beyond its bound is refused before it is fetched", (t) => {
  for (const [file, length] of [
    ["component.wasm", 64 * 1024 * 1024 + 1],
    ["component.chunks", 65_537],
    ["module.toml", 65_537],
  ] as const) {
    const large = (target: TargetInfo) => (target.path.endsWith(file) ? { ...target, length } : target);
    const image = targetsOf(...published(ONE).map(large));
    const selections = selectFrom(image, targetsOf(large(assigned(ONE, share(1)))), DEVICE);
    t.is(outcome(selections.get("acme/thermo")), "trust/endless-data-attack", file);
  }
});

test("an image target without a release counter is refused", (t) => {
  for (const custom of [
    undefined,
    {},
    { skerry: 1 },
    { skerry: { release: 0 } },
    { skerry: { release: "1" } },
  ]) {
    const [, ...siblings] = published(ONE);
    const image = targetsOf(testTarget(`${ONE}/component.wasm`, custom), ...siblings);
    const selections = selectFrom(image, targetsOf(assigned(ONE, share(1))), DEVICE);
    t.is(outcome(selections.get("acme/thermo")), "trust/malformed");
  }
});

test("a component path with a bad version is refused by its module's name, any other path is nobody's", (t) => {
  t.is(select(assigned("acme/thermo/latest", share(1))), "trust/bad-assignment");
  t.is(select(assigned("acme/thermo/1.0.0/..", share(1))), "trust/bad-assignment");
  for (const release of [
    "../thermo/1.0.0",
    "acme/Thermo/1.0.0",
    "thermo/1.0.0",
    "/acme/thermo/1.0.0",
    "acme//1.0.0",
  ]) {
    t.is(selectFrom(IMAGE, targetsOf(assigned(release, share(1))), DEVICE).size, 0, release);
  }
  const manifest = targetInfo(
    `${ONE}/module.toml`,
    { length: 1, sha256: "0".repeat(64) },
    { skerry: { assignments: [] } },
  );
  t.is(selectFrom(IMAGE, targetsOf(manifest), DEVICE).size, 0);
});

const BAD_ASSIGNMENTS: readonly (readonly [string, JsonValue])[] = [
  ["no order", { device: "pi-01" }],
  ["a negative order", { order: -1, device: "pi-01" }],
  ["neither device nor group", { order: 1 }],
  ["device and group", { order: 1, device: "pi-01", group: "default", percent: 1, salt: SALT }],
  ["a device id with a wildcard", { order: 1, device: "+" }],
  ["a group's name in capitals", { order: 1, group: "Default", percent: 1, salt: SALT }],
  ["101 percent", { order: 1, group: "default", percent: 101, salt: SALT }],
  ["-1 percent", { order: 1, group: "default", percent: -1, salt: SALT }],
  ["no percent", { order: 1, group: "default", salt: SALT }],
  ["no salt", { order: 1, group: "default", percent: 1 }],
  ["a short salt", { order: 1, group: "default", percent: 1, salt: "00" }],
  ["a list", []],
  ["text", "pi-01"],
];

for (const [name, assignment] of BAD_ASSIGNMENTS) {
  test(`bad assignment: ${name}`, (t) => {
    const target = testTarget(`${ONE}/component.wasm`, { skerry: { assignments: [assignment] } });
    t.is(select(target), "trust/bad-assignment");
  });
}

test("bad assignment: no list, or one that is too long", (t) => {
  const lists: readonly (JsonObject | undefined)[] = [
    undefined,
    {},
    { skerry: {} },
    { skerry: { assignments: {} } },
    { skerry: { assignments: Array.from({ length: 513 }, (_, order) => ({ order, device: "pi-02" })) } },
  ];
  for (const custom of lists)
    t.is(select(testTarget(`${ONE}/component.wasm`, custom)), "trust/bad-assignment");
});

test("a device takes so many modules and refuses the rest", (t) => {
  const names = Array.from(
    { length: MAX_MODULES + 2 },
    (_, index) => `acme/m${String(index).padStart(3, "0")}/1.0.0`,
  );
  const image = targetsOf(...names.flatMap((name) => published(name)));
  const director = targetsOf(...names.toReversed().map((name) => assigned(name, share(1))));
  const outcomes = [...selectFrom(image, director, DEVICE).values()].map(outcome);
  const refused: OtaErrorCode = "trust/bad-assignment";
  t.deepEqual(outcomes.slice(MAX_MODULES), [refused, refused]);
  t.is(outcomes.indexOf(refused), MAX_MODULES);
});

test("a rollout position is the first 48 bits of SHA-256(salt ‖ id), worked by hand for one device", (t) => {
  const digest = createHash("sha256")
    .update(Buffer.concat([Buffer.from(SALT, "hex"), Buffer.from("pi-01")]))
    .digest("hex");
  t.is(rolloutPosition(SALT, "pi-01"), Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48);
});

const deviceIds = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
const salts = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));

function holds(t: ExecutionContext, property: fc.IRawProperty<unknown>): void {
  t.notThrows(() => fc.assert(property));
}

test("property: raising the percent only adds devices; 0 has none and 100 all", (t) => {
  const percent = fc.integer({ min: 0, max: 100 });
  holds(
    t,
    fc.property(deviceIds, salts, percent, percent, (id, salt, one, other) => {
      const device = { id, groups: ["default"] };
      const isIn = (share: number) =>
        includesDevice({ kind: "group", order: 1, group: "default", percent: share, salt }, device);
      const [low, high] = one < other ? [one, other] : [other, one];
      return (!isIn(low) || isIn(high)) && !isIn(0) && isIn(100);
    }),
  );
});

test("a rollout of 25 percent reaches a quarter of a large fleet, and another salt another quarter", (t) => {
  const share = (salt: string) =>
    Array.from({ length: 4_000 }, (_, index) => `pi-${index}`).filter(
      (id) => rolloutPosition(salt, id) < 0.25,
    );
  const first = share(SALT);
  const second = share("ff".repeat(16));
  const both = first.filter((id) => second.includes(id));
  // The ids are fixed, so these counts are too; the bounds are five standard deviations of a fair draw.
  t.true(Math.abs(first.length - 1_000) < 140, `${first.length}`);
  t.true(Math.abs(both.length - 250) < 80, `${both.length}`);
});

test("property: a pin wins over any group assignment, and of two pins the higher order", (t) => {
  const order = fc.nat(1_000);
  holds(
    t,
    fc.property(order, order, order, (pinned, other, group) => {
      fc.pre(pinned !== other);
      const expected = pinned > other ? "acme/thermo 1.0.0" : "acme/thermo 2.0.0";
      return (
        select(assigned(ONE, pin(pinned)), assigned(TWO, pin(other), share(group))) === expected &&
        select(assigned(ONE, pin(pinned)), assigned(TWO, share(group))) === "acme/thermo 1.0.0"
      );
    }),
  );
});

test("property: the order of the director's entries does not matter", (t) => {
  const assignments = fc.array(
    fc.oneof(
      fc.nat(5).map((order) => pin(order)),
      fc.tuple(fc.nat(5), fc.integer({ min: 0, max: 100 })).map(([order, percent]) => share(order, percent)),
    ),
    { maxLength: 4 },
  );
  holds(
    t,
    fc.property(assignments, assignments, (one, two) => {
      const entries = [assigned(ONE, ...one), assigned(TWO, ...two)];
      return select(...entries) === select(...entries.toReversed());
    }),
  );
});

test("Uptane, release counter: nothing older than the committed release is selected, the same and newer is", (t) => {
  const judge = (release: number) => {
    const committed = new Map([["acme/thermo", { version: "1.5.0", release }]]);
    return selectFrom(IMAGE, targetsOf(assigned(ONE, share(1))), DEVICE, committed).get("acme/thermo");
  };
  t.is(outcome(judge(6)), "acme/thermo 1.0.0");
  t.is(outcome(judge(7)), "acme/thermo 1.0.0");
  const refused = judge(8);
  if (refused?.kind !== "refused") return t.fail();
  t.is(refused.error.code, "trust/rollback-attack");
  t.like(refused.error.details, { module: "acme/thermo", version: "1.0.0" });
  t.regex(refused.error.message, /release 7 .* release 8 \(1\.5\.0\).* publish it again under a new version/);
});

test("Uptane, hardware: a release that names some is selected on it only, one that names none on any", (t) => {
  const [component, ...siblings] = published(ONE);
  if (component === undefined) return t.fail();
  const custom = { skerry: { release: 7, hardware: ["rpi-4", "rpi-5"] } };
  const image = targetsOf({ ...component, custom }, ...siblings);
  const director = targetsOf(assigned(ONE, share(1)));
  const on = (hardware: string | undefined) =>
    outcome(selectFrom(image, director, { ...DEVICE, hardware }).get("acme/thermo"));
  t.is(on("rpi-5"), "acme/thermo 1.0.0");
  t.is(on("rpi-3"), "trust/wrong-hardware");
  t.is(on(undefined), "trust/wrong-hardware");
  t.is(
    outcome(selectFrom(IMAGE, director, { ...DEVICE, hardware: "toaster" }).get("acme/thermo")),
    "acme/thermo 1.0.0",
  );
});

for (const [what, skerry] of [
  ["release counter", { release: 9 }],
  ["hardware", { release: 7, hardware: ["rpi-4"] }],
] as const) {
  test(`not vouched: the director states another ${what} than the image repository`, (t) => {
    const good = assigned(ONE, share(1));
    const assignments = good.custom?.["skerry"];
    const custom = { skerry: { ...(assignments as object), ...skerry } };
    t.is(select({ ...good, custom }), "trust/not-vouched");
    t.is(
      select({ ...good, custom: { skerry: { ...(assignments as object), release: 7 } } }),
      "acme/thermo 1.0.0",
    );
  });
}
