;; Explainer.md "Instance Definitions", "Alias Definitions": nested components, aliases, re-entrance, virtualisation, start functions, and
;; core modules that components pass on.

;; What a component exports can be given to another under other names; one in the middle changes what it passes on.
(component
  (component $Number
    (core module $m (func (export "get") (result i32) (i32.const 20)))
    (core instance $i (instantiate $m))
    (func (export "get") (result u32) (canon lift (core func $i "get"))))
  (component $Plus
    (import "source" (instance $source (export "get" (func (result u32)))))
    (core func $get (canon lower (func $source "get")))
    (core module $m
      (import "" "get" (func $get (result i32)))
      (func (export "get") (result i32) (i32.add (call $get) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
    (func (export "get") (result u32) (canon lift (core func $i "get"))))
  (instance $n (instantiate $Number))
  (instance $p (instantiate $Plus (with "source" (instance $n))))
  (instance $q (instantiate $Plus (with "source" (instance $p))))
  (export "number" (func $n "get"))
  (export "two-more" (func $q "get")))
(assert_return (invoke "number") (u32.const 20))
(assert_return (invoke "two-more") (u32.const 22))

;; Each instantiation has a state of its own.
(component
  (component $Counter
    (core module $m
      (global $n (mut i32) (i32.const 0))
      (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
    (core instance $i (instantiate $m))
    (func (export "next") (result u32) (canon lift (core func $i "next"))))
  (instance $a (instantiate $Counter))
  (instance $b (instantiate $Counter))
  (export "a" (func $a "next"))
  (export "b" (func $b "next"))
  (export "a-again" (func $a "next")))
(assert_return (invoke "a") (u32.const 1))
(assert_return (invoke "a-again") (u32.const 2))
(assert_return (invoke "b") (u32.const 1))

;; Outer aliases: types, core modules and components of the components around.
(component $Outer
  (type $pair (tuple u8 u8))
  (core module $M
    (memory (export "mem") 1)
    (data (i32.const 4) "\05\06")
    (func (export "f") (result i32) (i32.const 4)))
  (component $Given
    (core instance $i (instantiate $M))
    (func (export "pair") (result $pair) (canon lift (core func $i "f") (memory (core memory $i "mem")))))
  (component $Inner
    (alias outer $Outer $Given (component $g))
    (instance $i (instantiate $g))
    (export "pair" (func $i "pair")))
  (instance $inner (instantiate $Inner))
  (export "pair" (func $inner "pair")))
(assert_return (invoke "pair") (tuple.const (u8.const 5) (u8.const 6)))
;; What exists once for each instance can't be aliased from outside.
(assert_invalid
  (component $C (type $r (resource (rep i32))) (component (alias outer $C $r (type))))
  "resource")
(assert_invalid
  (component $C (type $r (resource (rep i32))) (type $l (list (own $r))) (component (alias outer $C $l (type))))
  "resource")

;; Core modules as imports and exports.
(component
  (component $Library
    (core module $m
      (import "env" "base" (global $base i32))
      (func (export "add") (param i32) (result i32) (i32.add (local.get 0) (global.get $base))))
    (export "code" (core module $m)))
  (component $Program
    (import "code" (core module $code
      (import "env" "base" (global i32))
      (export "add" (func (param i32) (result i32)))))
    (core module $Env (global (export "base") i32 (i32.const 100)))
    (core instance $env (instantiate $Env))
    (core instance $i (instantiate $code (with "env" (instance $env))))
    (func (export "add") (param "a" u32) (result u32) (canon lift (core func $i "add"))))
  (instance $library (instantiate $Library))
  (instance $program (instantiate $Program (with "code" (core module $library "code"))))
  (export "add" (func $program "add")))
(assert_return (invoke "add" (u32.const 11)) (u32.const 111))

;; A module may import less and export more than is expected, not the other way round.
(assert_invalid
  (component
    (component $P (import "m" (core module (export "f" (func)))))
    (core module $m (func (export "g")))
    (instance (instantiate $P (with "m" (core module $m)))))
  "missing core export")
(assert_invalid
  (component
    (component $P (import "m" (core module)))
    (core module $m (import "a" "b" (func)))
    (instance (instantiate $P (with "m" (core module $m)))))
  "missing core import")
(assert_invalid
  (component
    (component $P (import "m" (core module (export "mem" (memory 2)))))
    (core module $m (memory (export "mem") 1))
    (instance (instantiate $P (with "m" (core module $m)))))
  "minimum")
(component
  (component $P (import "m" (core module (import "x" "y" (func)) (export "mem" (memory 1)))))
  (core module $m (memory (export "mem") 2) (func (export "more")))
  (instance (instantiate $P (with "m" (core module $m)))))

;; Start functions run in order, at instantiation, and may call what is there already.
(assert_trap
  (component
    (core module $m (func $f unreachable) (start $f))
    (core instance (instantiate $m)))
  "unreachable")
(component
  (component $Counter
    (core module $m
      (global $n (mut i32) (i32.const 0))
      (func (export "add") (param i32) (global.set $n (i32.add (i32.mul (global.get $n) (i32.const 10)) (local.get 0))))
      (func (export "get") (result i32) (global.get $n)))
    (core instance $i (instantiate $m))
    (func (export "add") (param "n" u32) (canon lift (core func $i "add")))
    (func (export "get") (result u32) (canon lift (core func $i "get"))))
  (component $Starter
    (import "add" (func $add (param "n" u32)))
    (core func $add (canon lower (func $add)))
    (core module $A (import "" "add" (func $add (param i32))) (func $f (call $add (i32.const 1))) (start $f))
    (core module $B (import "" "add" (func $add (param i32))) (func $f (call $add (i32.const 2))) (start $f))
    (core instance $args (export "add" (func $add)))
    (core instance (instantiate $B (with "" (instance $args))))
    (core instance (instantiate $A (with "" (instance $args))))
    (core instance (instantiate $B (with "" (instance $args)))))
  (instance $counter (instantiate $Counter))
  (instance (instantiate $Starter (with "add" (func $counter "add"))))
  (export "order" (func $counter "get")))
(assert_return (invoke "order") (u32.const 212))

;; A parent can't be entered by what it calls, nor call into its own children.
(component
  (component $Child
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (instance $child (instantiate $Child))
  (core func $f (canon lower (func $child "f")))
  (core module $m (import "" "f" (func $f)) (func (export "f") (call $f)))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "into-child") (canon lift (core func $i "f"))))
(assert_trap (invoke "into-child") "cannot enter component instance")

;; An interface is exported by its name; its functions are reached through it.
(component
  (core module $m (func (export "f") (result i32) (i32.const 9)))
  (core instance $i (instantiate $m))
  (func $f (result u8) (canon lift (core func $i "f")))
  (instance $face (export "nine" (func $f)))
  (export "test:linking/face@1.2.3" (instance $face)))
(assert_return (invoke "test:linking/face@1.2.3#nine") (u8.const 9))

;; A component that a script made can be imported by name.
(component $Base
  (core module $m (func (export "f") (result i32) (i32.const 31)))
  (core instance $i (instantiate $m))
  (func (export "get") (result u32) (canon lift (core func $i "f"))))
(register "test:linking/base" $Base)
(component
  (import "test:linking/base" (instance $base (export "get" (func (result u32)))))
  (export "get-again" (func $base "get")))
(assert_return (invoke "get-again") (u32.const 31))
(assert_unlinkable (component (import "test:linking/nowhere" (instance (export "f" (func))))) "not supplied")
(assert_unlinkable (component (import "test:linking/base" (instance (export "absent" (func))))) "not supplied")
