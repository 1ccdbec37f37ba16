;; CanonicalABI.md "Storing" (realloc) and `canon lift` (post-return): what a guest's allocator may return, that it is called for empty
;; lists, that neither it nor post-return may call out, and that post-return runs once, with the flat results.

(component definition $Realloc
  (core module $m
    (memory (export "mem") 1)
    (global $calls (mut i32) (i32.const 0))
    (global $answer (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (if (i32.ne (i32.or (local.get 0) (local.get 1)) (i32.const 0)) (then unreachable))
      (global.get $answer))
    (func (export "answer") (param i32) (global.set $answer (local.get 0)))
    (func (export "take") (param i32 i32) (result i32) (global.get $calls)))
  (core instance $i (instantiate $m))
  (func (export "answer") (param "a" u32) (canon lift (core func $i "answer")))
  (func (export "take") (param "list" (list u32)) (result u32) (canon lift (core func $i "take")
    (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))
(component instance $a $Realloc)
(assert_return (invoke "take" (list.const)) (u32.const 1))
(assert_return (invoke "take" (list.const (u32.const 1) (u32.const 2))) (u32.const 2))
(assert_return (invoke "answer" (u32.const 65536)))
(assert_return (invoke "take" (list.const)) (u32.const 3))
(assert_trap (invoke "take" (list.const (u32.const 1))) "realloc return: beyond end of memory, out of bounds")
(component instance $b $Realloc)
(assert_return (invoke "answer" (u32.const 2)))
(assert_trap (invoke "take" (list.const)) "realloc return: unaligned pointer")
(component instance $c $Realloc)
(assert_return (invoke "answer" (u32.const 65540)))
(assert_trap (invoke "take" (list.const)) "realloc return: beyond end of memory, out of bounds")

;; A function of a sibling, and a core module that calls it at the wrong time.
(component definition $MayNotLeave
  (component $Other
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (instance $other (instantiate $Other))
  (component $Caller
    (import "other" (instance $other (export "f" (func))))
    (core func $f (canon lower (func $other "f")))
    (core module $m
      (import "" "f" (func $f))
      (memory (export "mem") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $f) (i32.const 0))
      (func (export "take") (param i32 i32))
      (func (export "give") (result i32) (i32.const 7))
      (func (export "post") (param i32) (call $f))
      (func (export "check") (param i32) (if (i32.ne (local.get 0) (i32.const 7)) (then unreachable)))
      (func (export "call") (call $f)))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
    (func (export "call") (canon lift (core func $i "call")))
    (func (export "take") (param "list" (list u8)) (canon lift (core func $i "take")
      (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
    (func (export "checked") (result u32) (canon lift (core func $i "give") (post-return (core func $i "check"))))
    (func (export "posted") (result u32) (canon lift (core func $i "give") (post-return (core func $i "post")))))
  (instance $caller (instantiate $Caller (with "other" (instance $other))))
  (export "call" (func $caller "call"))
  (export "take" (func $caller "take"))
  (export "checked" (func $caller "checked"))
  (export "posted" (func $caller "posted")))
(component instance $d $MayNotLeave)
(assert_return (invoke "call"))
(assert_return (invoke "checked") (u32.const 7))
(assert_trap (invoke "take" (list.const)) "cannot leave component instance")
(component instance $e $MayNotLeave)
(assert_trap (invoke "posted") "cannot leave component instance")

;; Once for each call.
(component $Once
  (core module $m
    (global $posts (mut i32) (i32.const 0))
    (func (export "posts") (result i32) (global.get $posts))
    (func (export "post") (param i32) (global.set $posts (i32.add (global.get $posts) (i32.const 1)))))
  (core instance $i (instantiate $m))
  (func (export "posts") (result u32) (canon lift (core func $i "posts") (post-return (core func $i "post")))))
(assert_return (invoke "posts") (u32.const 0))
(assert_return (invoke "posts") (u32.const 1))
(assert_return (invoke "posts") (u32.const 2))

;; Its type is the core function's result.
(assert_invalid
  (component
    (core module $m (func (export "f") (result i32) (i32.const 0)) (func (export "post") (param i64)))
    (core instance $i (instantiate $m))
    (func (export "f") (result u32) (canon lift (core func $i "f") (post-return (core func $i "post")))))
  "post-return")
(assert_invalid
  (component
    (core module $m (memory (export "mem") 1) (func (export "f") (param i32 i32)) (func (export "realloc") (param i32) (result i32) unreachable))
    (core instance $i (instantiate $m))
    (func (export "f") (param "s" string) (canon lift (core func $i "f")
      (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))
  "realloc")
(assert_invalid
  (component
    (core module $m (memory (export "mem") 1) (func (export "f") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "s" string) (canon lift (core func $i "f") (memory (core memory $i "mem")))))
  "realloc is required")
(assert_invalid
  (component
    (core module $m (func (export "f") (result i32) unreachable))
    (core instance $i (instantiate $m))
    (func (export "f") (result string) (canon lift (core func $i "f"))))
  "memory is required")
(assert_invalid
  (component
    (import "f" (func $f (param "a" u8)))
    (core module $m (func (export "post") (param i32)))
    (core instance $i (instantiate $m))
    (core func (canon lower (func $f) (post-return (core func $i "post")))))
  "a lower has no post-return")
