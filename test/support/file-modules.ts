/**
 * Modules written as text that use their private folder: `commandText` and `reactorText` of modules.ts with `wasi:filesystem`.
 *
 * Besides what modules.ts has, the lines may call `$open (i32 number)` (makes or opens the file whose name is three letters for the
 * number; answers its handle, or -1), `$write (i32 handle, i32 length, i64 offset)` (bytes from address 8192; answers 0, or 1 plus the error
 * code) and `$close (i32 handle)`.
 */
import { commandText, reactorText } from "./modules.ts";

const ERROR_CODES = [
  ..."access would-block already bad-descriptor busy deadlock quota exist file-too-large".split(" "),
  ..."illegal-byte-sequence in-progress interrupted invalid io is-directory loop too-many-links".split(" "),
  ..."message-size name-too-long no-device no-entry no-lock insufficient-memory insufficient-space".split(
    " ",
  ),
  ..."not-directory not-empty not-recoverable unsupported no-tty no-such-device overflow not-permitted".split(
    " ",
  ),
  ..."pipe read-only invalid-seek text-file-busy cross-device".split(" "),
];
const DESCRIPTOR_FLAGS =
  '"read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"';

const DEFINITIONS = `
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $d (sub resource)))
    (type $codes (enum ${ERROR_CODES.map((code) => `"${code}"`).join(" ")}))
    (export "error-code" (type $code (eq $codes)))
    (type $path-flags (flags "symlink-follow"))
    (export "path-flags" (type $pf (eq $path-flags)))
    (type $open-flags (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $of (eq $open-flags)))
    (type $descriptor-flags (flags ${DESCRIPTOR_FLAGS}))
    (export "descriptor-flags" (type $df (eq $descriptor-flags)))
    (export "[method]descriptor.write" (func (param "self" (borrow $d)) (param "buffer" (list u8)) (param "offset" u64)
      (result (result u64 (error $code)))))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $pf) (param "path" string)
      (param "open-flags" $of) (param "flags" $df) (result (result (own $d) (error $code)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer-descriptor))
    (export "descriptor" (type $d (eq $outer-descriptor)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))
  (core func $get-folders (canon lower (func $preopens "get-directories") (memory $mem) (realloc $realloc)))
  (core func $open-at (canon lower (func $files "[method]descriptor.open-at") (memory $mem)))
  (core func $write-at (canon lower (func $files "[method]descriptor.write") (memory $mem)))
  (core func $drop-descriptor (canon resource.drop $descriptor))
  (core instance $disk (export "get-folders" (func $get-folders)) (export "open-at" (func $open-at))
    (export "write-at" (func $write-at)) (export "drop" (func $drop-descriptor)))`;

const CORE_IMPORTS = `
  (import "disk" "get-folders" (func $get-folders (param i32)))
  (import "disk" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
  (import "disk" "write-at" (func $write-at (param i32 i32 i32 i64 i32)))
  (import "disk" "drop" (func $close (param i32)))`;

/** Room after room, counted at 1020: the folders come as a list with a string in it. */
const REALLOC = `
  (i32.add (i32.const 4096) (i32.load (i32.const 1020)))
  (i32.store (i32.const 1020)
    (i32.add (i32.load (i32.const 1020)) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))`;

const FUNCTIONS = `
  (global $folder (mut i32) (i32.const 0))
  (func $open (param $number i32) (result i32)
    (if (i32.eqz (global.get $folder)) (then
      (call $get-folders (i32.const 2048))
      (global.set $folder (i32.load (i32.load (i32.const 2048))))))
    (i32.store8 (i32.const 900) (i32.add (i32.const 97) (i32.and (local.get $number) (i32.const 15))))
    (i32.store8 (i32.const 901)
      (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $number) (i32.const 4)) (i32.const 15))))
    (i32.store8 (i32.const 902)
      (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $number) (i32.const 8)) (i32.const 15))))
    ;; Created, for reading and writing.
    (call $open-at (global.get $folder) (i32.const 0) (i32.const 900) (i32.const 3) (i32.const 1) (i32.const 3) (i32.const 2048))
    (if (result i32) (i32.load8_u (i32.const 2048)) (then (i32.const -1)) (else (i32.load (i32.const 2052)))))
  (func $write (param $file i32) (param $length i32) (param $offset i64) (result i32)
    (call $write-at (local.get $file) (i32.const 8192) (local.get $length) (local.get $offset) (i32.const 2048))
    (if (result i32) (i32.load8_u (i32.const 2048))
      (then (i32.add (i32.const 1) (i32.load8_u (i32.const 2056)))) (else (i32.const 0))))`;

const PARTS = {
  definitions: DEFINITIONS,
  coreImports: CORE_IMPORTS,
  coreInstances: '(with "disk" (instance $disk))',
  realloc: REALLOC,
};

/** A command; its manifest has to request storage. */
export function fileCommandText(body: string): string {
  return commandText(body, FUNCTIONS, PARTS);
}

/** A reactor; the same. */
export function fileReactorText(bodies: Parameters<typeof reactorText>[0]): string {
  return reactorText(bodies, FUNCTIONS, PARTS);
}
