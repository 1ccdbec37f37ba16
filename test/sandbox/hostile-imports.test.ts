/**
 * What a module may name in its imports without reaching anything of the host but what the interface has. The check of their types refuses all of
 * them at staging; here they come to a worker that takes them for staged.
 */

import test from "ava";
import { componentFile } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

/** A command that imports the sensors' interface with a constructor that it does not have, and keeps what it makes. */
const MANY_SENSORS = `(component
  (import "skerry:device/sensor@0.1.0" (instance $sensors
    (export "sensor" (type $sensor (sub resource)))
    (export "[constructor]sensor" (func (param "name" string) (result (own $sensor))))))
  (core module $Memory (memory (export "memory") 1))
  (core instance $memory (instantiate $Memory))
  (core func $make (canon lower (func $sensors "[constructor]sensor") (memory (core memory $memory "memory"))))
  (core module $Main
    (import "" "make" (func $make (param i32 i32) (result i32)))
    (func (export "run") (result i32) (local $left i32)
      (local.set $left (i32.const 1000))
      (loop $more
        (drop (call $make (i32.const 0) (i32.const 7)))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (i32.const 0)))
  (core instance $main (instantiate $Main (with "" (instance (export "make" (func $make))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.4" (instance $exported)))`;

/** A command that makes itself a descriptor of file 0 of the agent's process. */
const FORGED_DESCRIPTOR = `(component
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $descriptor (sub resource)))
    (type $fields (record (field "root" u32)))
    (export "folder" (type $folder (eq $fields)))
    (export "[static]descriptor.of-root" (func (param "folder" $folder) (result (own $descriptor))))))
  (core func $forge (canon lower (func $files "[static]descriptor.of-root")))
  (core module $Main
    (import "" "forge" (func $forge (param i32) (result i32)))
    (func (export "run") (result i32) (drop (call $forge (i32.const 0))) (i32.const 0)))
  (core instance $main (instantiate $Main (with "" (instance (export "forge" (func $forge))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.4" (instance $exported)))`;

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
    const componentPath = await componentFile(withSensors(declarations));
    const checked = startRecorded({ componentPath });
    t.regex(JSON.stringify(await checked.module.done), /"sandbox\/import-(unknown|type-mismatch)"/);
    const { module } = startRecorded({ componentPath, isValidated: true });
    const end = await module.done;
    t.like(end, { kind: "failed", code: "sandbox/component-refused" });
    t.regex(end.kind === "failed" ? end.message : "", /component\/import-missing: .*skerry:device\/sensor/);
  });
}

test("sensors that a component makes by itself count as open ones", async (t) => {
  const { module } = startRecorded({ componentPath: await componentFile(MANY_SENSORS), isValidated: true });
  t.like(await module.done, { kind: "failed", code: "limit/handles" });
});

test("a component can't make itself a descriptor of one of the process's files", async (t) => {
  const { module } = startRecorded({
    componentPath: await componentFile(FORGED_DESCRIPTOR),
    isValidated: true,
  });
  const end = await module.done;
  t.is(end.kind, "failed");
  t.regex(JSON.stringify(end), /a descriptor is opened in a granted folder/);
});
