/** Modules that hang, several at a time on one device: each is ended by its deadline, and the others never notice. */
import test from "ava";
import { SharedDevice, startGuardedBroker } from "./harness.ts";
import { command, publishVersion, reactor, steady } from "./releases.ts";

/** Those of calls are as on every device; a start's sixty seconds would only make the test wait. */
const shared = new SharedDevice(() => startGuardedBroker(), { startDeadlineMs: 10_000 });
test.after.always(() => shared.close());

const FOREVER = "(loop $again (br $again))";
/** Longer than the deadline of a call, so that it is the deadline that ends the trial. */
const WINDOW = { window: "60s" };

const HANGING = [
  {
    rule: "an infinite loop in run",
    module: "acme/hangs-in-run",
    make: (module: string) => command("1.1.0", `${FOREVER} (i32.const 0)`, { module, ...WINDOW }),
  },
  {
    rule: "memory that is asked for without end",
    module: "acme/grows",
    make: (module: string) =>
      command("1.1.0", "(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i32.const 0)", {
        module,
        ...WINDOW,
      }),
  },
  {
    rule: "an infinite loop in a reactor's init",
    module: "acme/hangs-in-init",
    make: (module: string) => reactor("1.1.0", { init: `${FOREVER} (i32.const 0)` }, { module, ...WINDOW }),
  },
  {
    rule: "an infinite loop in a reactor's on-timer",
    module: "acme/hangs-in-timer",
    make: (module: string) =>
      reactor("1.1.0", { onTimer: `${FOREVER} (i32.const 0)` }, { module, ...WINDOW }),
  },
  {
    rule: "an infinite loop in a reactor's health",
    module: "acme/hangs-in-health",
    make: (module: string) => reactor("1.1.0", { health: `${FOREVER} (i32.const 0)` }, { module, ...WINDOW }),
  },
] as const;

for (const { rule, module, make } of HANGING) {
  test(`trial/limit: ${rule}; rolled back, and the other modules run on`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    await device.install(await steady("1.0.0", { module }));
    await device.offer(await make(module));
    await device.event("trial", "1.1.0", { module });
    await device.expectServing(t, "1.0.0", "acme/thermo");
    const event = await device.event("rolled-back", "1.1.0", { module });
    t.like(event, { code: "trial/limit", to: "1.0.0" });
    t.regex(event.message ?? "", /limit\/deadline/);
    await device.expectServing(t, "1.0.0", module);
    await device.expectServing(t, "1.0.0", "acme/thermo");
  });
}

test("limit/deadline: an infinite loop after the commit; started again, and still committed", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  const module = "acme/hangs-later";
  const onTimer = `(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.gt_u (global.get $calls) (i32.const 20)) (then ${FOREVER}))
    ${publishVersion("1.0.0")} (i32.const 0)`;
  const further = "(global $calls (mut i32) (i32.const 0))";
  await device.install(await reactor("1.0.0", { onTimer, further }, { module }));
  const stopped = await device.event("stopped", "1.0.0", { module });
  t.like(stopped, { code: "limit/deadline" });
  await device.expectServing(t, "1.0.0", module);
  t.false(device.events.all.some((each) => each.event === "rolled-back" && each.module === module));
  await device.expectServing(t, "1.0.0", "acme/thermo");
});
