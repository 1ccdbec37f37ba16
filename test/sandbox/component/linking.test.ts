/** Imports, exports, nested components and limits (Explainer.md "Component Definitions"; jco's naming). */

import { readFile } from "node:fs/promises";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import test from "ava";
import {
  checkCoreModules,
  compileComponent,
  describeComponent,
  instantiateComponent,
} from "../../../sandbox/component/index.ts";
import { componentFromText } from "../../support/wat.ts";
import { exported, instantiateText } from "./guests.ts";

const importsClock = `(component
  (import "acme:time/clock@0.2.1" (instance $clock (export "now-ms" (func (result u32)))))
  (core func $now (canon lower (func $clock "now-ms")))
  (core module $M (import "" "now" (func $now (result i32))) (func (export "run") (result i32) (call $now)))
  (core instance $m (instantiate $M (with "" (instance (export "now" (func $now))))))
  (func (export "run") (result u32) (canon lift (core func $m "run"))))`;

test("an interface is found by its exact name, by the lookup, and without its version", async (t) => {
  const component = compileComponent(await componentFromText(importsClock));
  const clock = (now: number) => ({ nowMs: () => now });
  const asked: string[] = [];
  const resolveImport = (name: string) => {
    asked.push(name);
    return clock(2);
  };
  const exact = instantiateComponent(component, { "acme:time/clock@0.2.1": clock(1) }, { resolveImport });
  t.is(exported(exact, "run")(), 1);
  t.deepEqual(asked, []);
  t.is(exported(instantiateComponent(component, {}, { resolveImport }), "run")(), 2);
  t.deepEqual(asked, ["acme:time/clock@0.2.1"]);
  t.is(exported(instantiateComponent(component, { "acme:time/clock": clock(3) }), "run")(), 3);
});

test("an import that nobody supplies is named, before any code runs", async (t) => {
  const text = importsClock.replace(
    "(component",
    "(component (core module $S (func $start unreachable) (start $start)) (core instance (instantiate $S))",
  );
  const code = "component/import-missing";
  await t.throwsAsync(instantiateText(text), { code, message: /acme:time\/clock@0\.2\.1/ });
  await t.throwsAsync(instantiateText(text, { "acme:time/clock": {} }), { code, message: /now-ms/ });
  await t.throwsAsync(instantiateText(text, { "acme:time/clock": { nowMs: 5 } }), { code });
});

test("a name of Object.prototype supplies nothing", async (t) => {
  const text = `(component (import "to-string" (func)) (import "constructor" (func)))`;
  await t.throwsAsync(instantiateText(text), { code: "component/import-missing" });
});

test("a resource class that lacks an imported method is a missing import", async (t) => {
  const text = `(component (import "acme:store/files" (instance
    (export "file" (type $file (sub resource)))
    (export "[method]file.read" (func (param "self" (borrow $file)))))))`;
  const code = "component/import-missing";
  await t.throwsAsync(instantiateText(text, { "acme:store/files": {} }), { code });
  await t.throwsAsync(instantiateText(text, { "acme:store/files": { File: class {} } }), {
    code,
    message: /\[method\]file\.read/,
  });
});

test("functions of the world are found by camelCase and exact name, and as a default export", async (t) => {
  const text = `(component (import "read-level" (func $f (result u32)))
    (core func $f' (canon lower (func $f)))
    (core module $M (import "" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f'))))))
    (func (export "run-it") (result u32) (canon lift (core func $m "run"))))`;
  for (const imports of [
    { "read-level": () => 4 },
    { readLevel: () => 4 },
    { "read-level": { default: () => 4 } },
  ]) {
    const instance = await instantiateText(text, imports);
    t.is(exported(instance, "run-it")(), 4);
    t.is(exported(instance, "runIt")(), 4);
    t.deepEqual(Object.keys(instance.exports), ["runIt"]);
  }
});

test("names that differ in a hyphen before a digit are apart in camelCase", async (t) => {
  const instance = await instantiateText(`(component
    (core module $M
      (func (export "one") (result i32) (i32.const 1)) (func (export "two") (result i32) (i32.const 2)))
    (core instance $m (instantiate $M))
    (func (export "a1") (result u32) (canon lift (core func $m "one")))
    (func (export "a-1") (result u32) (canon lift (core func $m "two"))))`);
  t.is(exported(instance, "a1")(), 1);
  t.is(exported(instance, "a-1")(), 2);
  t.is(exported(instance, "a_1")(), 2);
});

test("a host's methods get their object as `this`", async (t) => {
  class Clock {
    readonly #now = 11;
    nowMs(): number {
      return this.#now;
    }
  }
  const instance = await instantiateText(importsClock, { "acme:time/clock@0.2.1": new Clock() });
  t.is(exported(instance, "run")(), 11);
});

test("an exported interface stands under its exact WIT name", async (t) => {
  const instance = await instantiateText(`(component
    (core module $M (func (export "sample") (result i32) (i32.const 21)))
    (core instance $m (instantiate $M))
    (func $sample (result u32) (canon lift (core func $m "sample")))
    (instance $probe (export "take-sample" (func $sample)))
    (export "demo:sensor/probe@0.1.0" (instance $probe)))`);
  const probe = instance.exports["demo:sensor/probe@0.1.0"] as { takeSample(): unknown };
  t.is(probe.takeSample(), 21);
});

test("a value goes from one component to another through both memories", async (t) => {
  const instance = await instantiateText(`(component
    (component $Upper
      (core module $M
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256))
        (func (export "upper") (param i32 i32) (result i32)
          (local $i i32)
          (loop $next
            (i32.store8 (i32.add (local.get 0) (local.get $i))
              (i32.sub (i32.load8_u (i32.add (local.get 0) (local.get $i))) (i32.const 32)))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 1))))
          (i32.store (i32.const 16) (local.get 0))
          (i32.store (i32.const 20) (local.get 1))
          (i32.const 16)))
      (core instance $m (instantiate $M))
      (func (export "upper") (param "s" string) (result string) (canon lift (core func $m "upper")
        (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))
    (component $Caller
      (import "upper" (func $upper (param "s" string) (result string)))
      (core module $Memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512)))
      (core instance $memory (instantiate $Memory))
      (core func $upper' (canon lower (func $upper) string-encoding=utf16
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
      (core module $M
        (import "" "memory" (memory 1))
        (import "" "upper" (func $upper (param i32 i32 i32)))
        (data (i32.const 64) "a\\00b\\00c\\00")
        (func (export "run") (result i32)
          (call $upper (i32.const 64) (i32.const 3) (i32.const 32))
          (i32.const 32)))
      (core instance $m (instantiate $M (with "" (instance
        (export "memory" (memory $memory "memory")) (export "upper" (func $upper'))))))
      (func (export "run") (result string) (canon lift (core func $m "run") string-encoding=utf16
        (memory (core memory $memory "memory")))))
    (instance $upper (instantiate $Upper))
    (instance $caller (instantiate $Caller (with "upper" (func $upper "upper"))))
    (func (export "run") (alias export $caller "run")))`);
  t.is(exported(instance, "run")(), "ABC");
});

test("a component lists its imports and exports without being instantiated", async (t) => {
  const { imports, exports } = describeComponent(compileComponent(await componentFromText(importsClock)));
  t.like(imports, [{ name: "acme:time/clock@0.2.1", sort: "instance", functions: ["now-ms"] }]);
  t.like(exports, [{ name: "run", sort: "func" }]);
});

test("a core module that the engine refuses is found by checking and by instantiating", async (t) => {
  const bytes = await componentFromText(`(component
    (core module $M (func (export "run") (result i32) (i32.const 1)))
    (core instance (instantiate $M)))`);
  // The function's body becomes `i64.const`: well-formed, of the wrong type.
  const broken = Uint8Array.from(bytes);
  const constant = Buffer.from(bytes).indexOf(Uint8Array.of(0x41, 0x01, 0x0b));
  t.true(constant > 0);
  broken[constant] = 0x42;
  checkCoreModules(compileComponent(bytes));
  t.throws(() => checkCoreModules(compileComponent(broken)), { code: "component/invalid" });
  t.throws(() => instantiateComponent(compileComponent(broken), {}), { code: "component/invalid" });
});

const demoImports = {
  "skerry:module/messaging": { publish: () => {} },
  "skerry:device/sensor": {
    Sensor: class {
      read(): unknown {
        throw new Error("end of the demonstration");
      }
    },
    open: () => ({ read: () => undefined }),
  },
  "skerry:device/serial": {
    open: () => {
      throw "unavailable";
    },
    Port: class {
      read(): void {}
      write(): void {}
      transfer(): void {}
      drain(): void {}
      flush(): void {}
    },
  },
};

function wasi(): Record<string, unknown> {
  const interfaces = new WASIShim({ sandbox: { enableNetwork: false } }).getImportObject();
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, value]) => [name.replace(/@.*/, ""), value]),
  );
}

async function example(path: string) {
  return compileComponent(await readFile(new URL(`../../../examples/${path}`, import.meta.url)));
}

test("a C program behind the preview-1 adapter runs until a host function ends it", async (t) => {
  const failure = new Error("no sensor today");
  const imports = {
    ...wasi(),
    ...demoImports,
    "skerry:device/sensor": {
      ...demoImports["skerry:device/sensor"],
      open: () => {
        throw failure;
      },
    },
  };
  const instance = instantiateComponent(await example("thermo-c/thermo-1.0.0.wasm"), imports);
  const name = Object.keys(instance.exports).find((key) => key.startsWith("wasi:cli/run@0.2."));
  const command = instance.exports[name ?? ""] as { run(): void };
  t.is(
    t.throws(() => command.run()),
    failure,
  );
});

test("a JavaScript component, thirteen core modules of `jco componentize`, runs", async (t) => {
  const component = await example("modbus-js/modbus-1.0.0.wasm");
  checkCoreModules(component);
  const instance = instantiateComponent(component, { ...wasi(), ...demoImports });
  const lifecycle = instance.exports["skerry:module/lifecycle@0.1.0"] as { init(): void; health(): void };
  t.notThrows(() => lifecycle.init());
  const error = t.throws(() => lifecycle.health());
  t.regex(String(Object(error).payload), /not polled yet/);
});
