/** Guests written as text: an allocator, and a function that hands its argument on to the host and back. */

import { compileComponent, type Instance, instantiateComponent } from "../../../sandbox/component/index.ts";
import { componentFromText } from "../../support/wat.ts";

/** Instantiates a component written as text. */
export async function instantiateText(
  text: string,
  imports: Readonly<Record<string, unknown>> = {},
): Promise<Instance> {
  return instantiateComponent(compileComponent(await componentFromText(text)), imports);
}

/** A function of the world, by its exact name. */
export function exported(instance: Instance, name: string): (...args: unknown[]) => unknown {
  const found = instance.exports[name];
  if (typeof found !== "function") throw new Error(`no function ${name}`);
  return (...args) => found(...args);
}

/**
 * A core module with a memory and a bump allocator that starts over after each call (`post-return`).
 * The first 64 KiB are never allocated.
 */
export const allocator = `
  (core module $Allocator
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))))
      (local.get $at))
    (func (export "reset") (global.set $next (i32.const 65536))))
  (core instance $allocator (instantiate $Allocator))
  (alias core export $allocator "memory" (core memory $memory))
  (alias core export $allocator "realloc" (core func $realloc))`;

export interface PassThroughOptions {
  /** Type definitions that `type` refers to. */
  readonly prelude?: string;
  readonly encoding?: string;
  /** The type's core types, as the specification flattens it: `i32 f64`. */
  readonly flat: string;
}

/**
 * A component that imports `host: func(a: T) -> T` and exports `pass: func(a: T) -> T`, which calls it: a value goes
 * through lowering and lifting of parameters and of results, flat or through memory, as its type has it.
 */
export function passThrough(
  type: string,
  { prelude = "", encoding = "utf8", flat }: PassThroughOptions,
): string {
  const cores = flat.split(" ").filter((core) => core !== "");
  const parameters = cores.length > 16 ? ["i32"] : cores;
  const inMemory = cores.length > 1;
  const result = inMemory ? "" : `(result ${cores.join(" ")})`;
  const pass = parameters.map((_, index) => `(local.get ${index})`).join(" ");
  const signature = `(param ${parameters.join(" ")})`;
  return `(component
    ${prelude}
    (import "host" (func $host (param "a" ${type}) (result ${type})))
    ${allocator}
    (core func $host' (canon lower (func $host) string-encoding=${encoding}
      (memory (core memory $memory)) (realloc (core func $realloc))))
    (core module $Pass
      (import "" "reset" (func $reset))
      (import "" "host" (func $host ${inMemory ? `(param ${parameters.join(" ")} i32)` : `${signature} ${result}`}))
      (func (export "pass") ${signature} ${inMemory ? "(result i32)" : result}
        (call $host ${pass} ${inMemory ? "(i32.const 1024)) (i32.const 1024)" : ")"})
      (func (export "post-return") (param ${inMemory ? "i32" : cores.join(" ")}) (call $reset)))
    (core instance $pass (instantiate $Pass (with "" (instance
      (export "reset" (func $allocator "reset")) (export "host" (func $host'))))))
    (func (export "pass") (param "a" ${type}) (result ${type})
      (canon lift (core func $pass "pass") string-encoding=${encoding} (memory (core memory $memory)) (realloc (core func $realloc))
        (post-return (core func $pass "post-return")))))`;
}
