/** `post-return` (CanonicalABI.md `canon lift`). */

import test from "ava";
import { exported, instantiateText } from "./guests.ts";

const guest = `(component
  (import "note" (func $note (param "a" u32)))
  (core func $note' (canon lower (func $note)))
  (core module $M
    (import "" "note" (func $note (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "text")
    (global $runs (mut i32) (i32.const 0))
    (global $argument (mut i32) (i32.const 0))
    (func (export "text") (result i32)
      (i32.store (i32.const 16) (i32.const 64))
      (i32.store (i32.const 20) (i32.const 4))
      (i32.const 16))
    (func (export "clean-up") (param i32)
      (i32.store (local.get 0) (i32.const -1))
      (global.set $argument (local.get 0))
      (global.set $runs (i32.add (global.get $runs) (i32.const 1))))
    (func (export "runs") (result i32) (global.get $runs))
    (func (export "argument") (result i32) (global.get $argument))
    (func (export "trap") (result i32) unreachable)
    (func (export "number") (result i32) (i32.const 7))
    (func (export "call-out") (param i32) (call $note (i32.const 1))))
  (core instance $m (instantiate $M (with "" (instance (export "note" (func $note'))))))
  (func (export "text") (result string) (canon lift (core func $m "text")
    (memory (core memory $m "memory")) (post-return (core func $m "clean-up"))))
  (func (export "trap") (result u32) (canon lift (core func $m "trap") (post-return (core func $m "clean-up"))))
  (func (export "call-out") (result u32) (canon lift (core func $m "number")
    (post-return (core func $m "call-out"))))
  (func (export "runs") (result u32) (canon lift (core func $m "runs")))
  (func (export "argument") (result u32) (canon lift (core func $m "argument"))))`;

test("runs once per call, after the result is lifted, with what the function returned", async (t) => {
  const instance = await instantiateText(guest, { note: () => {} });
  t.is(exported(instance, "text")(), "text");
  t.is(exported(instance, "runs")(), 1);
  t.is(exported(instance, "argument")(), 16);
  t.is(exported(instance, "text")(), "text");
  t.is(exported(instance, "runs")(), 2);
});

test("may not call out of the instance", async (t) => {
  const instance = await instantiateText(guest, { note: () => t.fail("the host was called") });
  t.throws(() => exported(instance, "call-out")(), { name: "Trap", code: "trap/canonical-abi" });
  t.throws(() => exported(instance, "runs")(), { name: "Trap", code: "trap/cannot-enter" });
});

test("does not run when the function traps", async (t) => {
  const instance = await instantiateText(guest, { note: () => {} });
  t.throws(() => exported(instance, "trap")(), { name: "Trap", code: "trap/wasm" });
});

test("of a function of another component runs once, before its caller goes on", async (t) => {
  const instance = await instantiateText(`(component
    (component $Callee
      (core module $M
        (memory (export "memory") 1)
        (data (i32.const 64) "text")
        (global $runs (mut i32) (i32.const 0))
        (func (export "text") (result i32)
          (i32.store (i32.const 16) (i32.const 64))
          (i32.store (i32.const 20) (i32.const 4))
          (i32.const 16))
        (func (export "clean-up") (param i32)
          (i32.store (i32.const 64) (i32.const 0))
          (global.set $runs (i32.add (global.get $runs) (i32.const 1))))
        (func (export "runs") (result i32) (global.get $runs)))
      (core instance $m (instantiate $M))
      (func (export "text") (result string) (canon lift (core func $m "text")
        (memory (core memory $m "memory")) (post-return (core func $m "clean-up"))))
      (func (export "runs") (result u32) (canon lift (core func $m "runs"))))
    (component $Caller
      (import "text" (func $text (result string)))
      (import "runs" (func $runs (result u32)))
      (core module $Memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32)))
      (core instance $memory (instantiate $Memory))
      (core func $text' (canon lower (func $text)
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
      (core func $runs' (canon lower (func $runs)))
      (core module $M
        (import "" "memory" (memory 1))
        (import "" "text" (func $text (param i32)))
        (import "" "runs" (func $runs (result i32)))
        (func (export "run") (result i32)
          (call $text (i32.const 8))
          (if (i32.ne (i32.load (i32.load (i32.const 8))) (i32.const 0x74786574)) (then unreachable))
          (call $runs)))
      (core instance $m (instantiate $M (with "" (instance
        (export "memory" (memory $memory "memory"))
        (export "text" (func $text')) (export "runs" (func $runs'))))))
      (func (export "run") (result u32) (canon lift (core func $m "run"))))
    (instance $callee (instantiate $Callee))
    (instance $caller (instantiate $Caller
      (with "text" (func $callee "text")) (with "runs" (func $callee "runs"))))
    (func (export "run") (alias export $caller "run")))`);
  t.is(exported(instance, "run")(), 1);
});
