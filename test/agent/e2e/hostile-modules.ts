/**
 * Modules of which each tries to break one limit, for limits.test.ts. `ends`: the limit ends it, in its trial. `goes-on`: it is slowed
 * down or refused something, and lives.
 */
import { fileCommandText } from "../../support/file-modules.ts";
import { commandText, type GuestParts, reactorText } from "../../support/modules.ts";
import { componentFromText } from "../../support/wat.ts";
import { type ManifestOptions, release } from "./releases.ts";

export interface HostileModule {
  /** What it does, for the title. */
  readonly does: string;
  /** Its name below `acme/`. */
  readonly name: string;
  /** The code that the device's event has to name. */
  readonly code: string;
  readonly outcome: "ends" | "goes-on";
  readonly text: () => string;
  readonly manifest?: ManifestOptions;
}

export const FOREVER = "(loop $again (br $again))";
const SLEEP_AN_HOUR = "(call $sleep (i64.const 3600000000000))";

/** Does it `rounds` times, and sleeps then: what a module goes on with must not keep the machine busy. */
const rounds = (count: number, body: string, locals = ""): string => `(local $round i32) ${locals}
  (loop $again ${body}
    (br_if $again (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (i32.const ${count}))))
  ${SLEEP_AN_HOUR} (i32.const 0)`;

/** A resource of the module's own whose destructor does this; `$make` and `$drop` are for the module's functions. */
const ownResource = (destructor: string): GuestParts => ({
  definitions: `
    (core module $dtor-module (func $dtor (export "dtor") (param i32) ${destructor}))
    (core instance $dtor (instantiate $dtor-module))
    (type $resource (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $make (canon resource.new $resource))
    (core func $drop (canon resource.drop $resource))
    (core instance $own (export "make" (func $make)) (export "drop" (func $drop)))`,
  coreImports: `(import "own" "make" (func $make (param i32) (result i32))) (import "own" "drop" (func $drop (param i32)))`,
  coreInstances: '(with "own" (instance $own))',
});

/** Core modules beside the module's own, each instantiated. */
const besides = (...modules: string[]): GuestParts => ({
  definitions: modules
    .map((text, index) => `(core module $m${index} ${text}) (core instance (instantiate $m${index}))`)
    .join("\n"),
});

/** Two components in one: the first calls the second with a list of strings, each of which is all of its memory. */
const OVERLAPPING_LIST = `(component
  (component $taker
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (alias core export $i "memory" (core memory $memory))
    (alias core export $i "realloc" (core func $realloc))
    (func (export "take") (param "all" (list string))
      (canon lift (core func $i "take") (memory $memory) (realloc $realloc))))
  (component $giver
    (import "take" (func $take (param "all" (list string))))
    (core module $memory-module (memory (export "memory") 1))
    (core instance $memory (instantiate $memory-module))
    (alias core export $memory "memory" (core memory $mem))
    (core func $give (canon lower (func $take) (memory $mem)))
    (core instance $host (export "give" (func $give)))
    (core module $m
      (import "host" "give" (func $give (param i32 i32)))
      (import "memory" "memory" (memory 1))
      (func (export "run") (result i32) (local $at i32)
        (local.set $at (i32.const 8192))
        (loop $more
          (i32.store offset=4 (local.get $at) (i32.const 65536))
          (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 16192))))
        (call $give (i32.const 8192) (i32.const 1000))
        (i32.const 0)))
    (core instance $main (instantiate $m (with "host" (instance $host)) (with "memory" (instance $memory))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $exported (export "run" (func $run)))
    (export "exported" (instance $exported)))
  (instance $taken (instantiate $taker))
  (alias export $taken "take" (func $take))
  (instance $given (instantiate $giver (with "take" (func $take))))
  (alias export $given "exported" (instance $exported))
  (export "wasi:cli/run@0.2.4" (instance $exported)))`;

const ENDS: readonly Omit<HostileModule, "outcome">[] = [
  {
    does: "needs several memories that are too large together",
    name: "memories",
    code: "limit/memory",
    text: () => commandText("(i32.const 0)", "", besides("(memory 7)", "(memory 7 9)", "(memory 7)")),
  },
  {
    does: "needs tables that are too large together",
    name: "tables",
    code: "limit/memory",
    text: () => commandText("(i32.const 0)", "", besides("(table 60000 funcref)", "(table 60000 funcref)")),
  },
  {
    does: "makes host objects until the worker's heap is full",
    name: "heap",
    code: "limit/heap",
    text: () =>
      commandText("(loop $again (drop (call $host-subscribe (i64.const 1))) (br $again)) (i32.const 0)"),
  },
  {
    does: "opens sensors without end",
    name: "sensors",
    code: "limit/handles",
    text: () => commandText("(loop $again (drop (call $open-sensor)) (br $again)) (i32.const 0)"),
  },
  {
    does: "makes handles of its own without end",
    name: "handles",
    code: "trap/limit",
    text: () =>
      commandText(
        "(loop $again (drop (call $make (i32.const 1))) (br $again)) (i32.const 0)",
        "",
        ownResource(""),
      ),
  },
  {
    does: "makes streams without end",
    name: "streams",
    code: "limit/heap",
    text: () => commandText("(loop $again (drop (call $host-get-stdout)) (br $again)) (i32.const 0)"),
  },
  {
    does: "gives a list of a thousand strings that are all its memory",
    name: "lists",
    code: "trap/limit",
    text: () => OVERLAPPING_LIST,
  },
  {
    does: "calls itself without end",
    name: "recursion",
    code: "trap/stack-overflow",
    text: () =>
      commandText(
        "(call $deeper (i32.const 0))",
        "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))",
      ),
  },
  {
    does: "calls the host from each level of a recursion without end",
    name: "host-recursion",
    code: "trap/stack-overflow",
    text: () =>
      commandText(
        "(call $deeper (i32.const 0))",
        `(func $deeper (param i32) (result i32) (call $print (i32.const 64) (i32.const 0))
          (i32.add (i32.const 1) (call $deeper (local.get 0))))`,
      ),
  },
  {
    does: "calls itself without end in cabi_realloc",
    name: "realloc-recursion",
    code: "trap/stack-overflow",
    text: () =>
      commandText("(call $read-sensor)", "", {
        realloc: `(i32.add (i32.const 1)
          (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)))`,
      }),
  },
  {
    does: "never comes back from a start function",
    name: "start-loop",
    code: "limit/deadline",
    text: () => commandText("(i32.const 0)", `(func $main ${FOREVER}) (start $main)`),
  },
  {
    does: "never comes back from a destructor",
    name: "destructor-loop",
    code: "limit/deadline",
    text: () =>
      commandText("(call $drop (call $make (i32.const 1))) (i32.const 0)", "", ownResource(FOREVER)),
  },
  {
    does: "never comes back from cabi_realloc",
    name: "realloc-loop",
    code: "limit/deadline",
    text: () => commandText("(call $read-sensor)", "", { realloc: `${FOREVER} (i32.const 0)` }),
  },
  {
    does: "never comes back from a post-return function",
    name: "post-return-loop",
    code: "limit/deadline",
    text: () => reactorText({}, "", { postReturn: FOREVER }),
    manifest: { world: "reactor" },
  },
];

const STORAGE = { storage: "256KiB" };

const GOES_ON: readonly Omit<HostileModule, "outcome">[] = [
  {
    does: "grows its memory, of which it declares no maximum, until that fails",
    name: "growth",
    code: "limit/memory",
    text: () =>
      commandText(`(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        ${SLEEP_AN_HOUR} (i32.const 0)`),
  },
  {
    does: "grows each of several memories until that fails",
    name: "growth-of-several",
    code: "limit/memory",
    text: () =>
      commandText(
        `(loop $more (br_if $more (i32.ne (memory.grow $other (i32.const 1)) (i32.const -1))))
        (loop $more (br_if $more (i32.ne (memory.grow 0 (i32.const 1)) (i32.const -1))))
        ${SLEEP_AN_HOUR} (i32.const 0)`,
        '(memory $other (export "other") 1)',
      ),
  },
  {
    does: "calls the host without end",
    name: "calls",
    code: "limit/host-call-rate",
    // Beyond the burst as soon as more than 200 go in a second, on a busy host a while later.
    text: () => commandText(rounds(20_000, "(drop (call $read-sensor))")),
  },
  {
    does: "prints lines without end",
    name: "log-lines",
    code: "limit/log-rate",
    text: () => commandText(rounds(20_000, "(call $print (i32.const 64) (i32.const 6))")),
  },
  {
    does: "prints few lines of many bytes",
    name: "log-bytes",
    code: "limit/log-rate",
    // 20 lines of 1,000 characters: within the lines of the burst, beyond its bytes.
    text: () =>
      commandText(
        rounds(20, "(call $print (i32.const 3000) (i32.const 1000))"),
        '(data (i32.const 3999) "\\n")',
      ),
  },
  {
    does: "publishes messages without end",
    name: "messages",
    code: "limit/publish-rate",
    text: () => commandText(rounds(100, "(drop (call $publish (i32.const 64) (i32.const 5)))")),
  },
  {
    does: "publishes few messages of many bytes",
    name: "message-bytes",
    code: "limit/publish-rate",
    text: () => commandText(rounds(10, "(drop (call $publish (i32.const 8192) (i32.const 16384)))")),
  },
  {
    does: "writes more bytes than it may keep",
    name: "file-bytes",
    code: "limit/storage",
    text: () =>
      fileCommandText(
        rounds(
          20,
          `(drop (call $write (call $open (i32.const 0)) (i32.const 16384)
          (i64.extend_i32_u (i32.mul (local.get $round) (i32.const 16384)))))`,
        ),
      ),
    manifest: STORAGE,
  },
  {
    does: "makes more files than it may keep",
    name: "files",
    code: "limit/storage",
    text: () =>
      fileCommandText(
        rounds(
          1_100,
          `(local.set $file (call $open (local.get $round)))
          (if (i32.ge_s (local.get $file) (i32.const 0)) (then (call $close (local.get $file))))`,
          "(local $file i32)",
        ),
      ),
    manifest: STORAGE,
  },
  {
    does: "opens more files than it may at a time",
    name: "open-files",
    code: "limit/handles",
    text: () => fileCommandText(rounds(130, "(drop (call $open (i32.const 0)))")),
    manifest: STORAGE,
  },
  {
    does: "writes the same bytes again and again",
    name: "flash-wear",
    code: "limit/write-rate",
    text: () =>
      fileCommandText(
        rounds(
          270,
          `(drop (call $write (local.tee $file (call $open (i32.const 0))) (i32.const 16384) (i64.const 0)))
          (call $close (local.get $file))`,
          "(local $file i32)",
        ),
      ),
    manifest: STORAGE,
  },
];

export const HOSTILE_MODULES: readonly HostileModule[] = [
  ...ENDS.map((one) => ({ ...one, outcome: "ends" }) as const),
  ...GOES_ON.map((one) => ({ ...one, outcome: "goes-on" }) as const),
];

/** The module as a release, version 1.0.0. */
export async function hostileRelease({ name, text, manifest = {} }: HostileModule) {
  // Longer than any deadline, so that it is the limit that ends the trial.
  const options = { module: `acme/${name}`, window: "60s", ...manifest };
  return release("1.0.0", await componentFromText(text()), options);
}
