/**
 * What it would take the engine to check the core modules of a component, judged before it is asked to: the check runs on
 * the caller's thread, can't be interrupted, and a few bytes can keep it busy for long.
 *
 * WebAssembly Core 3.0 §3.3 "Instructions", §5.5.13 "Code Section". An instruction takes as long as its type is wide: a block
 * of three bytes may take and give a thousand values each, a struct ten thousand fields. A function of eight bytes may
 * declare fifty thousand locals. So a step is a byte of code, times the widest type of its module, or some locals.
 */

import type { CoreModule } from "./ast.ts";
import { coreSections } from "./core-limits.ts";
import { readCoreValueType, readRecursiveType } from "./core-types.ts";
import { ComponentError } from "./errors.ts";
import {
  MAX_CORE_CHECK_STEPS,
  MAX_FUNCTION_BYTES,
  MAX_GC_OPERANDS,
  MAX_LOCALS_PER_CHECK_STEP,
} from "./limits.ts";
import { ByteReader } from "./reader.ts";
import { formatSize } from "./sizes.ts";

const TYPE_SECTION = 1;
const CODE_SECTION = 10;

/**
 * Throws ComponentError "component/limit-exceeded" for modules that would take too long together, and for one with a function
 * whose optimisation would take too much memory; "component/malformed" where their code can't be told apart.
 */
export function requireCheckable(modules: readonly CoreModule[]): void {
  let steps = 0;
  for (const module of modules) {
    steps += checkSteps(module);
    if (steps > MAX_CORE_CHECK_STEPS) {
      throw exceeded(
        module,
        "would take too long to check: too much code for types as wide, or too many locals; split wide types, or build it smaller",
      );
    }
  }
}

function checkSteps(module: CoreModule): number {
  let widest = 0;
  let steps = 0;
  for (const { id, section } of coreSections(new ByteReader(module.bytes))) {
    if (id === TYPE_SECTION) widest = widestType(section);
    if (id === CODE_SECTION) {
      steps += section.remaining * (1 + widest);
      steps += countLocals(module, section) / MAX_LOCALS_PER_CHECK_STEP;
    }
  }
  return steps;
}

/** Operands and results that one instruction of the module may have. */
function widestType(section: ByteReader): number {
  let widest = 0;
  for (let left = section.count("core types"); left > 0; left -= 1) {
    const types: Parameters<typeof readRecursiveType>[1] = [];
    readRecursiveType(section, types);
    for (const type of types) {
      // With arrays, an instruction says itself how many operands it has.
      const width = type === undefined ? MAX_GC_OPERANDS : type.parameters.length + type.results.length;
      widest = Math.max(widest, width);
    }
  }
  return widest;
}

function countLocals(module: CoreModule, section: ByteReader): number {
  let locals = 0;
  for (let left = section.count("function bodies"); left > 0; left -= 1) {
    const body = section.slice(section.u32("a function body's size"), "a function body");
    if (body.remaining > MAX_FUNCTION_BYTES) {
      throw exceeded(
        module,
        `has a function of ${formatSize(body.remaining)} of code where ${formatSize(MAX_FUNCTION_BYTES)} are the most; split it`,
      );
    }
    for (let groups = body.count("groups of locals"); groups > 0; groups -= 1) {
      locals += body.u32("a count of locals");
      readCoreValueType(body);
    }
  }
  return locals;
}

function exceeded(module: CoreModule, what: string): ComponentError {
  return new ComponentError(
    "component/limit-exceeded",
    `the core module at offset ${module.offset} ${what}`,
    { offset: module.offset },
  );
}
