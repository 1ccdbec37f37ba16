import test from "ava";
import { boundedModules } from "../../agent/state-message.ts";
import { MAX_MODULES, MAX_PAYLOAD_BYTES } from "../../ota/limits.ts";

const failing = (message: string) => ({
  phase: "committed" as const,
  running: "1.0.0",
  staged: null,
  trial: null,
  committed: "1.0.0",
  desired: "1.1.0",
  failed: { version: "1.1.0", code: "trial/trap", message },
});

test("one module's failure keeps its message", (t) => {
  t.deepEqual(boundedModules({ "acme/a": failing("why") }), { "acme/a": failing("why") });
});

test("the state of as many modules as a device takes fits one payload, all failing at length in any script", (t) => {
  const modules = Object.fromEntries(
    Array.from({ length: MAX_MODULES }, (_, index) => [`acme/module-${index}`, failing("値".repeat(5_000))]),
  );
  const shown = boundedModules(modules);
  t.true(Buffer.byteLength(JSON.stringify(shown)) < MAX_PAYLOAD_BYTES);
  t.is(Object.keys(shown).length, MAX_MODULES);
  t.true(
    Object.values(shown).every(({ failed }) => failed?.code === "trial/trap" && failed.version === "1.1.0"),
  );
});
