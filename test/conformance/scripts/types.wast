;; Binary.md "Type Definitions", Explainer.md "External Visibility of Types" and the index spaces: what is no type at all, and which types imports and
;; exports may mention.

(assert_invalid (component (type (record))) "at least one field")
(assert_invalid (component (type (variant))) "at least one case")
(assert_invalid (component (type (enum))) "at least one")
(assert_invalid (component (type (flags))) "at least one")
(assert_invalid (component (type (tuple))) "at least one")
(assert_invalid (component (type (flags
  "a0" "a1" "a2" "a3" "a4" "a5" "a6" "a7" "a8" "a9" "b0" "b1" "b2" "b3" "b4" "b5" "b6" "b7" "b8" "b9"
  "c0" "c1" "c2" "c3" "c4" "c5" "c6" "c7" "c8" "c9" "d0" "d1" "d2"))) "at most 32")
(assert_invalid (component (type (list 0))) "index")
(assert_invalid (component (type $f (func)) (type (list $f))) "not a value type")
(assert_invalid (component (type (own 0))) "index")
(assert_invalid (component (type $t u8) (type (borrow $t))) "resource")
(assert_invalid (component (type $t u8) (import "f" (func (type $t)))) "function type")
(assert_invalid (component (type $t (func)) (import "i" (instance (type $t)))) "instance type")
(assert_invalid (component (export "f" (func 0))) "index")
(assert_invalid (component (export "i" (instance 0))) "index")
(assert_invalid (component (alias export 0 "f" (func))) "index")
(assert_invalid (component (import "i" (instance $i)) (alias export $i "f" (func))) "no export")
(assert_invalid (component (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (instance))) "sort")
(assert_invalid (component (alias outer 1 0 (type))) "outer")
(assert_invalid (component (core instance (instantiate 0))) "index")
(assert_invalid (component (type (instance (type (resource (rep i32)))))) "resource")

;; A record, variant, enum, flags or resource that a function mentions has a name that the outside sees.
(assert_invalid (component (type $t (record (field "a" u8))) (import "f" (func (param "a" $t)))) "name")
(assert_invalid (component (type $t (enum "a")) (import "f" (func (result (list $t))))) "name")
(component definition (type $t' (record (field "a" u8))) (import "t" (type $t (eq $t'))) (import "f" (func (param "a" $t))))
(component definition (type $t (list (tuple u8 string))) (import "f" (func (param "a" $t))))
(assert_invalid (component
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (type $t (flags "a"))
  (func $f (param "a" $t) (canon lift (core func $i "f")))
  (export "f" (func $f))) "name")
(component definition
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (type $t' (flags "a"))
  (export $t "t" (type $t'))
  (func $f (param "a" $t) (canon lift (core func $i "f")))
  (export "f" (func $f)))
;; What an import is named by is no name for an export of another component's.
(assert_invalid (component
  (type $r (resource (rep i32)))
  (core module $m (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func $f (param "a" (own $r)) (canon lift (core func $i "f")))
  (export "f" (func $f))) "name")
