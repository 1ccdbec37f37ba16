/** What a module does once it runs: a trial that fails gives the place back to 1.0.0, and what is committed stays, whatever it does. */
import test from "ava";
import type { TestRelease } from "../../support/releases.ts";
import { SharedDevice } from "./harness.ts";
import { command, publishVersion, reactor, steady, steadyThen } from "./releases.ts";

const shared = new SharedDevice();
test.after.always(() => shared.close());

/** Until nothing is granted any more, then a trap. */
const GROW_WITHOUT_END =
  "(loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
const SLEEP_A_MINUTE = "(call $sleep (i64.const 60000000000)) (i32.const 0)";

const FAILED_TRIALS: readonly {
  rule: string;
  code: string;
  says: RegExp;
  make: (version: string) => Promise<TestRelease>;
}[] = [
  {
    rule: "a trap",
    code: "trial/trap",
    says: /unreachable/,
    make: (version) => steadyThen(2, version, "unreachable", { window: "10s" }),
  },
  {
    rule: "a trap in a reactor's init",
    code: "trial/trap",
    says: /unreachable/,
    make: (version) => reactor(version, { init: "unreachable" }),
  },
  {
    rule: "a trap in a reactor's on-timer",
    code: "trial/trap",
    says: /unreachable/,
    make: (version) => reactor(version, { onTimer: "unreachable" }, { window: "10s" }),
  },
  {
    rule: "memory that grows without end",
    code: "trial/trap",
    says: /unreachable/,
    make: (version) => command(version, GROW_WITHOUT_END),
  },
  {
    rule: "memory that grows without end in a reactor's init",
    code: "trial/trap",
    says: /unreachable/,
    make: (version) => reactor(version, { init: GROW_WITHOUT_END }),
  },
  {
    rule: "sensors opened without end",
    code: "trial/limit",
    says: /limit\/handles/,
    make: (version) => command(version, "(loop $again (drop (call $open-sensor)) (br $again)) (i32.const 0)"),
  },
  {
    rule: "an init that answers with an error",
    code: "trial/start-failed",
    says: /not well/,
    make: (version) => reactor(version, { init: "(i32.const 16)" }),
  },
  {
    rule: "a command that ends at once, though without an error",
    code: "trial/exited",
    says: /code 0/,
    make: (version) => command(version, "(i32.const 0)"),
  },
  {
    rule: "a command that calls exit",
    code: "trial/exited",
    says: /code 1/,
    make: (version) => command(version, "(call $exit (i32.const 1)) (i32.const 0)"),
  },
  {
    rule: "no telemetry within the window",
    code: "trial/unhealthy",
    says: /no telemetry/,
    make: (version) => command(version, SLEEP_A_MINUTE, { require: ["alive", "telemetry"] }),
  },
  {
    rule: "a health that says what is wrong",
    code: "trial/unhealthy",
    says: /not well/,
    make: (version) => reactor(version, { health: "(i32.const 16)" }, { require: ["alive", "health"] }),
  },
];

for (const [index, { rule, code, says, make }] of FAILED_TRIALS.entries()) {
  test.serial(`${code}: ${rule}; rolled back to 1.0.0`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const version = `1.${index + 1}.0`;
    await device.offer(await make(version));
    const event = await device.event("rolled-back", version);
    t.like(event, { code, to: "1.0.0" });
    t.regex(event.message ?? "", says);
    await device.expectServing(t, "1.0.0");
    t.like(await device.untilState("the failure", ({ failed }) => failed !== null), {
      phase: "committed",
      failed: { version, code },
    });
  });
}

test.serial(
  "what failed its trial is not tried again before the director asks for another version",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const from = device.events.count;
    // New metadata with the same assignment, as a refresh writes it; the other module's install comes after its evaluation.
    await device.install(await steady("1.0.0", { module: "acme/other" }));
    await device.expectServing(t, "1.0.0", "acme/other");
    await device.expectServing(t, "1.0.0");
    t.false(device.events.all.slice(from).some(({ module }) => module === "acme/thermo"));
  },
);

test.serial("a reactor is installed over a command", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const onTimer = `${publishVersion("2.0.0")} (i32.const 0)`;
  await device.install(await reactor("2.0.0", { onTimer }, { require: ["alive", "telemetry", "health"] }));
  await device.expectServing(t, "2.0.0");
});

test.serial("a trap after the commit: started again, later each time, and still committed", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const from = device.events.count;
  await device.install(await steadyThen(8, "3.0.0", "unreachable"));
  const [first, second] = await device.events.untilSeveral(
    2,
    "stops by a trap",
    ({ event, version, code }) => event === "stopped" && version === "3.0.0" && code === "trap/wasm",
    from,
  );
  t.regex(first?.message ?? "", /starts again in 1s/);
  t.regex(second?.message ?? "", /starts again in 2s/);
  await device.expectServing(t, "3.0.0");
  t.false(device.events.all.slice(from).some(({ event }) => event === "rolled-back"));
  t.like(await device.untilState("the phase", ({ phase }) => phase === "committed"), { failed: null });
});

test.serial("the next version takes the place of one that traps again and again", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  await device.install(await steady("3.1.0"));
  await device.expectServing(t, "3.1.0");
});
