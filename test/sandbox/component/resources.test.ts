/** Resources on both sides of the host's boundary (CanonicalABI.md "Resource State", jco's classes). */

import test from "ava";
import { exported, instantiateText } from "./guests.ts";

/** Implements `counter`: its representation is its value. `dropped` gives the last one whose destructor ran. */
const counterGuest = `(component
  (core module $State
    (global $dropped (mut i32) (i32.const 0))
    (func (export "destroy") (param i32) (global.set $dropped (local.get 0)))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $state (instantiate $State))
  (type $counter' (resource (rep i32) (dtor (core func $state "destroy"))))
  (core func $new (canon resource.new $counter'))
  (core func $drop (canon resource.drop $counter'))
  (core func $rep (canon resource.rep $counter'))
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "value-of-own") (param i32) (result i32) (call $rep (local.get 0)))
    (func (export "take") (param i32) (call $drop (local.get 0))))
  (core instance $m (instantiate $M (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))))))
  (component $Interface
    (import "counter" (type $counter (sub resource)))
    (import "make" (func $make (param "start" u32) (result (own $counter))))
    (import "value" (func $value (param "self" (borrow $counter)) (result u32)))
    (import "sum" (func $sum (param "a" (borrow $counter)) (param "b" (borrow $counter)) (result u32)))
    (import "take" (func $take (param "c" (own $counter))))
    (export $counter' "counter" (type $counter))
    (export "[constructor]counter" (func $make)
      (func (param "start" u32) (result (own $counter'))))
    (export "[method]counter.current-value" (func $value)
      (func (param "self" (borrow $counter')) (result u32)))
    (export "[static]counter.add-up" (func $sum)
      (func (param "a" (borrow $counter')) (param "b" (borrow $counter')) (result u32)))
    (export "make-one" (func $make) (func (param "start" u32) (result (own $counter'))))
    (export "take" (func $take) (func (param "c" (own $counter')))))
  (func $make (param "start" u32) (result (own $counter')) (canon lift (core func $m "make")))
  (func $value (param "self" (borrow $counter')) (result u32) (canon lift (core func $m "value")))
  (func $sum (param "a" (borrow $counter')) (param "b" (borrow $counter')) (result u32)
    (canon lift (core func $m "sum")))
  (func $take (param "c" (own $counter')) (canon lift (core func $m "take")))
  (instance $counters (instantiate $Interface
    (with "counter" (type $counter'))
    (with "make" (func $make)) (with "value" (func $value)) (with "sum" (func $sum)) (with "take" (func $take))))
  (export "acme:count/counters@1.0.0" (instance $counters))
  (func (export "dropped") (result u32) (canon lift (core func $state "dropped"))))`;

interface Counter extends Disposable {
  currentValue(): number;
}

interface Counters {
  readonly Counter: { new (start: number): Counter; addUp(a: Counter, b: Counter): number };
  makeOne(start: number): Counter;
  take(counter: Counter): void;
}

async function counterInstance() {
  const instance = await instantiateText(counterGuest);
  return {
    // What the text above exports.
    counters: instance.exports["acme:count/counters@1.0.0"] as Counters,
    dropped: exported(instance, "dropped"),
  };
}

test("a guest's resource is a class with its constructor, methods and statics", async (t) => {
  const { counters } = await counterInstance();
  const counter = new counters.Counter(7);
  t.true(counter instanceof counters.Counter);
  t.is(counters.Counter.name, "Counter");
  t.is(counter.currentValue(), 7);
  t.is(counters.Counter.addUp(counter, new counters.Counter(5)), 12);
  t.true(counters.makeOne(3) instanceof counters.Counter);
  t.is(counters.makeOne(3).currentValue(), 3);
});

test("disposing of a guest's resource runs its destructor, once", async (t) => {
  const { counters, dropped } = await counterInstance();
  const counter = new counters.Counter(9);
  t.is(dropped(), 0);
  counter[Symbol.dispose]();
  t.is(dropped(), 9);
  new counters.Counter(4)[Symbol.dispose]();
  counter[Symbol.dispose]();
  t.is(dropped(), 4);
});

test("a resource that was disposed of or given away is refused, and nothing traps", async (t) => {
  const { counters, dropped } = await counterInstance();
  const disposed = new counters.Counter(1);
  disposed[Symbol.dispose]();
  t.throws(() => disposed.currentValue(), { instanceOf: TypeError });
  const given = new counters.Counter(2);
  counters.take(given);
  t.is(dropped(), 2);
  t.throws(() => given.currentValue(), { instanceOf: TypeError });
  t.throws(() => counters.take(given), { instanceOf: TypeError });
  given[Symbol.dispose]();
  t.is(counters.makeOne(3).currentValue(), 3);
});

test("resource types are generative: an object of another instance is refused", async (t) => {
  const first = await counterInstance();
  const second = await counterInstance();
  const counter = first.counters.makeOne(1);
  t.throws(() => second.counters.take(counter), { instanceOf: TypeError });
  t.throws(() => second.counters.Counter.addUp(counter, counter), { instanceOf: TypeError });
  t.is(counter.currentValue(), 1);
});

/** Uses `file` of the host: opens, reads by a method, keeps or drops the handle. */
function fileGuest(body: string): string {
  return `(component
    (import "acme:store/files@0.1.0" (instance $files
      (export "file" (type $file (sub resource)))
      (export "[constructor]file" (func (param "size" u32) (result (own $file))))
      (export "[method]file.byte-count" (func (param "self" (borrow $file)) (result u32)))
      (export "[static]file.largest" (func (param "a" (borrow $file)) (param "b" (borrow $file)) (result u32)))
      (export "give-back" (func (param "f" (own $file))))))
    (alias export $files "file" (type $file))
    (core func $open (canon lower (func $files "[constructor]file")))
    (core func $count (canon lower (func $files "[method]file.byte-count")))
    (core func $largest (canon lower (func $files "[static]file.largest")))
    (core func $give (canon lower (func $files "give-back")))
    (core func $drop (canon resource.drop $file))
    (core module $M
      (import "" "open" (func $open (param i32) (result i32)))
      (import "" "count" (func $count (param i32) (result i32)))
      (import "" "largest" (func $largest (param i32 i32) (result i32)))
      (import "" "give" (func $give (param i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "run") (param i32) (result i32) (local $f i32) (local $g i32) ${body}))
    (core instance $m (instantiate $M (with "" (instance
      (export "open" (func $open)) (export "count" (func $count)) (export "largest" (func $largest))
      (export "give" (func $give)) (export "drop" (func $drop))))))
    (func (export "own") (param "f" (own $file)) (result u32) (canon lift (core func $m "run")))
    (func (export "borrow") (param "f" (borrow $file)) (result u32) (canon lift (core func $m "run")))
    (func (export "run") (param "size" u32) (result u32) (canon lift (core func $m "run"))))`;
}

function host() {
  const disposed: number[] = [];
  const returned: unknown[] = [];
  class File {
    readonly size: number;
    constructor(size: number) {
      this.size = size;
    }
    byteCount(): number {
      return this.size;
    }
    [Symbol.dispose](): void {
      disposed.push(this.size);
    }
    static largest(a: File, b: File): number {
      return Math.max(a.size, b.size);
    }
  }
  const imports = { "acme:store/files@0.1.0": { File, giveBack: (file: unknown) => returned.push(file) } };
  return { File, imports, disposed, returned };
}

test("a guest constructs a host's object, calls its methods and statics, and drops it", async (t) => {
  const { imports, disposed } = host();
  const body = `
    (local.set $f (call $open (local.get 0)))
    (local.set $g (call $open (i32.const 5)))
    (i32.add (call $count (local.get $f)) (call $largest (local.get $f) (local.get $g)))
    (call $drop (local.get $g))`;
  t.is(exported(await instantiateText(fileGuest(body), imports), "run")(7), 14);
  t.deepEqual(disposed, [5]);
});

test("an object that the host gave away is the guest's to drop, or to give back as the same object", async (t) => {
  const { File, imports, disposed, returned } = host();
  const file = new File(3);
  const keep = await instantiateText(
    fileGuest("(call $count (local.get 0)) (call $drop (local.get 0))"),
    imports,
  );
  t.is(exported(keep, "own")(file), 3);
  t.deepEqual(disposed, [3]);
  const giveBack = await instantiateText(fileGuest("(call $give (local.get 0)) (i32.const 1)"), imports);
  exported(giveBack, "own")(file);
  t.is(returned[0], file);
  t.deepEqual(disposed, [3]);
});

test("a guest drops a borrowed object without disposing of it", async (t) => {
  const { File, imports, disposed } = host();
  const body = "(call $count (local.get 0)) (call $drop (local.get 0))";
  const borrow = exported(await instantiateText(fileGuest(body), imports), "borrow");
  t.is(borrow(new File(8)), 8);
  t.is(borrow(new File(9)), 9);
  t.deepEqual(disposed, []);
});

test("a guest that keeps a borrowed handle beyond the call traps", async (t) => {
  const { File, imports } = host();
  const borrow = exported(await instantiateText(fileGuest("(i32.const 0)"), imports), "borrow");
  t.throws(() => borrow(new File(1)), { name: "Trap", message: /borrow handles still remain/ });
});

test("a guest that gives away a borrowed handle traps", async (t) => {
  const { File, imports, returned } = host();
  const borrow = exported(
    await instantiateText(fileGuest("(call $give (local.get 0)) (i32.const 0)"), imports),
    "borrow",
  );
  t.throws(() => borrow(new File(1)), { name: "Trap", code: "trap/canonical-abi" });
  t.deepEqual(returned, []);
});

test("a guest that opens handles without end traps", async (t) => {
  const { imports } = host();
  const body = "(loop $again (drop (call $open (i32.const 1))) (br $again)) unreachable";
  const run = exported(await instantiateText(fileGuest(body), imports), "run");
  t.throws(() => run(0), { name: "Trap", message: /handle table is full/ });
});

for (const [what, body] of [
  ["twice", "(call $drop (local.get 0)) (call $drop (local.get 0)) (i32.const 0)"],
  ["it never had", "(call $drop (i32.const 77)) (i32.const 0)"],
  ["0", "(call $drop (i32.const 0)) (i32.const 0)"],
  ["of the highest index", "(call $drop (i32.const -1)) (i32.const 0)"],
] as const) {
  test(`a guest that drops a handle ${what} traps`, async (t) => {
    const { File, imports } = host();
    const own = exported(await instantiateText(fileGuest(body), imports), "own");
    t.throws(() => own(new File(1)), { name: "Trap", message: /unknown handle index/ });
  });
}

test("something that is no object is refused for a host's resource", async (t) => {
  const { imports } = host();
  const own = exported(await instantiateText(fileGuest("(i32.const 0)"), imports), "own");
  t.throws(() => own(17), { instanceOf: TypeError });
  t.throws(() => own(undefined), { instanceOf: TypeError });
});

test("an error that a host's dispose throws ends the guest and reaches the caller", async (t) => {
  const failure = new Error("can't close");
  const { imports } = host();
  class File {
    [Symbol.dispose](): void {
      throw failure;
    }
    byteCount(): number {
      return 0;
    }
    static largest(): number {
      return 0;
    }
  }
  const instance = await instantiateText(fileGuest("(call $drop (local.get 0)) (i32.const 0)"), {
    "acme:store/files@0.1.0": { ...imports["acme:store/files@0.1.0"], File },
  });
  t.is(
    t.throws(() => exported(instance, "own")(new File())),
    failure,
  );
});
