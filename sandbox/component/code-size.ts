/** How much WebAssembly code a component has: what the engine makes machine code of, outside of every memory of the module's. */

import type { ComponentDefinition } from "./ast.ts";
import { coreSections } from "./core-limits.ts";
import { coreModules } from "./limit-memory.ts";
import { ByteReader } from "./reader.ts";

const CODE_SECTION = 10;

/** Bytes of code of all its core modules together. */
export function componentCodeBytes(component: { readonly definition: ComponentDefinition }): number {
  let bytes = 0;
  for (const module of coreModules(component.definition)) {
    for (const { id, section } of coreSections(new ByteReader(module.bytes))) {
      if (id === CODE_SECTION) bytes += section.remaining;
    }
  }
  return bytes;
}
