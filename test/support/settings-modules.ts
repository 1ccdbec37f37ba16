/**
 * Commands written as text that keep something and are told something: `commandText` of modules.ts with `wasi:keyvalue` and
 * `wasi:config`.
 *
 * Besides what modules.ts has, the lines may call `$increment (i64 by)` (counts in the bucket's key "n"; answers the count),
 * `$publish-digit (i64 digit)` and `$publish-setpoint` (what the module is told as "setpoint", or "none").
 */
import { commandText } from "./modules.ts";

const DEFINITIONS = `
  (import "wasi:keyvalue/store@0.2.0-draft" (instance $store
    (type $errors (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $errors)))
    (export "bucket" (type $bucket (sub resource)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $keyvalue-error))
  (import "wasi:keyvalue/atomics@0.2.0-draft" (instance $atomics
    (alias outer 1 $bucket (type $outer-bucket)) (export "bucket" (type $b (eq $outer-bucket)))
    (alias outer 1 $keyvalue-error (type $outer-error)) (export "error" (type $e (eq $outer-error)))
    (export "increment" (func (param "bucket" (borrow $b)) (param "key" string) (param "delta" u64)
      (result (result u64 (error $e)))))))
  (import "wasi:config/store@0.2.0-rc.1" (instance $config
    (type $errors (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $errors)))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
  (core func $open-bucket (canon lower (func $store "open") (memory $mem) (realloc $realloc)))
  (core func $bucket-increment (canon lower (func $atomics "increment") (memory $mem) (realloc $realloc)))
  (core func $get (canon lower (func $config "get") (memory $mem) (realloc $realloc)))
  (core instance $settings (export "open" (func $open-bucket)) (export "increment" (func $bucket-increment))
    (export "get" (func $get)))`;

const CORE_IMPORTS = `
  (import "settings" "open" (func $open-bucket (param i32 i32 i32)))
  (import "settings" "increment" (func $bucket-increment (param i32 i32 i32 i64 i32)))
  (import "settings" "get" (func $get (param i32 i32 i32)))`;

const FUNCTIONS = `
  (data (i32.const 400) "n") (data (i32.const 408) "setpoint") (data (i32.const 416) "none")
  (func $increment (param $by i64) (result i64)
    (call $open-bucket (i32.const 0) (i32.const 0) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then unreachable))
    (call $bucket-increment (i32.load (i32.const 2052)) (i32.const 400) (i32.const 1) (local.get $by) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then unreachable))
    (i64.load (i32.const 2056)))
  (func $publish-digit (param $digit i64)
    (i32.store8 (i32.const 424) (i32.add (i32.const 48) (i32.wrap_i64 (local.get $digit))))
    (drop (call $publish (i32.const 424) (i32.const 1))))
  (func $publish-setpoint
    (call $get (i32.const 408) (i32.const 8) (i32.const 2048))
    (drop (if (result i32) (i32.load8_u (i32.const 2052))
      (then (call $publish (i32.load (i32.const 2056)) (i32.load (i32.const 2060))))
      (else (call $publish (i32.const 416) (i32.const 4))))))`;

/** A command; its manifest has to request storage. */
export function settingsCommandText(body: string): string {
  return commandText(body, FUNCTIONS, {
    definitions: DEFINITIONS,
    coreImports: CORE_IMPORTS,
    coreInstances: '(with "settings" (instance $settings))',
  });
}
