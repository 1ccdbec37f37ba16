/** A command written as text that uses `wasi:config` and `wasi:logging`, two proposals of WASI. */

/** A command that logs what `config` has for the key "setpoint", or "none"; then executes `body`, which may call `$log`. */
export const configCommandText = (body: string): string => `(component
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $levels (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $levels)))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (import "wasi:config/store@0.2.0-rc.1" (instance $config
    (type $errors (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $errors)))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
  (core module $Memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (data (i32.const 64) "setpoint") (data (i32.const 96) "none") (data (i32.const 128) "first\\nsecond"))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $log (canon lower (func $logging "log") (memory $mem)))
  (core func $get (canon lower (func $config "get") (memory $mem) (realloc $realloc)))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (func (export "run") (result i32)
      (call $get (i32.const 64) (i32.const 8) (i32.const 1024))
      (if (i32.load8_u (i32.const 1028))
        (then (call $log (i32.const 2) (i32.const 64) (i32.const 8) (i32.load (i32.const 1032)) (i32.load (i32.const 1036))))
        (else (call $log (i32.const 2) (i32.const 64) (i32.const 8) (i32.const 96) (i32.const 4))))
      ${body}
      (i32.const 0)))
  (core instance $main (instantiate $Main (with "memory" (instance $memory))
    (with "host" (instance (export "log" (func $log)) (export "get" (func $get))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.4" (instance $exported)))`;
