/** Strings and lists that are the same bytes again and again: memory of one page must not become gigabytes of the host's. */

import test from "ava";
import { MAX_OVERLAPPING_BYTES } from "../../../sandbox/component/abi/limits.ts";
import { exported, instantiateText } from "./guests.ts";

const PAGE_BYTES = 65_536;
const ELEMENTS = 1000;

/** A guest that gives `host` a list of `count` elements, each of which is the first `length` bytes of its memory. */
function guest(element: string): string {
  return `(component
    (import "host" (func $host (param "all" (list ${element}))))
    (core module $Memory (memory (export "memory") 1))
    (core instance $memory (instantiate $Memory))
    (alias core export $memory "memory" (core memory $mem))
    (core func $host' (canon lower (func $host) (memory $mem)))
    (core module $M
      (import "" "host" (func $host (param i32 i32)))
      (import "" "memory" (memory 1))
      (func (export "f") (param $count i32) (param $length i32) (local $at i32) (local $left i32)
        (local.set $at (i32.const 1024))
        (local.set $left (local.get $count))
        (loop $more
          (i32.store (local.get $at) (i32.const 0))
          (i32.store offset=4 (local.get $at) (local.get $length))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (call $host (i32.const 1024) (local.get $count))))
    (core instance $m (instantiate $M (with "" (instance
      (export "host" (func $host')) (export "memory" (memory $mem))))))
    (func (export "f") (param "count" u32) (param "length" u32) (canon lift (core func $m "f"))))`;
}

for (const element of ["(list u8)", "string"]) {
  test(`a list of ${element} whose elements overlap has a bound`, async (t) => {
    const counts: number[] = [];
    const host = (all: readonly unknown[]) => counts.push(all.length);
    const most = Math.floor(MAX_OVERLAPPING_BYTES / PAGE_BYTES) - 1;
    const within = exported(await instantiateText(guest(element), { host }), "f");
    within(most, PAGE_BYTES);
    // The count begins anew with each call.
    within(most, PAGE_BYTES);
    t.deepEqual(counts, [most, most]);
    t.throws(() => within(ELEMENTS, PAGE_BYTES), {
      name: "Trap",
      message: /overlapping strings and lists are too long/,
    });
    t.is(counts.length, 2);
  });
}
