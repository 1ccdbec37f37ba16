/** Traps: final, contained, and nothing that a guest could catch (CanonicalABI.md `trap_if`, `call_and_trap_on_throw`). */

import test from "ava";
import { compileComponent, instantiateComponent } from "../../../sandbox/component/index.ts";
import { componentFromText } from "../../support/wat.ts";
import { exported, instantiateText } from "./guests.ts";

/** A guest whose exports do what their names say; `catching` runs `body` inside a `catch_all`. */
function guest(body = "(call $host)"): string {
  return `(component
    (import "host" (func $host))
    (core func $host' (canon lower (func $host)))
    (type $r (resource (rep i32)))
    (core func $rep (canon resource.rep $r))
    (core module $M
      (import "" "host" (func $host))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (memory (export "memory") 1)
      (tag $tag)
      (func (export "unreachable") unreachable)
      (func (export "out-of-bounds") (drop (i32.load (i32.const -1))))
      (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
      (func $recurse (export "recurse") (call $recurse) (call $recurse))
      (func (export "throw") (throw $tag))
      (func (export "catching") (result i32)
        (block $caught
          (try_table (catch_all $caught) ${body})
          (return (i32.const 1)))
        (i32.const 2))
      (func (export "alive") (result i32) (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance
      (export "host" (func $host')) (export "rep" (func $rep))))))
    ${["unreachable", "out-of-bounds", "divide", "recurse", "throw"]
      .map((name) => `(func (export "${name}") (canon lift (core func $m "${name}")))`)
      .join("\n")}
    (func (export "catching") (result u32) (canon lift (core func $m "catching")))
    (func (export "alive") (result u32) (canon lift (core func $m "alive"))))`;
}

const quiet = { host: () => {} };

for (const [name, code, message] of [
  ["unreachable", "trap/wasm", /^unreachable trapped: unreachable/],
  ["out-of-bounds", "trap/wasm", /memory access out of bounds/],
  ["divide", "trap/wasm", /divide by zero/],
  ["recurse", "trap/stack-overflow", /call stack exhausted/],
  ["throw", "trap/wasm", /uncaught exception/],
] as const) {
  test(`"${name}" is ${code}, names the function, and is final`, async (t) => {
    const instance = await instantiateText(guest(), quiet);
    const error = t.throws(() => exported(instance, name)(), { name: "Trap", code, message });
    t.true(error?.cause instanceof Error || name === "throw");
    t.throws(() => exported(instance, "alive")(), { name: "Trap", code: "trap/cannot-enter" });
  });
}

test("one instance's trap leaves other instances of the component alone", async (t) => {
  const component = compileComponent(await componentFromText(guest()));
  const dead = instantiateComponent(component, quiet);
  const alive = instantiateComponent(component, quiet);
  t.throws(() => exported(dead, "unreachable")(), { name: "Trap" });
  t.is(exported(alive, "alive")(), 1);
});

test("a guest catches its own exceptions", async (t) => {
  t.is(exported(await instantiateText(guest("(throw $tag)"), quiet), "catching")(), 2);
});

test("a guest can't catch a trap that the canonical ABI raised", async (t) => {
  const instance = await instantiateText(guest("(drop (call $rep (i32.const 99)))"), quiet);
  t.throws(() => exported(instance, "catching")(), {
    name: "Trap",
    code: "trap/canonical-abi",
    message: /unknown handle index 99/,
  });
});

for (const [what, thrown] of [
  ["an Error", new Error("the disk is on fire")],
  ["a RuntimeError of its own making", new WebAssembly.RuntimeError("not a real one")],
  ["a string", "no Error at all"],
] as const) {
  test(`a guest can't catch ${what} that a host function throws; the caller gets it as it was`, async (t) => {
    const instance = await instantiateText(guest(), {
      host: () => {
        throw thrown;
      },
    });
    let caught: unknown;
    try {
      exported(instance, "catching")();
    } catch (error) {
      caught = error;
    }
    t.is(caught, thrown);
    t.throws(() => exported(instance, "alive")(), { name: "Trap", code: "trap/cannot-enter" });
  });
}

test("an instance can't be entered again from a host function that it called", async (t) => {
  let inner: unknown;
  const instance = await instantiateText(guest(), {
    host: () => {
      inner = t.throws(() => exported(instance, "alive")(), { name: "Trap", code: "trap/cannot-enter" });
    },
  });
  t.is(exported(instance, "catching")(), 1);
  t.truthy(inner);
  t.is(exported(instance, "alive")(), 1);
});

test("a start function that traps is a Trap of the instantiation", async (t) => {
  const text = `(component
    (core module $M (func $start unreachable) (start $start))
    (core instance (instantiate $M)))`;
  await t.throwsAsync(instantiateText(text), { name: "Trap", code: "trap/wasm", message: /^instantiation/ });
});

test("a host function's result of the wrong type ends the guest with an error that names the function", async (t) => {
  const text = `(component
    (import "acme:gauge/level" (instance $level (export "read-now" (func (result u32)))))
    (core func $read (canon lower (func $level "read-now")))
    (core module $M (import "" "read" (func $read (result i32))) (func (export "run") (drop (call $read))))
    (core instance $m (instantiate $M (with "" (instance (export "read" (func $read))))))
    (func (export "run") (canon lift (core func $m "run"))))`;
  const instance = await instantiateText(text, { "acme:gauge/level": { readNow: () => "high" } });
  t.throws(() => exported(instance, "run")(), {
    instanceOf: TypeError,
    message: /acme:gauge\/level#read-now.*expected a number/,
  });
});

/** Callee and caller as siblings; the caller runs the callee inside a `catch_all`. */
const siblings = `(component
  (component $Callee
    (core module $M (tag $tag) (func (export "throw") (throw $tag)) (func (export "alive") (result i32) (i32.const 1)))
    (core instance $m (instantiate $M))
    (func (export "throw") (canon lift (core func $m "throw")))
    (func (export "alive") (result u32) (canon lift (core func $m "alive"))))
  (component $Caller
    (import "throw" (func $throw))
    (core func $throw' (canon lower (func $throw)))
    (core module $M
      (import "" "throw" (func $throw))
      (func (export "run") (block $caught (try_table (catch_all $caught) (call $throw)))))
    (core instance $m (instantiate $M (with "" (instance (export "throw" (func $throw'))))))
    (func (export "run") (canon lift (core func $m "run"))))
  (instance $callee (instantiate $Callee))
  (instance $caller (instantiate $Caller (with "throw" (func $callee "throw"))))
  (func (export "run") (alias export $caller "run"))
  (func (export "alive") (alias export $callee "alive")))`;

test("an exception does not cross from one component into another: it traps, and both are dead", async (t) => {
  const instance = await instantiateText(siblings);
  t.throws(() => exported(instance, "run")(), { name: "Trap", message: /uncaught exception/ });
  t.throws(() => exported(instance, "alive")(), { name: "Trap", code: "trap/cannot-enter" });
});
