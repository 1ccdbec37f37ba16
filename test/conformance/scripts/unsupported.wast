;; What this loader does not have is refused by the name of the feature (component/unsupported), whatever else is in the
;; component. test/conformance/unsupported.test.ts lists the names, in this order.

(component definition (type (stream u8)))
(component definition (type (future string)))
(component definition (type (list u8 4)))
(component definition (type (map string u8)))
(component definition (type error-context))
(component definition (type (func async)))
(component definition (canon task.return (core func)))
(component definition
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (canon lift (core func $i "f") async)))
(component definition (core func (canon thread.index)))
(component definition
  (core module $m (memory (export "m") i64 1))
  (core instance $i (instantiate $m))
  (func $f (import "f") (param "a" string))
  (core func (canon lower (func $f) (memory (core memory $i "m")))))
(component definition
  (core module $m (memory (export "m") 1 1 shared))
  (core instance $i (instantiate $m))
  (func $f (import "f") (param "a" string))
  (core func (canon lower (func $f) (memory (core memory $i "m")))))
(component definition (type (resource (rep i64))))
(component definition
  (core type $t (module (type (struct (field i32))) (import "a" "b" (global (ref 0))))))
(component definition (core module (memory 1 (pagesize 1))))
(component definition (import "v" (value u8)))
