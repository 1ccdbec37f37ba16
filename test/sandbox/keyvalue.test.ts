/** wasi:keyvalue: on a real folder, and by a guest in its worker over restarts. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createControlMemory } from "../../sandbox/control-block.ts";
import {
  KEYVALUE_KEYS_PER_PAGE,
  MAX_KEYVALUE_BATCH_BYTES,
  MAX_KEYVALUE_BYTES,
  MAX_KEYVALUE_KEY_BYTES,
} from "../../sandbox/limits.ts";
import { ModuleSession } from "../../sandbox/module-session.ts";
import { createFilesystem } from "../../sandbox/wasi/filesystem/filesystem.ts";
import { createKeyvalue } from "../../sandbox/wasi/keyvalue.ts";
import { createPolling } from "../../sandbox/wasi/poll.ts";
import { componentFile } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

const QUOTA = { maxBytes: 256 * 1024, maxEntries: 300 };

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "skerry-keyvalue-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The interfaces on a folder, as a start of the module finds them. */
function keyvalueOn(hostPath: string, quota = QUOTA) {
  const session = new ModuleSession({ postMessage: () => undefined }, createControlMemory());
  const folders = [{ hostPath, guestPath: "/data", quota }];
  const { privateFolder } = createFilesystem(session, createPolling(session), {
    folders,
    writtenBytesPerSecond: 1024 ** 3,
  });
  if (privateFolder === undefined) throw new Error("no private folder");
  return createKeyvalue(privateFolder);
}

const bytes = (text: string) => Buffer.from(text);
const textOf = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();
const otherError = (expected: RegExp) => ({ name: "KeyvalueError", message: expected });

test("values are set, read, overwritten, deleted, and there after a restart", (t) => {
  const folder = folderOf(t);
  const bucket = keyvalueOn(folder).store.open("");
  t.is(bucket.get("a"), undefined);
  t.false(bucket.exists("a"));
  bucket.set("a", bytes("1"));
  bucket.set("../é/\0", bytes(""));
  bucket.set("a", bytes("23"));
  const again = keyvalueOn(folder).store.open("default");
  t.is(textOf(again.get("a")), "23");
  t.is(textOf(again.get("../é/\0")), "");
  t.true(again.exists("../é/\0"));
  again.delete("a");
  again.delete("a");
  t.is(bucket.get("a"), undefined);
  t.deepEqual(bucket.listKeys(undefined), { keys: ["../é/\0"], cursor: undefined });
  t.deepEqual(readdirSync(folder), [".keyvalue"]);
});

test("a batch that names a key again and again does not read it without end", (t) => {
  const { store, batch } = keyvalueOn(folderOf(t));
  const bucket = store.open("");
  bucket.set("a", new Uint8Array(MAX_KEYVALUE_BYTES));
  const most = new Array<string>(MAX_KEYVALUE_BATCH_BYTES / MAX_KEYVALUE_BYTES).fill("a");
  t.is(batch.getMany(bucket, most).length, most.length);
  t.throws(
    () => batch.getMany(bucket, [...most, "b", "a"]),
    otherError(/^values of more than 1048576 bytes/),
  );
});

test("keys are listed page by page", (t) => {
  const { store, batch } = keyvalueOn(folderOf(t));
  const bucket = store.open("");
  const wanted = Array.from({ length: KEYVALUE_KEYS_PER_PAGE + 1 }, (_, index) => `key-${1000 + index}`);
  batch.setMany(
    bucket,
    wanted.map((key) => [key, bytes("x")] as const),
  );
  const first = bucket.listKeys(undefined);
  t.is(first.keys.length, KEYVALUE_KEYS_PER_PAGE);
  const second = bucket.listKeys(first.cursor);
  t.is(second.cursor, undefined);
  t.deepEqual([...first.keys, ...second.keys], wanted);
});

test("batches: what is not there is none, and is deleted without an error", (t) => {
  const { store, batch } = keyvalueOn(folderOf(t));
  const bucket = store.open("");
  bucket.set("a", bytes("1"));
  t.deepEqual(batch.getMany(bucket, ["b", "a"]), [undefined, ["a", bytes("1")]]);
  batch.deleteMany(bucket, ["b", "a"]);
  t.false(bucket.exists("a"));
});

test("increment counts from nothing, over restarts, up to what a u64 holds", (t) => {
  const folder = folderOf(t);
  for (const expected of [2n, 4n]) {
    const { store, atomics } = keyvalueOn(folder);
    t.is(atomics.increment(store.open(""), "n", 2n), expected);
  }
  const { store, atomics } = keyvalueOn(folder);
  t.throws(() => atomics.increment(store.open(""), "n", 2n ** 64n - 1n), otherError(/more than a u64 holds/));
  store.open("").set("n", bytes("x"));
  t.throws(() => atomics.increment(store.open(""), "n", 1n), otherError(/is no number/));
});

test("an unknown bucket, a long key, a large value and a full quota are answered, and the old value stays", (t) => {
  const folder = folderOf(t);
  const { store } = keyvalueOn(folder, { maxBytes: 3_000, maxEntries: 10 });
  t.like(
    t.throws(() => store.open("other")),
    { payload: { tag: "no-such-store" } },
  );
  const bucket = store.open("");
  t.notThrows(() => bucket.set("k".repeat(MAX_KEYVALUE_KEY_BYTES), bytes("")));
  t.throws(
    () => bucket.set("k".repeat(MAX_KEYVALUE_KEY_BYTES + 1), bytes("")),
    otherError(/a key of 121 bytes/),
  );
  t.throws(
    () => bucket.set("a", new Uint8Array(MAX_KEYVALUE_BYTES + 1)),
    otherError(/a value of 65537 bytes/),
  );
  bucket.set("a", new Uint8Array(1_000));
  t.throws(() => bucket.set("a", new Uint8Array(2_500)), otherError(/^quota$/));
  t.is(bucket.get("a")?.byteLength, 1_000);
  t.false(readdirSync(join(folder, ".keyvalue")).includes("new"));
});

test("what a power cut left unfinished is neither listed nor in the way", (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, ".keyvalue"));
  writeFileSync(join(folder, ".keyvalue/new"), "half a val");
  const bucket = keyvalueOn(folder).store.open("");
  t.deepEqual(bucket.listKeys(undefined).keys, []);
  bucket.set("a", bytes("1"));
  t.is(textOf(bucket.get("a")), "1");
});

test("links that a module put into its folder lead nowhere", (t) => {
  const outside = folderOf(t);
  writeFileSync(join(outside, "k61"), "secret");
  const linked = folderOf(t);
  symlinkSync(outside, join(linked, ".keyvalue"));
  t.throws(
    () => keyvalueOn(linked).store.open("").get("a"),
    otherError(/^(not-permitted|loop|not-directory)$/),
  );
  t.throws(() => keyvalueOn(linked).store.open("").set("a", bytes("1")));

  const folder = folderOf(t);
  mkdirSync(join(folder, ".keyvalue"));
  symlinkSync(join(outside, "k61"), join(folder, ".keyvalue/k61"));
  symlinkSync(join(outside, "k62"), join(folder, ".keyvalue/new"));
  const bucket = keyvalueOn(folder).store.open("");
  t.throws(() => bucket.get("a"), otherError(/^(not-permitted|loop)$/));
  t.throws(() => bucket.set("b", bytes("1")));
  t.deepEqual(readdirSync(outside), ["k61"]);
  t.is(readFileSync(join(outside, "k61"), "utf8"), "secret");
});

const COUNTER = `(component
  (import "wasi:keyvalue/store@0.2.0-draft" (instance $store
    (type $errors (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $errors)))
    (export "bucket" (type $bucket (sub resource)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (import "wasi:keyvalue/atomics@0.2.0-draft" (instance $atomics
    (alias outer 1 $bucket (type $outer-bucket)) (export "bucket" (type $b (eq $outer-bucket)))
    (alias outer 1 $error (type $outer-error)) (export "error" (type $e (eq $outer-error)))
    (export "increment" (func (param "bucket" (borrow $b)) (param "key" string) (param "delta" u64)
      (result (result u64 (error $e)))))))
  (core module $Memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (data (i32.const 64) "n"))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $open (canon lower (func $store "open") (memory $mem) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $mem) (realloc $realloc)))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (func (export "run") (result i32)
      (call $open (i32.const 0) (i32.const 0) (i32.const 1024))
      (call $increment (i32.load (i32.const 1028)) (i32.const 64) (i32.const 1) (i64.const 3) (i32.const 1024))
      (i32.load8_u (i32.const 1024))))
  (core instance $main (instantiate $Main (with "memory" (instance $memory))
    (with "host" (instance (export "open" (func $open)) (export "increment" (func $increment))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.4" (instance $exported)))`;

test("a module counts in its bucket over restarts; without storage it is not started", async (t) => {
  const folder = folderOf(t);
  const componentPath = await componentFile(COUNTER);
  const folders = [{ hostPath: folder, guestPath: "/data", quota: QUOTA }];
  const grants = { sensors: [], serial: [], publish: [], storageBytes: QUOTA.maxBytes };
  for (const expected of ["3", "6"]) {
    const { module } = startRecorded({ componentPath, folders, grants });
    t.deepEqual(await module.done, { kind: "exited", exitCode: 0 });
    t.is(readFileSync(join(folder, ".keyvalue/k6e"), "utf8"), expected);
  }
  const { module } = startRecorded({ componentPath, folders, grants: { ...grants, storageBytes: 0 } });
  t.like(await module.done, { kind: "failed", code: "sandbox/import-not-granted" });
});
