;; Explainer.md "Type Checking": what may be given to an `instantiate`, and what the type of an export may be narrowed to.

(component definition (component $C (import "f" (func (param "a" u8) (result string)))) 
  (import "g" (func $g (param "a" u8) (result string))) (instance (instantiate $C (with "f" (func $g)))))
(assert_invalid (component (component $C (import "f" (func))) (instance (instantiate $C))) "missing import")
(assert_invalid (component (component $C (import "f" (func))) (import "g" (func $g (param "a" u8)))
  (instance (instantiate $C (with "f" (func $g))))) "parameters")
(assert_invalid (component (component $C (import "f" (func (param "a" u8)))) (import "g" (func $g (param "b" u8)))
  (instance (instantiate $C (with "f" (func $g))))) "parameter names")
(assert_invalid (component (component $C (import "f" (func (result u8)))) (import "g" (func $g (result s8)))
  (instance (instantiate $C (with "f" (func $g))))) "result")
(assert_invalid (component (component $C (import "f" (func (result u8)))) (import "g" (func $g))
  (instance (instantiate $C (with "f" (func $g))))) "result")
(assert_invalid (component (component $C (import "f" (func))) (import "g" (instance $g))
  (instance (instantiate $C (with "f" (instance $g))))) "expected func, found instance")
;; Of two arguments with one name neither is meant; one that nobody asked for does no harm.
(assert_invalid (component (component $C) (import "g" (func $g))
  (instance (instantiate $C (with "f" (func $g)) (with "f" (func $g))))) "twice")
(component definition (component $C) (import "g" (func $g)) (instance (instantiate $C (with "f" (func $g)))))

;; Value types have to be equal: labels, cases, their order and number.
(component definition
  (type $t (record (field "a" u8) (field "b" (list string))))
  (component $C (type $t (record (field "a" u8) (field "b" (list string)))) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t)))))
(assert_invalid (component (type $t (record (field "a" u8)))
  (component $C (type $t (record (field "b" u8))) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t))))) "field")
(assert_invalid (component (type $t (enum "a" "b"))
  (component $C (type $t (enum "b" "a")) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t))))) "labels")
(assert_invalid (component (type $t (variant (case "a") (case "b" u8)))
  (component $C (type $t (variant (case "a") (case "b"))) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t))))) "case")
(assert_invalid (component (type $t (option u8))
  (component $C (type $t (variant (case "none") (case "some" u8))) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t))))) "expected variant, found option")
(assert_invalid (component (type $t (result u8))
  (component $C (type $t (result u8 (error u8))) (import "t" (type (eq $t))))
  (instance (instantiate $C (with "t" (type $t))))) "error type")

;; An instance may have more than is asked for.
(component definition
  (component $C (import "i" (instance (export "f" (func)))))
  (import "i" (instance $i (export "f" (func)) (export "g" (func))))
  (instance (instantiate $C (with "i" (instance $i)))))
(assert_invalid (component
  (component $C (import "i" (instance (export "f" (func)) (export "g" (func)))))
  (import "i" (instance $i (export "f" (func))))
  (instance (instantiate $C (with "i" (instance $i))))) "missing export")

;; A component may import less and export more than is asked for.
(component definition
  (component $C (import "c" (component (import "x" (func)) (export "f" (func)))))
  (component $Given (import "y" (func $y)) (export "f" (func $y)))
  (component $Less (import "x" (func $x)) (export "f" (func $x)) (export "g" (func $x)))
  (instance (instantiate $C (with "c" (component $Less)))))
(assert_invalid (component
  (component $C (import "c" (component (import "x" (func)) (export "f" (func)))))
  (component $Given (import "y" (func $y)) (export "f" (func $y)))
  (instance (instantiate $C (with "c" (component $Given))))) "missing import")

;; A resource that is asked for takes the identity of the one that is given, everywhere in the arguments.
(component definition
  (component $C (import "r" (type $r (sub resource))) (import "f" (func (result (own $r)))))
  (import "s" (type $s (sub resource)))
  (import "g" (func $g (result (own $s))))
  (instance (instantiate $C (with "r" (type $s)) (with "f" (func $g)))))
(assert_invalid (component
  (component $C (import "r" (type $r (sub resource))) (import "f" (func (result (own $r)))))
  (import "s" (type $s (sub resource)))
  (import "t" (type $t (sub resource)))
  (import "g" (func $g (result (own $s))))
  (instance (instantiate $C (with "r" (type $t)) (with "f" (func $g))))) "resource types are not the same")
;; Two instantiations make two resources.
(assert_invalid (component
  (component $Maker (type $r' (resource (rep i32))) (export $r "r" (type $r')))
  (instance $a (instantiate $Maker))
  (instance $b (instantiate $Maker))
  (alias export $a "r" (type $ra))
  (alias export $b "r" (type $rb))
  (component $Same (import "x" (type $x (sub resource))) (import "y" (type (eq $x))))
  (instance (instantiate $Same (with "x" (type $ra)) (with "y" (type $rb))))) "resource types are not the same")

;; An export may be given a wider type, not another.
(component definition (import "i" (instance $i (export "f" (func)) (export "g" (func))))
  (export "e" (instance $i) (instance (export "f" (func)))))
(assert_invalid (component (import "f" (func $f)) (export "e" (func $f) (func (param "a" u8)))) "does not fit")

;; Core instances: every import is supplied, with its type.
(assert_invalid (component (core module $m (import "a" "b" (func))) (core instance (instantiate $m))) "missing")
(assert_invalid (component (core module $m (import "a" "b" (func))) (core module $n)
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "a" (instance $n))))) "missing")
(assert_invalid (component (core module $m (import "a" "b" (func (param i32))))
  (core module $n (func (export "b") (param i64)))
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "a" (instance $n))))) "expected")
(assert_invalid (component (core module $m (import "a" "b" (global (mut i32))))
  (core module $n (global (export "b") i32 (i32.const 0)))
  (core instance $n (instantiate $n)) (core instance (instantiate $m (with "a" (instance $n))))) "mutability")

;; Lifting: the core function has the flattened type.
(assert_invalid (component (core module $m (func (export "f") (param i64)))
  (core instance $i (instantiate $m)) (func (param "a" u32) (canon lift (core func $i "f")))) "lifted")
(assert_invalid (component (core module $m (func (export "f") (result i32 i32) unreachable) (memory (export "mem") 1))
  (core instance $i (instantiate $m)) (func (result string) (canon lift (core func $i "f") (memory (core memory $i "mem"))))) "lifted")
(assert_invalid (component (import "f" (func $f)) (core module $m (import "a" "b" (func (param i32))))
  (core func $f' (canon lower (func $f)))
  (core instance (instantiate $m (with "a" (instance (export "b" (func $f'))))))) "expected")
