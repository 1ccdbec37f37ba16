/**
 * The memories and tables that a core module defines itself, and nothing else of it: all that the linker needs to know
 * of a module that was validated before.
 *
 * WebAssembly Core 3.0 §5.5.7 "Table Section", §5.5.8 "Memory Section".
 */

import type { CoreLimits, CoreModule, CoreTableType } from "./ast.ts";
import { skipConstantExpression } from "./core-expressions.ts";
import { readLimits, readTableType } from "./core-types.ts";
import type { ByteReader } from "./reader.ts";

export const CORE_PREAMBLE_BYTES = 8;
export const TABLE_SECTION = 4;
export const MEMORY_SECTION = 5;
/** A table with an initial value opens with this and a zero instead of its type. */
export const TABLE_WITH_VALUE = 0x40;

/** Reads the limits of one core module, from `reader`'s place to its end; imports and exports stay empty. */
export function readCoreLimits(reader: ByteReader): CoreModule {
  const { offset } = reader;
  const bytes = reader.rest();
  const memories: CoreLimits[] = [];
  const tables: CoreTableType[] = [];
  for (const { id, section } of coreSections(reader)) {
    if (id === TABLE_SECTION) section.vector("tables", () => tables.push(readTable(section)));
    if (id === MEMORY_SECTION) section.vector("memories", () => memories.push(readLimits(section)));
  }
  return { bytes, offset, imports: [], exports: [], memories, tables };
}

/** The sections of a core module with the offsets that they start at; what is in them is for the caller to read. */
export function* coreSections(
  reader: ByteReader,
): Generator<{ readonly id: number; readonly start: number; readonly section: ByteReader }> {
  reader.skip(CORE_PREAMBLE_BYTES, "a core module's preamble");
  while (!reader.atEnd) {
    const start = reader.offset;
    const id = reader.byte("a core section's id");
    yield { id, start, section: reader.slice(reader.u32("a core section's size"), "a core section") };
  }
}

/** `table`: a type, or 0x40 0x00, a type and an initial value. */
export function readTable(section: ByteReader): CoreTableType {
  if (section.peek() !== TABLE_WITH_VALUE) return readTableType(section);
  section.byte("a table");
  section.expectByte(0x00, "a table");
  const type = readTableType(section);
  skipConstantExpression(section);
  return type;
}
