/**
 * Modules written as text, for tests of what a module may do to its host: a command or a reactor around a few lines
 * of core WebAssembly.
 *
 * The lines may call `$sleep (i64 nanoseconds)`, `$print (i32 address, i32 length)`, `$publish (i32 address, i32 length)`
 * (to the topic "telemetry/x"; answers 0, or 1 plus the error code), `$exit (i32 status)`, `$read-sensor` (opens "ambient",
 * reads it, drops it; answers as `$publish` does) and `$open-sensor` (and keeps it). Memory 0 to 1023 is theirs; it holds "hello\n" at 64.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { componentFromText } from "./wat.ts";

const WASI_IMPORTS = `
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/poll@0.2.3" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.9" (instance $clock
    (alias outer 1 $pollable (type $outer-pollable))
    (export "pollable" (type $p (eq $outer-pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $stream (sub resource)))
    (alias outer 1 $error-type (type $outer-error))
    (export "error" (type $e (eq $outer-error)))
    (type $cases (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $cases)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $outer-stream))
    (export "output-stream" (type $s (eq $outer-stream)))
    (export "get-stdout" (func (result (own $s))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (type $status (result))
    (export "exit" (func (param "status" $status)))))`;

const DEVICE_IMPORTS = `
  (import "skerry:module/messaging@0.1.0" (instance $messaging
    (type $codes (enum "not-granted" "invalid-topic" "too-large" "rate-limited" "unavailable"))
    (export "error-code" (type $code (eq $codes)))
    (export "publish" (func (param "topic" string) (param "payload" (list u8)) (result (result (error $code)))))))
  (import "skerry:device/sensor@0.1.0" (instance $sensors
    (type $codes (enum "not-granted" "unavailable" "failed"))
    (export "error-code" (type $code (eq $codes)))
    (type $fields (record (field "value" f64) (field "unit" string) (field "time-ns" u64)))
    (export "reading" (type $reading (eq $fields)))
    (export "sensor" (type $sensor (sub resource)))
    (export "[method]sensor.read" (func (param "self" (borrow $sensor)) (result (result $reading (error $code)))))
    (export "open" (func (param "name" string) (result (result (own $sensor) (error $code)))))))
  (alias export $sensors "sensor" (type $sensor))`;

/** What the host writes is read at once or never: the same small area serves again and again. */
const REALLOC = "(i32.const 4096)";

const memoryText = (realloc: string): string => `
  (core module $memory-module
    (memory (export "memory") 1)
    (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) ${realloc})
    (data (i32.const 64) "hello\\n")
    (data (i32.const 1024) "telemetry/x")
    (data (i32.const 1040) "ambient"))
  (core instance $memory (instantiate $memory-module))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))`;

const LOWERED = `
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem) (realloc $realloc)))
  (core func $drop-stream (canon resource.drop $stream))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $publish (canon lower (func $messaging "publish") (memory $mem)))
  (core func $open (canon lower (func $sensors "open") (memory $mem)))
  (core func $read (canon lower (func $sensors "[method]sensor.read") (memory $mem) (realloc $realloc)))
  (core func $drop-sensor (canon resource.drop $sensor))
  (core instance $host
    (export "subscribe" (func $subscribe)) (export "block" (func $block)) (export "drop-pollable" (func $drop-pollable))
    (export "get-stdout" (func $get-stdout)) (export "write" (func $write)) (export "drop-stream" (func $drop-stream))
    (export "exit" (func $exit)) (export "publish" (func $publish))
    (export "open" (func $open)) (export "read" (func $read)) (export "drop-sensor" (func $drop-sensor)))`;

const CORE_PRELUDE = `
    (import "memory" "memory" (memory 1))
    (import "host" "subscribe" (func $host-subscribe (param i64) (result i32)))
    (import "host" "block" (func $host-block (param i32)))
    (import "host" "drop-pollable" (func $host-drop-pollable (param i32)))
    (import "host" "get-stdout" (func $host-get-stdout (result i32)))
    (import "host" "write" (func $host-write (param i32 i32 i32 i32)))
    (import "host" "drop-stream" (func $host-drop-stream (param i32)))
    (import "host" "exit" (func $exit (param i32)))
    (import "host" "publish" (func $host-publish (param i32 i32 i32 i32 i32)))
    (import "host" "open" (func $host-open (param i32 i32 i32)))
    (import "host" "read" (func $host-read (param i32 i32)))
    (import "host" "drop-sensor" (func $host-drop-sensor (param i32)))
    (func $sleep (param $ns i64) (local $pollable i32)
      (local.set $pollable (call $host-subscribe (local.get $ns)))
      (call $host-block (local.get $pollable))
      (call $host-drop-pollable (local.get $pollable)))
    (func $print (param $address i32) (param $length i32) (local $stream i32)
      (local.set $stream (call $host-get-stdout))
      (call $host-write (local.get $stream) (local.get $address) (local.get $length) (i32.const 2048))
      (call $host-drop-stream (local.get $stream)))
    (func $publish (param $address i32) (param $length i32) (result i32)
      (call $host-publish (i32.const 1024) (i32.const 11) (local.get $address) (local.get $length) (i32.const 2048))
      (if (result i32) (i32.load8_u (i32.const 2048))
        (then (i32.add (i32.const 1) (i32.load8_u (i32.const 2049)))) (else (i32.const 0))))
    (func $open-sensor (result i32)
      (call $host-open (i32.const 1040) (i32.const 7) (i32.const 2048))
      (i32.load (i32.const 2052)))
    (func $read-sensor (result i32) (local $sensor i32) (local $answer i32)
      (local.set $sensor (call $open-sensor))
      (call $host-read (local.get $sensor) (i32.const 2048))
      (local.set $answer (if (result i32) (i32.load8_u (i32.const 2048))
        (then (i32.add (i32.const 1) (i32.load8_u (i32.const 2056)))) (else (i32.const 0))))
      (call $host-drop-sensor (local.get $sensor))
      (local.get $answer))`;

/** What else a component may have, for what can't be said in the lines of its functions. */
export interface GuestParts {
  /** Definitions of the component before the core module of its functions. */
  readonly definitions?: string;
  /** Imports of that core module. */
  readonly coreImports?: string;
  /** The core instances for them: `(with "own" (instance $own))`. */
  readonly coreInstances?: string;
  /** The body of `cabi_realloc`, which has four parameters; it may call itself as `$realloc`. */
  readonly realloc?: string;
  /** The body of the function that is called after a reactor's `health` or a command's `run`, with its result as parameter. */
  readonly postReturn?: string;
}

/** A command whose `run` executes `body` and returns 0 (ok) or 1; `body` leaves it on the stack. */
export function commandText(body: string, extra = "", parts: GuestParts = {}): string {
  return component(
    parts,
    `(func (export "run") (result i32) ${body}) ${afterText(parts)} ${extra}`,
    `(func $run (result (result)) (canon lift (core func $main "run") ${afterOption(parts)}))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.4" (instance $exported))`,
  );
}

/**
 * A reactor; each body leaves the address of a `result<_, string>` on the stack: 0 is ok, 16 the error "not well". With
 * `onMessage` it exports the message handler; there `$topic`, `$topic-length`, `$payload` and `$length` say where the message lies.
 */
export function reactorText(
  bodies: { init?: string; health?: string; onTimer?: string; onMessage?: string },
  extra = "",
  parts: GuestParts = {},
): string {
  const ok = "(i32.const 0)";
  const { onMessage } = bodies;
  const takesMessages = onMessage !== undefined;
  return component(
    parts,
    `(data (i32.const 16) "\\01\\00\\00\\00\\20\\00\\00\\00\\08\\00\\00\\00") (data (i32.const 32) "not well")
    (func (export "init") (result i32) ${bodies.init ?? ok})
    (func (export "health") (result i32) ${bodies.health ?? ok})
    (func (export "on-timer") (result i32) ${bodies.onTimer ?? ok}) ${afterText(parts)}
    ${takesMessages ? messageFunctions(onMessage) : ""} ${extra}`,
    `(type $answer (func (result (result (error string)))))
  (func $init (type $answer) (canon lift (core func $main "init") (memory $mem)))
  (func $health (type $answer) (canon lift (core func $main "health") (memory $mem) ${afterOption(parts)}))
  (func $on-timer (type $answer) (canon lift (core func $main "on-timer") (memory $mem)))
  (instance $lifecycle (export "init" (func $init)) (export "health" (func $health)))
  (export "skerry:module/lifecycle@0.1.0" (instance $lifecycle))
  (instance $timer (export "on-timer" (func $on-timer)))
  (export "skerry:module/timer-handler@0.1.0" (instance $timer))
  ${takesMessages ? MESSAGE_HANDLER : ""}`,
  );
}

function afterText({ postReturn }: GuestParts): string {
  return postReturn === undefined ? "" : `(func (export "after") (param i32) ${postReturn})`;
}

function afterOption({ postReturn }: GuestParts): string {
  return postReturn === undefined ? "" : '(post-return (core func $main "after"))';
}

/** What a message is written to follows the last one, in a ring: topic and payload lie there together. */
function messageFunctions(body: string): string {
  return `(global $next (mut i32) (i32.const 20480))
    (func (export "place") (param i32 i32 i32 i32) (result i32)
      (if (i32.gt_u (i32.add (global.get $next) (local.get 3)) (i32.const 65536))
        (then (global.set $next (i32.const 20480))))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3))))
    (func (export "on-message") (param $topic i32) (param $topic-length i32) (param $payload i32) (param $length i32)
      (result i32) ${body})`;
}

const MESSAGE_HANDLER = `
  (type $on-message (func (param "topic" string) (param "payload" (list u8)) (result (result (error string)))))
  (func $on-message (type $on-message)
    (canon lift (core func $main "on-message") (memory $mem) (realloc (core func $main "place"))))
  (instance $messages (export "on-message" (func $on-message)))
  (export "skerry:module/message-handler@0.1.0" (instance $messages))`;

function component(parts: GuestParts, coreFunctions: string, lifted: string): string {
  const { definitions = "", coreImports = "", coreInstances = "", realloc = REALLOC } = parts;
  return `(component ${WASI_IMPORTS} ${DEVICE_IMPORTS} ${memoryText(realloc)} ${LOWERED} ${definitions}
  (core module $main-module ${coreImports} ${CORE_PRELUDE} ${coreFunctions})
  (core instance $main (instantiate $main-module ${coreInstances}
    (with "memory" (instance $memory)) (with "host" (instance $host))))
  ${lifted})`;
}

/** The component's file, in a temporary folder that is gone with this process. */
export async function componentFile(text: string): Promise<string> {
  return fileOfBytes(await componentFromText(text));
}

/** These bytes as a file; the same. */
export async function fileOfBytes(bytes: Uint8Array): Promise<string> {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "skerry-module-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  files += 1;
  const path = join(folder, `component-${files}.wasm`);
  await writeFile(path, bytes);
  return path;
}

let folder: string | undefined;
let files = 0;
