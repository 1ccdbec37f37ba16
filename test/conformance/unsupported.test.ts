/** A component that needs what this loader does not have is refused with a code of its own, and the feature is named. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { runScript } from "./script-runner.ts";
import { OWN_OPTIONS, OWN_SCRIPTS } from "./scripts.ts";

const FEATURES = [
  "streams (WASI 0.3)",
  "futures (WASI 0.3)",
  "fixed-length lists",
  "maps",
  "error contexts",
  "async functions (WASI 0.3)",
  "async built-ins (WASI 0.3)",
  "the async ABI (WASI 0.3)",
  "threads",
  "a 64-bit memory (memory64)",
  "a shared memory (threads)",
  "resources represented by i64 (memory64)",
  "recursive, struct or array core types (gc)",
  "custom page sizes",
  "values",
];

test("names the feature that a component needs and the loader does not have", async (t) => {
  const results = await runScript(readFileSync(join(OWN_SCRIPTS, "unsupported.wast"), "utf8"), OWN_OPTIONS);
  const outcomes = results.map(({ outcome }) => outcome);
  t.deepEqual(
    outcomes,
    FEATURES.map((feature) => ({ kind: "not supported", feature })),
  );
});
