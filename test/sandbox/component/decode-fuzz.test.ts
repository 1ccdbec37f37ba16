/** Whatever the bytes are, decoding and validating them ends in a component or in a ComponentError. */

import test from "ava";
import { decodeComponent } from "../../../sandbox/component/decode.ts";
import { ComponentError } from "../../../sandbox/component/errors.ts";
import { validateComponent } from "../../../sandbox/component/validate.ts";
import { componentFromText } from "../../support/wat.ts";

const SEED = 20_261_120;
const FLIPS_PER_COMPONENT = 3_000;

const texts: readonly (readonly [string, string])[] = [
  [
    "canonical functions",
    `(component
      (import "log" (func $log (param "message" string)))
      (core module $libc
        (memory (export "mem") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
      (core instance $libc (instantiate $libc))
      (core func $log' (canon lower (func $log) (memory (core memory $libc "mem"))))
      (core module $m
        (import "host" "log" (func $log (param i32 i32)))
        (global i32 (i32.add (i32.const 1) (i32.const 2)))
        (func (export "run") (param i32 i32) (call $log (local.get 0) (local.get 1))))
      (core instance $m (instantiate $m (with "host" (instance (export "log" (func $log'))))))
      (func (export "run") (param "text" string)
        (canon lift (core func $m "run") (memory (core memory $libc "mem")) (realloc (core func $libc "realloc")))))`,
  ],
  [
    "resources and instances",
    `(component
      (type $store (instance
        (export "bucket" (type $bucket (sub resource)))
        (type $e (record (field "key" string) (field "value" (list u8))))
        (export "entry" (type $entry (eq $e)))
        (export "[constructor]bucket" (func (param "name" string) (result (own $bucket))))
        (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (result (option $entry))))))
      (import "a:b/store@0.2.1" (instance $s (type $store)))
      (alias export $s "bucket" (type $bucket))
      (component $child
        (import "bucket" (type $b (sub resource)))
        (import "open" (func (param "name" string) (result (own $b))))
        (type $r (resource (rep i32)))
        (export "r" (type $r)))
      (instance $c (instantiate $child
        (with "bucket" (type $bucket))
        (with "open" (func $s "[constructor]bucket"))))
      (export "c" (instance $c)))`,
  ],
  [
    "module types and outer aliases",
    `(component $outer
      (core type $f (func (param i32) (result i64)))
      (core type $mt (module
        (alias outer $outer $f (type $g))
        (import "env" "f" (func (type $g)))
        (export "t" (table 1 2 funcref))))
      (type $kind (variant (case "a" u8) (case "b")))
      (import "m" (core module (type $mt)))
      (type (component
        (alias outer $outer $kind (type $k))
        (import "k" (type (eq $k)))
        (export "n" (instance (export "e" (type (sub resource))))))))`,
  ],
];

/** A small linear congruential generator: the same numbers on every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Whether the bytes are accepted; throws whatever is no ComponentError. */
function isAccepted(bytes: Uint8Array): boolean {
  try {
    validateComponent(decodeComponent(bytes));
    return true;
  } catch (error) {
    if (error instanceof ComponentError) return false;
    throw error;
  }
}

for (const [what, text] of texts) {
  test(`truncated at any byte: ${what}`, async (t) => {
    const bytes = await componentFromText(text);
    t.true(isAccepted(bytes));
    let refused = 0;
    for (let length = 0; length < bytes.length; length += 1)
      if (!isAccepted(bytes.subarray(0, length))) refused += 1;
    t.true(refused > bytes.length / 2, "a component cut between two sections may be whole, but seldom is");
  });

  test(`with bytes flipped: ${what}`, async (t) => {
    const bytes = await componentFromText(text);
    const random = randomNumbers(SEED);
    let refused = 0;
    for (let round = 0; round < FLIPS_PER_COMPONENT; round += 1) {
      const broken = Uint8Array.from(bytes);
      for (let flips = 1 + random(3); flips > 0; flips -= 1) broken[random(broken.length)] = random(256);
      if (!isAccepted(broken)) refused += 1;
    }
    t.true(refused > FLIPS_PER_COMPONENT / 4);
  });
}

test("random bytes after a component's preamble", (t) => {
  const random = randomNumbers(SEED);
  const preamble = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
  let refused = 0;
  for (let round = 0; round < FLIPS_PER_COMPONENT; round += 1) {
    const tail = Array.from({ length: 1 + random(64) }, () => random(256));
    if (!isAccepted(Uint8Array.from([...preamble, ...tail]))) refused += 1;
  }
  t.true(refused > FLIPS_PER_COMPONENT / 2);
});
