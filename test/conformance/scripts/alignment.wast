;; CanonicalABI.md "Alignment", "Element Size" and "Loading": pointers into memory are aligned and within bounds, and the fields
;; of a record stand where their alignment puts them.

;; A result in memory: its pointer is what the core function returns.
(component definition $Results
  (core module $m
    (memory (export "mem") 1)
    ;; record { u8 1, u32 2, u8 3, u64 4 } at 8: offsets 0, 4, 8, 16
    (data (i32.const 8) "\01\ff\ff\ff\02\00\00\00\03\ff\ff\ff\ff\ff\ff\ff\04\00\00\00\00\00\00\00")
    (func (export "at") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (type $padded' (record (field "a" u8) (field "b" u32) (field "c" u8) (field "d" u64)))
  (export $padded "padded" (type $padded'))
  (func (export "padded-at") (param "at" u32) (result $padded)
    (canon lift (core func $i "at") (memory (core memory $i "mem"))))
  (func (export "bytes-at") (param "at" u32) (result (tuple u8 u8))
    (canon lift (core func $i "at") (memory (core memory $i "mem")))))

(component instance $r1 $Results)
(assert_return (invoke "padded-at" (u32.const 8))
  (record.const (field "a" u8.const 1) (field "b" u32.const 2) (field "c" u8.const 3) (field "d" u64.const 4)))
;; Bytes need no alignment.
(assert_return (invoke "bytes-at" (u32.const 31)) (tuple.const (u8.const 0) (u8.const 0)))
(assert_return (invoke "bytes-at" (u32.const 65534)) (tuple.const (u8.const 0) (u8.const 0)))
;; The record's alignment is its largest field's.
(assert_trap (invoke "padded-at" (u32.const 12)) "unaligned pointer")
(component instance $r2 $Results)
(assert_trap (invoke "padded-at" (u32.const 65520)) "beyond end of memory, out of bounds")
(component instance $r3 $Results)
(assert_trap (invoke "bytes-at" (u32.const 65535)) "beyond end of memory, out of bounds")
(component instance $r4 $Results)
(assert_trap (invoke "bytes-at" (u32.const 4294967295)) "beyond end of memory, out of bounds")

;; A list's elements are aligned, an empty list's pointer as well.
(component definition $Lists
  (core module $m
    (memory (export "mem") 1)
    (func (export "list") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "u16s") (param "at" u32) (param "length" u32) (result (list u16))
    (canon lift (core func $i "list") (memory (core memory $i "mem")))))

(component instance $l1 $Lists)
(assert_return (invoke "u16s" (u32.const 0) (u32.const 4))
  (list.const (u16.const 0) (u16.const 0) (u16.const 4) (u16.const 0)))
(assert_return (invoke "u16s" (u32.const 65536) (u32.const 0)) (list.const))
(assert_trap (invoke "u16s" (u32.const 1) (u32.const 0)) "unaligned pointer")
(component instance $l2 $Lists)
(assert_trap (invoke "u16s" (u32.const 65534) (u32.const 2)) "out of bounds")
(component instance $l3 $Lists)
(assert_trap (invoke "u16s" (u32.const 65538) (u32.const 0)) "out of bounds")
;; The length in bytes would not fit 32 bits.
(component instance $l4 $Lists)
(assert_trap (invoke "u16s" (u32.const 0) (u32.const 2147483649)) "out of bounds")

;; More than sixteen core parameters go through memory that the callee allocates.
(component $Many
  (core module $m
    (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      ;; alignment 8, 17 times 8 bytes
      (if (i32.ne (local.get 2) (i32.const 8)) (then unreachable))
      (if (i32.ne (local.get 3) (i32.const 136)) (then unreachable))
      (i32.const 64))
    (func (export "last") (param i32) (result i64) (i64.load offset=128 (local.get 0))))
  (core instance $i (instantiate $m))
  (type $t (tuple u64 u64 u64 u64 u64 u64 u64 u64))
  (func (export "last") (param "a" $t) (param "b" $t) (param "c" u64) (result u64)
    (canon lift (core func $i "last") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))
(assert_return
  (invoke "last"
    (tuple.const (u64.const 1) (u64.const 1) (u64.const 1) (u64.const 1) (u64.const 1) (u64.const 1) (u64.const 1) (u64.const 1))
    (tuple.const (u64.const 2) (u64.const 2) (u64.const 2) (u64.const 2) (u64.const 2) (u64.const 2) (u64.const 2) (u64.const 2))
    (u64.const 18446744073709551615))
  (u64.const 18446744073709551615))
