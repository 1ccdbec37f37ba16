;; CanonicalABI.md "Resource State", `canon resource.new/rep/drop`, "Lifting and Lowering" of own and borrow: handle tables, the rules of
;; borrowing, what traps, destructors.

;; A resource that lives in one component: every handle is an index into its table.
(component definition $Table
  (core module $Dtor
    (global $last (export "last") (mut i32) (i32.const -1))
    (func (export "dtor") (param i32) (global.set $last (local.get 0))))
  (core instance $dtor (instantiate $Dtor))
  (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (type $other (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core func $drop-other (canon resource.drop $other))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "drop-other" (func $drop-other (param i32)))
    (import "" "last" (global $last (mut i32)))
    (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "rep") (param i32) (result i32) (call $rep (local.get 0)))
    (func (export "drop") (param i32) (call $drop (local.get 0)))
    (func (export "drop-other") (param i32) (call $drop-other (local.get 0)))
    (func (export "last") (result i32) (global.get $last)))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))
    (export "drop-other" (func $drop-other)) (export "last" (global $dtor "last"))))))
  (func (export "new") (param "rep" u32) (result u32) (canon lift (core func $i "new")))
  (func (export "rep") (param "handle" u32) (result u32) (canon lift (core func $i "rep")))
  (func (export "drop") (param "handle" u32) (canon lift (core func $i "drop")))
  (func (export "drop-other") (param "handle" u32) (canon lift (core func $i "drop-other")))
  (func (export "last") (result s32) (canon lift (core func $i "last"))))

;; Indices start at 1; freed ones are reused, the last one first.
(component instance $a $Table)
(assert_return (invoke "new" (u32.const 70)) (u32.const 1))
(assert_return (invoke "new" (u32.const 71)) (u32.const 2))
(assert_return (invoke "new" (u32.const 72)) (u32.const 3))
(assert_return (invoke "rep" (u32.const 2)) (u32.const 71))
(assert_return (invoke "drop" (u32.const 1)))
(assert_return (invoke "last") (s32.const 70))
(assert_return (invoke "drop" (u32.const 3)))
(assert_return (invoke "last") (s32.const 72))
(assert_return (invoke "new" (u32.const 73)) (u32.const 3))
(assert_return (invoke "new" (u32.const 74)) (u32.const 1))
(assert_return (invoke "new" (u32.const 75)) (u32.const 4))
(assert_trap (invoke "drop-other" (u32.const 1)) "handle index 1 is of another resource type")
;; Two instances know nothing of each other's handles.
(component instance $b $Table)
(assert_trap (invoke "rep" (u32.const 1)) "unknown handle index 1")
(component instance $c $Table)
(assert_trap (invoke "drop" (u32.const 0)) "unknown handle index 0")
(component instance $d $Table)
(assert_trap (invoke "drop" (u32.const 0xffffffff)) "unknown handle index")
(component instance $e $Table)
(assert_return (invoke "new" (u32.const 1)) (u32.const 1))
(assert_return (invoke "drop" (u32.const 1)))
(assert_trap (invoke "drop" (u32.const 1)) "unknown handle index 1")

;; A resource of one component in the hands of a sibling.
(component definition $Pair
  (component $Maker
    (core module $State
      (global $drops (export "drops") (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $drops (i32.add (global.get $drops) (i32.const 1)))))
    (core instance $state (instantiate $State))
    (type $r' (resource (rep i32) (dtor (core func $state "dtor"))))
    (export $r "r" (type $r'))
    (core func $new (canon resource.new $r'))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "drops" (global $drops (mut i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      ;; A borrow of a resource of one's own arrives as its representation.
      (func (export "value") (param i32) (result i32) (local.get 0))
      (func (export "drops") (result i32) (global.get $drops)))
    (core instance $i (instantiate $m (with "" (instance
      (export "new" (func $new)) (export "drops" (global $state "drops"))))))
    (func (export "make") (param "rep" u32) (result (own $r)) (canon lift (core func $i "make")))
    (func (export "value") (param "self" (borrow $r)) (result u32) (canon lift (core func $i "value")))
    (func (export "drops") (result u32) (canon lift (core func $i "drops"))))
  (component $User
    (import "maker" (instance $maker
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "value" (func (param "self" (borrow $r)) (result u32)))
      (export "drops" (func (result u32)))))
    (alias export $maker "r" (type $r))
    (core func $make (canon lower (func $maker "make")))
    (core func $value (canon lower (func $maker "value")))
    (core func $drop (canon resource.drop $r))
    (core module $m
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "value" (func $value (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "lend") (param i32) (result i32) (local $h i32)
        (local.set $h (call $make (local.get 0)))
        (call $value (local.get $h))
        (call $drop (local.get $h)))
      (func (export "after-drop") (local $h i32)
        (local.set $h (call $make (i32.const 1)))
        (call $drop (local.get $h))
        (drop (call $value (local.get $h))))
      (func (export "of-nothing") (drop (call $value (i32.const 5))))
      (func (export "keep") (param i32))
      (func (export "release") (param i32) (call $drop (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "value" (func $value)) (export "drop" (func $drop))))))
    (func (export "lend") (param "rep" u32) (result u32) (canon lift (core func $i "lend")))
    (func (export "after-drop") (canon lift (core func $i "after-drop")))
    (func (export "of-nothing") (canon lift (core func $i "of-nothing")))
    (func (export "keep") (param "r" (borrow $r)) (canon lift (core func $i "keep")))
    (func (export "release") (param "r" (borrow $r)) (canon lift (core func $i "release"))))
  ;; Lends a resource of its own handle to the user, and may drop it meanwhile.
  (component $Lender
    (import "maker" (instance $maker
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))))
    (alias export $maker "r" (type $r))
    (import "keep" (func $keep (param "r" (borrow $r))))
    (import "release" (func $release (param "r" (borrow $r))))
    (core func $make (canon lower (func $maker "make")))
    (core func $keep (canon lower (func $keep)))
    (core func $release (canon lower (func $release)))
    (core module $m
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "keep" (func $keep (param i32)))
      (import "" "release" (func $release (param i32)))
      (func (export "release") (local $h i32)
        (local.set $h (call $make (i32.const 3)))
        (call $release (local.get $h))
        (call $release (local.get $h)))
      (func (export "keep") (call $keep (call $make (i32.const 3)))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "keep" (func $keep)) (export "release" (func $release))))))
    (func (export "release") (canon lift (core func $i "release")))
    (func (export "keep") (canon lift (core func $i "keep"))))
  (instance $maker (instantiate $Maker))
  (instance $user (instantiate $User (with "maker" (instance $maker))))
  (instance $lender (instantiate $Lender (with "maker" (instance $maker))
    (with "keep" (func $user "keep")) (with "release" (func $user "release"))))
  (export "lend" (func $user "lend"))
  (export "after-drop" (func $user "after-drop"))
  (export "of-nothing" (func $user "of-nothing"))
  (export "release" (func $lender "release"))
  (export "keep" (func $lender "keep"))
  (export "drops" (func $maker "drops")))
(component instance $p1 $Pair)
(assert_return (invoke "lend" (u32.const 42)) (u32.const 42))
(assert_return (invoke "drops") (u32.const 1))
(assert_return (invoke "release"))
;; Giving a borrow back drops nothing.
(assert_return (invoke "drops") (u32.const 1))
(assert_trap (invoke "keep") "borrow handles still remain at the end of the call")
(component instance $p2 $Pair)
(assert_trap (invoke "after-drop") "unknown handle index 1")
(component instance $p3 $Pair)
(assert_trap (invoke "of-nothing") "unknown handle index 5")

;; resource.new and resource.rep are for the component that defines the resource.
(assert_invalid (component (import "r" (type $r (sub resource))) (core func (canon resource.new $r))) "not local")
(assert_invalid (component (import "r" (type $r (sub resource))) (core func (canon resource.rep $r))) "not local")
(component definition (import "r" (type $r (sub resource))) (core func (canon resource.drop $r)))
(assert_invalid (component (type $t u8) (core func (canon resource.drop $t))) "not a resource")
;; A destructor takes the representation and returns nothing.
(assert_invalid
  (component
    (core module $m (func (export "d") (param i32) (result i32) unreachable))
    (core instance $i (instantiate $m))
    (type (resource (rep i32) (dtor (core func $i "d")))))
  "destructor")
;; A borrow can't be returned, wherever it hides.
(assert_invalid (component (import "r" (type $r (sub resource))) (type (func (result (borrow $r))))) "borrow")
(assert_invalid (component (import "r" (type $r (sub resource))) (type (func (result (list (borrow $r)))))) "borrow")
(component definition (import "r" (type $r (sub resource))) (type (func (param "a" (list (borrow $r))))))
;; Names of methods, statics and constructors fit the resource and the signature.
(assert_invalid (component (import "r" (type $r (sub resource))) (import "[method]r.f" (func (param "this" (borrow $r))))) "self")
(assert_invalid (component (import "r" (type $r (sub resource))) (import "[method]r.f" (func (param "self" (own $r))))) "borrow")
(assert_invalid (component (import "[static]r.f" (func))) "resource")
(assert_invalid (component (import "r" (type $r (sub resource))) (import "[constructor]r" (func (result u8)))) "own")
(component definition
  (import "r" (type $r (sub resource)))
  (import "[constructor]r" (func (param "a" u8) (result (own $r))))
  (import "[method]r.f" (func (param "self" (borrow $r))))
  (import "[static]r.g" (func)))
