;; Explainer.md "Import and Export Definitions", "Name Uniqueness": kebab names, interface names with versions, annotations, and what counts as the
;; same name.

(component definition
  (import "a" (func)) (import "a-b" (func)) (import "a1-b2" (func)) (import "ABC-def-G" (func)) (import "a-1" (func))
  (import "a:b/c" (func)) (import "a:b/c@1.2.3" (instance)) (import "a:b/c@1.2.3-rc.1" (instance)) (import "a-b:c-d/e-f@0.0.1+build" (func))
  ;; canonical versions
  (import "a:b/d@1" (func)) (import "a:b/d@0.2" (func)) (import "a:b/d@0.0.3" (func)))
(assert_invalid (component (import "" (func))) "empty")
(assert_invalid (component (import "-a" (func))) "kebab")
(assert_invalid (component (import "a-" (func))) "kebab")
(assert_invalid (component (import "a--b" (func))) "kebab")
(assert_invalid (component (import "1a" (func))) "kebab")
(assert_invalid (component (import "a_b" (func))) "kebab")
(assert_invalid (component (import "a b" (func))) "kebab")
(assert_invalid (component (import "aB" (func))) "kebab: a word is of one case")
(assert_invalid (component (import "é" (func))) "kebab")
(assert_invalid (component (import "a:b" (func))) "interface")
(assert_invalid (component (import "a/b" (func))) "namespace")
(assert_invalid (component (import "A:b/c" (func))) "lower case")
(assert_invalid (component (import "a:b/c@" (func))) "version")
(assert_invalid (component (import "a:b/c@1.2" (func))) "version")
(assert_invalid (component (import "a:b/c@0" (func))) "version")
(assert_invalid (component (import "a:b/c@01.2.3" (func))) "version")
(assert_invalid (component (import "a:b/c@1.2.3-" (func))) "version")

;; Case makes no difference; a word does.
(assert_invalid (component (import "a" (func)) (import "a" (func))) "conflicts")
(assert_invalid (component (import "a" (func)) (import "A" (func))) "conflicts")
(component definition (import "a1" (func)) (import "a-1" (func)) (import "a:b/c@1.0.0" (func)) (import "a:b/c@1.0.1" (func)))
(component definition (import "a" (func $f)) (export "a" (func $f)))
(assert_invalid (component (import "f" (func $f)) (export "a" (func $f)) (export "A" (func $f))) "conflicts")
(assert_invalid (component (import "f" (func $f)) (instance (export "a" (func $f)) (export "A" (func $f)))) "conflicts")
;; A member named like its resource conflicts with it; a constructor does not.
(component definition (import "a" (type $a (sub resource))) (import "[constructor]a" (func (result (own $a)))))
(assert_invalid (component (import "a" (type $a (sub resource)))
  (import "[method]a.a" (func (param "self" (borrow $a)))) (import "[static]a.a" (func))) "conflicts")

;; Labels of fields, cases, flags, enums and parameters.
(assert_invalid (component (type (record (field "a" u8) (field "A" u8)))) "conflicts")
(assert_invalid (component (type (variant (case "a") (case "a")))) "conflicts")
(assert_invalid (component (type (flags "a" "A"))) "conflicts")
(assert_invalid (component (type (enum "a" "b" "a"))) "conflicts")
(assert_invalid (component (type (func (param "a" u8) (param "a" u8)))) "conflicts")
(assert_invalid (component (type (record (field "" u8)))) "kebab")
(assert_invalid (component (type (record (field "a_b" u8)))) "kebab")
(assert_invalid (component (type (enum "1"))) "kebab")
(assert_invalid (component (type (func (param "a:b/c" u8)))) "kebab")
