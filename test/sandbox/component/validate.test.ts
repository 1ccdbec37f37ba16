/** Component Model validation: each rule by name, with what breaks it and what does not. */

import { readFile } from "node:fs/promises";
import test from "ava";
import { describeComponent } from "../../../sandbox/component/component-type.ts";
import { decodeComponent } from "../../../sandbox/component/decode.ts";
import { ComponentError } from "../../../sandbox/component/errors.ts";
import { validateComponent } from "../../../sandbox/component/validate.ts";
import { componentFromText } from "../../support/wat.ts";
import { type Bytes, component, name, section, u32 } from "./bytes.ts";

function refusal(bytes: Bytes | Uint8Array): ComponentError {
  const decoded = decodeComponent(Uint8Array.from(bytes));
  try {
    validateComponent(decoded);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const CORE = `(core module $m
    (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "nothing"))
    (func (export "get") (result i32) unreachable)
    (func (export "take") (param i32)))
  (core instance $i (instantiate $m))`;

const rules: readonly (readonly [rule: string, valid: string, invalid: string, message: RegExp])[] = [
  [
    "an index reaches only what precedes it",
    "(type string) (type (list 0))",
    "(type (list 1)) (type string)",
    /type index 1 is out of bounds/,
  ],
  ["a record has a field", '(type (record (field "a" u8)))', "(type (record))", /record has to have a field/],
  [
    "labels are in kebab case",
    '(type (enum "one-two" "ABC-d1-2"))',
    '(type (enum "oneTwo"))',
    /"oneTwo" is not in kebab case/,
  ],
  [
    "labels are unique without case",
    '(type (record (field "a-b" u8) (field "ab" u8)))',
    '(type (record (field "a-b" u8) (field "A-B" u8)))',
    /"A-B" conflicts with "a-b"/,
  ],
  [
    "an interface name has a semantic version",
    '(import "a:b/c@0.2.0-rc.1+build.5" (func))',
    '(import "a:b/c@0.2.01" (func))',
    /is not a semantic version/,
  ],
  [
    "names of methods count by their label",
    '(import "a" (type (sub resource))) (import "[static]a.b" (func))',
    '(import "a" (type (sub resource))) (import "[static]a.a" (func))',
    /conflicts with the name "a"/,
  ],
  [
    "a constructor returns its resource",
    '(import "a" (type $a (sub resource))) (import "[constructor]a" (func (result (own $a))))',
    '(import "a" (type $a (sub resource))) (import "[constructor]a" (func (result u32)))',
    /has to return the resource as own/,
  ],
  [
    "a method borrows itself first",
    '(import "a" (type $a (sub resource))) (import "[method]a.b" (func (param "self" (borrow $a))))',
    '(import "a" (type $a (sub resource))) (import "[method]a.b" (func (param "self" (own $a))))',
    /as a borrow of its resource/,
  ],
  [
    "a result holds no borrow",
    "(type $r (resource (rep i32))) (type (func (result (option (own $r)))))",
    "(type $r (resource (rep i32))) (type (func (result (option (borrow $r)))))",
    /cannot contain a borrow/,
  ],
  [
    "a destructor takes the representation",
    `${CORE} (type (resource (rep i32) (dtor (core func $i "take"))))`,
    `${CORE} (type (resource (rep i32) (dtor (core func $i "nothing"))))`,
    /destructor has to be \[i32\] -> \[\]/,
  ],
  [
    "only who defines a resource makes handles of it",
    "(type $r (resource (rep i32))) (core func (canon resource.new $r))",
    '(import "r" (type $r (sub resource))) (core func (canon resource.new $r))',
    /needs a local resource/,
  ],
  [
    "a lifted function has the flattened signature",
    `${CORE} (func (param "x" char) (canon lift (core func $i "take")))`,
    `${CORE} (func (param "x" s64) (canon lift (core func $i "take")))`,
    /has to be \[i64\] -> \[\], not \[i32\] -> \[\]/,
  ],
  [
    "a result of more than one flat value needs memory",
    `${CORE} (func (result (tuple u8 u8)) (canon lift (core func $i "get") (memory (core memory $i "mem"))))`,
    `${CORE} (func (result (tuple u8 u8)) (canon lift (core func $i "get")))`,
    /option memory is missing/,
  ],
  [
    "who receives a string needs realloc",
    `(import "f" (func $f (result string))) ${CORE}
      (core func (canon lower (func $f) (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))`,
    `(import "f" (func $f (result string))) ${CORE}
      (core func (canon lower (func $f) (memory (core memory $i "mem"))))`,
    /option realloc is missing/,
  ],
  [
    "post-return takes what the function returned",
    `${CORE} (func (result u32) (canon lift (core func $i "get") (post-return (core func $i "take"))))`,
    `${CORE} (func (result u32) (canon lift (core func $i "get") (post-return (core func $i "nothing"))))`,
    /post-return has to take/,
  ],
  [
    "resources do not cross a component's boundary by an outer alias",
    '(type $t (record (field "a" u8))) (component (alias outer 1 0 (type)))',
    "(type $r (resource (rep i32))) (type $t (list (own $r))) (component (alias outer 1 1 (type)))",
    /transitively refers to resources/,
  ],
  [
    "an exported function mentions visible types only",
    `${CORE} (type $e (enum "a")) (export $x "e" (type $e)) (func $f (result $x) (canon lift (core func $i "get"))) (export "f" (func $f))`,
    `${CORE} (type $e (enum "a")) (func $f (result $e) (canon lift (core func $i "get"))) (export "f" (func $f))`,
    /"f" mentions a type without a visible name/,
  ],
  [
    "an import depends on no resource that is defined here",
    '(import "r" (type $r (sub resource))) (import "s" (type (eq $r)))',
    '(type $r (resource (rep i32))) (import "s" (type (eq $r)))',
    /"s" mentions a resource that is defined or exported here/,
  ],
  [
    "an instance made of exports renames no types",
    `(type $r (resource (rep i32))) (instance $bag (export "r" (type $r))) (export "i" (instance $bag))
      (core func $drop (canon resource.drop $r)) (func $f (param "x" (own $r)) (canon lift (core func $drop))) (export "f" (func $f))`,
    `(type $r (resource (rep i32)))
      (core func $drop (canon resource.drop $r)) (func $f (param "x" (own $r)) (canon lift (core func $drop)))
      (instance (export "r" (type $r)) (export "[static]r.f" (func $f)))`,
    /has no such name here/,
  ],
  [
    "an argument is of the type that is imported",
    '(import "f" (func $f (param "x" u8))) (component $c (import "g" (func (param "x" u8)))) (instance (instantiate $c (with "g" (func $f))))',
    '(import "f" (func $f (param "x" u8))) (component $c (import "g" (func (param "y" u8)))) (instance (instantiate $c (with "g" (func $f))))',
    /argument "g": expected parameter "y", found "x"/,
  ],
  [
    "every import has an argument",
    '(component $c (import "g" (func))) (import "f" (func $f)) (instance (instantiate $c (with "g" (func $f))))',
    '(component $c (import "g" (func))) (import "f" (func $f)) (instance (instantiate $c (with "h" (func $f))))',
    /no argument is given for the import "g"/,
  ],
  [
    "an instance may export more than is expected, not less",
    '(import "i" (instance $i (export "a" (func)) (export "b" (func)))) (component $c (import "j" (instance (export "a" (func))))) (instance (instantiate $c (with "j" (instance $i))))',
    '(import "i" (instance $i (export "a" (func)))) (component $c (import "j" (instance (export "a" (func)) (export "b" (func))))) (instance (instantiate $c (with "j" (instance $i))))',
    /argument "j": missing export "b"/,
  ],
  [
    "a component may import less than is expected, not more",
    '(component $inner (import "a" (func))) (component $c (import "k" (component (import "a" (func)) (import "b" (func))))) (instance (instantiate $c (with "k" (component $inner))))',
    '(component $inner (import "a" (func)) (import "b" (func))) (component $c (import "k" (component (import "a" (func))))) (instance (instantiate $c (with "k" (component $inner))))',
    /missing import "b"/,
  ],
  [
    "each instantiation makes resources of its own",
    `(component $c (type $r (resource (rep i32))) (export "r" (type $r)))
      (instance $one (instantiate $c))
      (component $same (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))
      (instance (instantiate $same (with "a" (type $one "r")) (with "b" (type $one "r"))))`,
    `(component $c (type $r (resource (rep i32))) (export "r" (type $r)))
      (instance $one (instantiate $c)) (instance $two (instantiate $c))
      (component $same (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))
      (instance (instantiate $same (with "a" (type $one "r")) (with "b" (type $two "r"))))`,
    /resource types are not the same/,
  ],
  [
    "a core import is matched by its full type",
    `${CORE} (core module $n (import "env" "f" (func (param i32)))) (core instance (instantiate $n (with "env" (instance (export "f" (func $i "take"))))))`,
    `${CORE} (core module $n (import "env" "f" (func (param i64)))) (core instance (instantiate $n (with "env" (instance (export "f" (func $i "take"))))))`,
    /core import "env" "f": expected \[i64\] -> \[\], found \[i32\] -> \[\]/,
  ],
  [
    "a type given to an export is a supertype of its item's",
    '(import "i" (instance $i (export "a" (func)))) (export "j" (instance $i) (instance))',
    '(import "i" (instance $i)) (export "j" (instance $i) (instance (export "a" (func))))',
    /does not fit its item: missing export "a"/,
  ],
  [
    "only an instance implements an interface",
    '(import "a" (implements "b:c/d") (instance))',
    '(import "a" (implements "b:c/d") (func))',
    /only instances implement interfaces/,
  ],
];

for (const [rule, valid, invalid, message] of rules) {
  test(rule, async (t) => {
    const accepted = await componentFromText(`(component ${valid})`);
    t.notThrows(() => validateComponent(decodeComponent(accepted)));
    const error = refusal(await componentFromText(`(component ${invalid})`));
    t.is(error.code, "component/invalid");
    t.regex(error.message, message);
  });
}

test("the message names the definition and the component that broke a rule", async (t) => {
  const bytes = await componentFromText('(component (type string) (component (import "f" (func (type 7)))))');
  const error = refusal(bytes);
  t.regex(error.message, /component at byte \d\d, definition 0 \(import "f"\): type index 7/);
  t.true(error.cause instanceof Error);
});

test("a canonical option that needs memory64 or threads is named as unsupported", async (t) => {
  const lowering = (memory: string) =>
    componentFromText(`(component
      (import "f" (func $f (param "x" string)))
      (core module $m (memory (export "mem") ${memory}))
      (core instance $i (instantiate $m))
      (core func (canon lower (func $f) (memory (core memory $i "mem")))))`);
  const wide = refusal(await lowering("i64 1"));
  t.is(wide.code, "component/unsupported");
  t.regex(wide.message, /memory64/);
  t.regex(refusal(await lowering("1 2 shared")).message, /threads/);
});

/** A type section whose types each refer twice to the one before: written out, it doubles with every type. */
function doublingTypes(first: Bytes, double: (previous: number) => Bytes, count: number): Bytes {
  const types = Array.from({ length: count }, (_, previous) => double(previous)).flat();
  return section(7, [...u32(count + 1), ...first, ...types]);
}

test("a value type whose size doubles ends at 2^28 bytes", (t) => {
  const tuples = doublingTypes([0x77], (previous) => [0x6f, 2, previous, previous], 60);
  t.regex(refusal(component(tuples)).message, /2\^28 or more/);
});

test("an instance type that doubles with every level runs out of steps, not of memory", (t) => {
  const scope = (previous: number): Bytes => {
    const alias = [0x02, 0x03, 0x02, 1, previous];
    const exported = (label: string) => [0x04, 0x00, ...name(label), 0x05, 0];
    return [0x42, 3, ...alias, ...exported("a"), ...exported("b")];
  };
  const leaf: Bytes = [0x42, 1, 0x04, 0x00, ...name("r"), 0x03, 0x01];
  const types = doublingTypes(leaf, scope, 40);
  t.is(refusal(component(types)).code, "component/limit-exceeded");
});

test("types refer to one another in a bounded number of levels", (t) => {
  const lists = doublingTypes([0x7d], (previous) => [0x70, ...signed(previous)], 150);
  t.is(refusal(component(lists)).code, "component/limit-exceeded");
});

/** A type index as a value type has it: signed LEB128. */
function signed(index: number): Bytes {
  return index < 0x40 ? [index] : [(index & 0x7f) | 0x80, index >>> 7];
}

test("a long name that almost matches is refused as quickly as any", (t) => {
  const types = section(7, [1, 0x40, 0, 1, 0]);
  const imported = section(10, [1, 0x00, ...name(`a${"-1".repeat(4_000)}!`), 0x01, 0]);
  t.regex(refusal(component(types, imported)).message, /not in kebab case/);
});

test("imports and exports are listed with the functions of their instances", async (t) => {
  const bytes = await componentFromText(`(component
    (import "wasi:io/poll@0.2.6" (instance $poll
      (export "pollable" (type $p (sub resource)))
      (export "[method]pollable.block" (func (param "self" (borrow $p))))
      (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
    (import "log" (func $log (param "text" string)))
    (component $c (import "f" (func $f)) (export "run-it" (func $f)))
    (import "g" (func $g))
    (instance $i (instantiate $c (with "f" (func $g))))
    (export "a:b/c" (instance $i))
    (export "again" (func $log)))`);
  t.deepEqual(describeComponent(decodeComponent(bytes)), {
    imports: [
      { name: "wasi:io/poll@0.2.6", sort: "instance", functions: ["[method]pollable.block", "poll"] },
      { name: "log", sort: "func", functions: [] },
      { name: "g", sort: "func", functions: [] },
    ],
    exports: [
      { name: "a:b/c", sort: "instance", functions: ["run-it"] },
      { name: "again", sort: "func", functions: [] },
    ],
  });
});

test("components that real tools made are valid, and say what they need", async (t) => {
  const describe = async (path: string) =>
    describeComponent(decodeComponent(await readFile(new URL(`../../../examples/${path}`, import.meta.url))));
  const fromC = await describe("thermo-c/thermo-1.0.0.wasm");
  t.true(fromC.exports.some((entry) => entry.name.startsWith("wasi:cli/run@0.2.")));
  const sensor = fromC.imports.find((entry) => entry.name.startsWith("skerry:device/sensor@"));
  t.true(sensor?.functions.includes("[method]sensor.read"));
  const fromJavaScript = await describe("modbus-js/modbus-1.0.0.wasm");
  const timer = fromJavaScript.exports.find((entry) => entry.name.startsWith("skerry:module/timer-handler@"));
  t.deepEqual(timer?.functions, ["on-timer"]);
});
