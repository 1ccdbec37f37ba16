/**
 * Random valid components, as text.
 *
 * Each has functions that hand their argument on to an imported function and return what that gives (`echo-…`),
 * through one to three components one inside the other with different string encodings, functions that take several arguments (`take-…`),
 * functions of a resource, and functions whose core code returns whatever it likes (`wild-…`): those may trap.
 */

import type { Random } from "./random.ts";
import { type Core, type TextType, TypePool } from "./types.ts";

const MAX_FLAT_PARAMETERS = 16;
const ENCODINGS = ["utf8", "utf16", "latin1+utf16"];

/** The text of a random valid component. */
export function generateComponent(random: Random): string {
  const pool = new TypePool(random);
  const parts = [pool.definitions, ALLOCATOR];
  for (let count = 1 + random.below(3); count > 0; count -= 1) parts.push(echo(random, pool, count));
  if (random.percent(60)) parts.push(take(random, pool));
  if (random.percent(50)) parts.push(guestResource(random));
  if (random.percent(50)) parts.push(hostResource(random));
  if (random.percent(60)) parts.push(wild(random, pool));
  if (random.percent(40)) parts.push(inInterface(random, pool));
  return `(component ${parts.join("\n")})`;
}

/** A memory and a bump allocator, which starts over after each call (`reset`). */
const ALLOCATOR = `
  (core module $Allocator
    (memory (export "memory") 1 256)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))))
      (local.get $at))
    (func (export "reset") (global.set $next (i32.const 4096)))
    (func (export "ignore") (param i32)))
  (core instance $allocator (instantiate $Allocator))
  (alias core export $allocator "memory" (core memory $memory))
  (alias core export $allocator "realloc" (core func $realloc))
  (alias core export $allocator "reset" (core func $reset))
  (alias core export $allocator "ignore" (core func $ignore))`;

const MEMORY = "(memory (core memory $memory)) (realloc (core func $realloc))";

interface Signature {
  readonly parameters: readonly Core[];
  /** The core result of a lifted function; `undefined` for none. */
  readonly result: Core | undefined;
  readonly resultInMemory: boolean;
}

function signature(parameters: readonly TextType[], result: TextType | undefined): Signature {
  const flat = parameters.flatMap((one) => one.flat);
  const inMemory = (result?.flat.length ?? 0) > 1;
  return {
    parameters: flat.length > MAX_FLAT_PARAMETERS ? ["i32"] : flat,
    result: inMemory ? "i32" : result?.flat[0],
    resultInMemory: inMemory,
  };
}

/**
 * The core function that calls the lowered one with its own arguments, and the lifted function over it.
 *
 * @param callee the component function that is called
 * @param type the function type, as text
 */
function forward(
  random: Random,
  id: string,
  callee: string,
  type: string,
  of: Signature,
  before = "",
): string {
  const encoding = random.pick(ENCODINGS);
  const { parameters, result, resultInMemory } = of;
  const params = `(param ${parameters.join(" ")})`;
  const args = parameters.map((_, index) => `(local.get ${index})`).join(" ");
  const call = resultInMemory ? `(call $f ${args} (i32.const 16)) (i32.const 16)` : `(call $f ${args})`;
  const lowered = resultInMemory
    ? `(param ${parameters.join(" ")} i32)`
    : `${params} ${result === undefined ? "" : `(result ${result})`}`;
  const postReturn = random.percent(70) ? `(post-return (core func $i-${id} "post-return"))` : "";
  return `
    (core func $lowered-${id} (canon lower (func ${callee}) string-encoding=${encoding} ${MEMORY}))
    (core module $m-${id}
      (import "" "f" (func $f ${lowered}))
      (import "" "reset" (func $reset))
      (import "" "before" (func $before (param i32)))
      (func (export "f") ${params} ${result === undefined ? "" : `(result ${result})`} ${call} ${before})
      (func (export "post-return") ${result === undefined ? "" : `(param ${result})`} (call $reset)))
    (core instance $i-${id} (instantiate $m-${id} (with "" (instance
      (export "f" (func $lowered-${id})) (export "reset" (func $reset))
      (export "before" (func ${before === "" ? "$ignore" : `$drop-${id}`}))))))
    (func $lifted-${id} ${type} (canon lift (core func $i-${id} "f") string-encoding=${encoding} ${MEMORY} ${postReturn}))`;
}

/** A value goes in and comes back, through as many components as there are levels. */
function echo(random: Random, pool: TypePool, index: number): string {
  const type = pool.type(3);
  const functionType = `(param "a" ${type.text}) (result ${type.text})`;
  const of = signature([type], type);
  const id = `echo-${index}`;
  const imported = `(import "${id}" (func $${id} ${functionType}))`;
  const levels = 1 + random.below(3);
  const level = (name: string, callee: string) => {
    const inner = forward(random, id, `$${id}`, functionType, of);
    return `
      (component $${name} ${pool.definitions} ${imported} ${ALLOCATOR} ${inner}
        (export "echo" (func $lifted-${id})))
      (instance $${name} (instantiate $${name} ${withTypes(pool)} (with "${id}" (func ${callee}))))`;
  };
  let callee = `$${id}`;
  const parts = [imported];
  for (let count = 0; count < levels; count += 1) {
    parts.push(level(`${id}-${count}`, callee));
    callee = `$${id}-${count} "echo"`;
  }
  parts.push(`(export "echo-through-${index}" (func ${callee}))`);
  return parts.join("\n");
}

function withTypes(pool: TypePool): string {
  return Array.from(
    pool.definitions.matchAll(/\(import "(t\d+)"/g),
    ([, name]) => `(with "${name}" (type $${name}))`,
  ).join(" ");
}

/** Several arguments, now and then more than fit flat, and no result. */
function take(random: Random, pool: TypePool): string {
  const types = random.times(1 + random.below(5), () => pool.type(2));
  const parameters = types.map((one, index) => `(param "p${index}" ${one.text})`).join(" ");
  return `
    (import "take" (func $take ${parameters}))
    ${forward(random, "take", "$take", parameters, signature(types, undefined))}
    (export "take-all" (func $lifted-take))`;
}

/** A resource of the guest's: its representation is what its constructor was given. */
function guestResource(random: Random): string {
  const destructor = random.percent(50) ? `(dtor (core func $dtor "d"))` : "";
  return `
    (core module $Dtor (func (export "d") (param i32)))
    (core instance $dtor (instantiate $Dtor))
    (type $thing-def (resource (rep i32) ${destructor}))
    (export $thing "thing" (type $thing-def))
    (core func $thing-new (canon resource.new $thing-def))
    (core func $thing-rep (canon resource.rep $thing-def))
    (core func $thing-drop (canon resource.drop $thing-def))
    (core module $Thing
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "value") (param i32) (result i32) (local.get 0))
      (func (export "swap") (param i32 i32) (result i32)
        (drop (call $rep (local.get 0))) (call $drop (local.get 0)) (call $new (i32.const 7)))
      (func (export "wild") (param i32) (result i32) (call $drop (local.get 0)) (local.get 0)))
    (core instance $thing-core (instantiate $Thing (with "" (instance
      (export "new" (func $thing-new)) (export "rep" (func $thing-rep)) (export "drop" (func $thing-drop))))))
    (func $thing-new' (param "value" u32) (result (own $thing)) (canon lift (core func $thing-core "new")))
    (func $thing-value' (param "self" (borrow $thing)) (result u32) (canon lift (core func $thing-core "value")))
    (func $thing-swap' (param "thing" (own $thing)) (param "value" u32) (result (own $thing))
      (canon lift (core func $thing-core "swap")))
    (export "[constructor]thing" (func $thing-new'))
    (export "[method]thing.value" (func $thing-value'))
    (export "[static]thing.swap" (func $thing-swap'))
    ${random.percent(30) ? `(func $thing-wild' (param "h" u32) (result u32) (canon lift (core func $thing-core "wild")))\n(export "wild-handle" (func $thing-wild'))` : ""}`;
}

/** A resource of the host's: given, lent, and given back. */
function hostResource(random: Random): string {
  const own = signature([{ text: "", flat: ["i32"] }], { text: "", flat: ["i32"] });
  const lend = signature([{ text: "", flat: ["i32"] }], undefined);
  const ownType = `(param "a" (own $file)) (result (own $file))`;
  const lendType = `(param "a" (borrow $file))`;
  return `
    (import "file" (type $file (sub resource)))
    (import "echo-file" (func $echo-file ${ownType}))
    (import "lend-file" (func $lend-file ${lendType}))
    (core func $drop-lend (canon resource.drop $file))
    ${forward(random, "own", "$echo-file", ownType, own)}
    ${forward(random, "lend", "$lend-file", lendType, lend, random.percent(80) ? "(call $before (local.get 0))" : "")}
    (export "echo-own" (func $lifted-own))
    (export "wild-lend" (func $lifted-lend))`;
}

/** Core code that returns any bits at all, from a `realloc` of the same kind. */
function wild(random: Random, pool: TypePool): string {
  const [taken, given] = [pool.type(2), pool.type(3)];
  const { parameters, result } = signature([taken], given);
  const value =
    result === undefined
      ? ""
      : `(${result}.const ${random.percent(60) ? random.below(512) * 4 : random.bits() | 0})`;
  const bytes = random.times(
    256,
    () => `\\${(random.percent(60) ? random.below(4) : random.below(256)).toString(16).padStart(2, "0")}`,
  );
  return `
    (core module $Wild
      (memory (export "memory") 1)
      (data (i32.const 0) "${bytes.join("")}")
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (i32.const ${random.percent(50) ? random.below(4000) * 8 : random.bits() | 0}))
      (func (export "f") (param ${parameters.join(" ")}) (result ${result}) ${value}))
    (core instance $wild (instantiate $Wild))
    (func $wild' (param "a" ${taken.text}) (result ${given.text}) (canon lift (core func $wild "f")
      string-encoding=${random.pick(ENCODINGS)} (memory (core memory $wild "memory")) (realloc (core func $wild "realloc"))))
    (export "wild-value" (func $wild'))`;
}

/** Functions of an imported interface, handed on as an interface of the component's. */
function inInterface(random: Random, pool: TypePool): string {
  const type = pool.type(2);
  const functionType = `(param "a" ${type.text}) (result ${type.text})`;
  return `
    (import "fuzz:host/face@0.2.${random.below(10)}" (instance $face (export "echo" (func ${functionType}))))
    (alias export $face "echo" (func $face-echo))
    ${forward(random, "face", "$face-echo", functionType, signature([type], type))}
    (instance $given (export "echo-face" (func $lifted-face)))
    (export "fuzz:guest/face" (instance $given))`;
}
