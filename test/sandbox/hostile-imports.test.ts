/** What a module may name in its imports without reaching anything of the host but what the interface has. */

import test from "ava";
import { componentFile } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

/** A component whose one import is the sensors' interface, with `declarations` in it. */
function withSensors(declarations: string): string {
  return `(component
    (import "skerry:device/sensor@0.1.0" (instance $sensors
      (export "sensor" (type $sensor (sub resource)))
      ${declarations}))
    (core module $main (func (export "run") (result i32) (i32.const 0)))
    (core instance $main (instantiate $main))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $exported (export "run" (func $run)))
    (export "wasi:cli/run@0.2.4" (instance $exported)))`;
}

const DECLARATIONS: Readonly<Record<string, string>> = {
  "the source of a class": `(export "[static]sensor.to-string" (func (result string)))`,
  "JavaScript's Function, through a class": `(export "[static]sensor.constructor" (func (param "code" string)))`,
  "JavaScript's Function, through a function": `(export "open" (instance
      (export "constructor" (func (param "code" string)))))`,
  "a class, through its objects": `(export "[method]sensor.constructor" (func (param "self" (borrow $sensor))))`,
  "another receiver for a function": `(export "open" (instance (export "call" (func (param "self" u32)))))`,
  "a function bound to other arguments": `(export "[static]sensor.bind" (func (param "self" u32)))`,
  "what every object has": `(export "to-string" (func (result string)))`,
  "what every object's class has": `(export "constructor" (func (param "value" u32)))`,
  "what every object has, through its class": `(export "[method]sensor.to-string"
      (func (param "self" (borrow $sensor)) (result string)))`,
};

for (const [what, declarations] of Object.entries(DECLARATIONS)) {
  test(`an import can't name ${what}`, async (t) => {
    const { module } = startRecorded({ componentPath: await componentFile(withSensors(declarations)) });
    const end = await module.done;
    t.like(end, { kind: "failed", code: "sandbox/component-refused" });
    t.regex(end.kind === "failed" ? end.message : "", /component\/import-missing: .*skerry:device\/sensor/);
  });
}
