/** Who validates: the worker, unless the agent says that it has. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { compileComponent, describeComponent } from "../../sandbox/component/index.ts";
import { loadValidatedComponent } from "../../sandbox/component/loader.ts";
import { readComponentFile } from "../../sandbox/strip.ts";
import { temporaryFolder } from "../support/folders.ts";
import { startRecorded } from "../support/run-module.ts";
import { componentFromText } from "../support/wat.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);

/** A command that runs, but for the name of its second export, which the validator refuses. */
const badlyNamed = `(component
  (core module $Run (func (export "run") (result i32) (i32.const 0)))
  (core instance $run (instantiate $Run))
  (func $run (result (result)) (canon lift (core func $run "run")))
  (instance $interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $interface))
  (export "no_kebab" (func $run)))`;

async function endOf(t: ExecutionContext, options: { readonly isValidated?: boolean }) {
  const componentPath = join(await temporaryFolder(t), "component.wasm");
  await writeFile(componentPath, await componentFromText(badlyNamed));
  return startRecorded({ componentPath, ...options }).module.done;
}

test("a component that nobody has validated is validated by the worker", async (t) => {
  t.like(await endOf(t, {}), { kind: "failed", code: "sandbox/component-refused" });
});

test("a component that the agent answers for is run without being validated again", async (t) => {
  t.deepEqual(await endOf(t, { isValidated: true }), { kind: "exited", exitCode: 0 });
});

test("compileComponent validates, whatever was loaded without before", async (t) => {
  const bytes = await componentFromText(badlyNamed);
  loadValidatedComponent(bytes);
  t.throws(() => compileComponent(bytes), { code: "component/invalid" });
});

for (const path of ["thermo-c/thermo-1.0.0.wasm", "modbus-js/modbus-1.0.0.wasm"]) {
  test(`${path}: names and sorts of imports and exports are the same without validation`, async (t) => {
    const bytes = await readComponentFile(new URL(path, EXAMPLES).pathname);
    const namesOf = ({ imports, exports }: ReturnType<typeof describeComponent>) =>
      [...imports, ...exports].map(({ name, sort }) => `${sort} ${name}`);
    t.deepEqual(
      namesOf(loadValidatedComponent(bytes).description),
      namesOf(describeComponent(compileComponent(bytes))),
    );
  });
}
