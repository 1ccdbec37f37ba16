/**
 * Limits on linear memories and tables, enforced by the engine: the maximum that stands in each core module is
 * added or lowered before the module is compiled.
 *
 * WebAssembly Core 3.0 §5.5.7 "Table Section", §5.5.8 "Memory Section". The limit is on the sum over an instance:
 * each memory gets its minimum, and what is left is shared out among those that may grow; what a memory with a small
 * maximum can't use goes to the others.
 */

import type { ComponentDefinition, CoreLimits, CoreModule } from "./ast.ts";
import { skipConstantExpression } from "./core-expressions.ts";
import {
  CORE_PREAMBLE_BYTES,
  coreSections,
  MEMORY_SECTION,
  TABLE_SECTION,
  TABLE_WITH_VALUE,
} from "./core-limits.ts";
import { readLimits, readReferenceType } from "./core-types.ts";
import { ComponentError } from "./errors.ts";
import { ByteReader } from "./reader.ts";
import { formatSize } from "./sizes.ts";

const PAGE_BYTES = 65_536;

export interface CoreLimitOptions {
  /** Sum of all linear memories, in bytes. */
  readonly maxMemoryBytes?: number | undefined;
  /** Sum of all tables, in elements. */
  readonly maxTableElements?: number | undefined;
}

/** Maxima of the memories (in pages) and tables (in elements) that a module defines itself, in their order. */
export interface ModuleLimits {
  readonly memories: readonly number[];
  readonly tables: readonly number[];
}

/** What each module of a component may use, and what has been given out so far. */
export class CoreLimitPlan {
  readonly #modules: ReadonlyMap<CoreModule, ModuleLimits>;
  readonly #left: { pages: number; elements: number };

  /** @throws ComponentError "component/limit-exceeded" when the minima alone exceed a limit */
  constructor(modules: readonly CoreModule[], options: CoreLimitOptions) {
    const pages = Math.floor((options.maxMemoryBytes ?? Infinity) / PAGE_BYTES);
    const elements = options.maxTableElements ?? Infinity;
    const memories = shareOut(
      modules.flatMap((module) => module.memories),
      pages,
      "of linear memory",
      (pages) => formatSize(pages * PAGE_BYTES),
    );
    const tables = shareOut(
      modules.flatMap((module) => module.tables.map((table) => table.limits)),
      elements,
      "of its tables",
      (size) => `${size} elements`,
    );
    this.#modules = new Map(
      modules.map((module) => [
        module,
        {
          memories: memories.splice(0, module.memories.length),
          tables: tables.splice(0, module.tables.length),
        },
      ]),
    );
    this.#left = { pages, elements };
  }

  /** The limits for one more instance of the module; a module that is instantiated again counts again. */
  take(module: CoreModule): ModuleLimits {
    const limits = this.#modules.get(module) ?? { memories: [], tables: [] };
    this.#left.pages -= sum(limits.memories);
    this.#left.elements -= sum(limits.tables);
    // `Infinity - Infinity` is NaN, which is not below 0: no limit.
    if (this.#left.pages < 0 || this.#left.elements < 0) {
      throw new ComponentError(
        "component/limit-exceeded",
        `the core module at offset ${module.offset} is instantiated too often for its memories or tables; grant more`,
      );
    }
    return limits;
  }
}

/** All core modules of the component and of those nested in it. */
export function coreModules(component: ComponentDefinition): CoreModule[] {
  return component.definitions.flatMap((definition) => {
    if (definition.kind === "core-module") return [definition.module];
    return definition.kind === "component" ? coreModules(definition.component) : [];
  });
}

/** A maximum for each of the limits, so that their sum keeps to `budget`. */
function shareOut(
  limits: readonly CoreLimits[],
  budget: number,
  what: string,
  format: (size: number) => string,
): number[] {
  let left = budget - sum(limits.map((one) => one.minimum));
  if (left < 0) {
    throw new ComponentError(
      "component/limit-exceeded",
      `the component needs at least ${format(budget - left)} ${what} and may have ${format(budget)}; grant more or build it for less`,
    );
  }
  const maxima = limits.map((one) => one.minimum);
  const room = limits.map((one) => (one.maximum ?? Infinity) - one.minimum);
  const smallestRoomFirst = room.map((_, index) => index).sort((a, b) => (room[a] ?? 0) - (room[b] ?? 0));
  smallestRoomFirst.forEach((index, position) => {
    const share = Math.min(room[index] ?? 0, Math.floor(left / (smallestRoomFirst.length - position)));
    maxima[index] = (maxima[index] ?? 0) + share;
    left -= share;
  });
  return maxima;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The module's bytes with the maxima in them; the same bytes when none has to change. */
export function limitCoreModule(module: CoreModule, limits: ModuleLimits): Uint8Array {
  const memories = changes(module.memories, limits.memories);
  const tables = changes(
    module.tables.map((table) => table.limits),
    limits.tables,
  );
  if (!memories && !tables) return module.bytes;
  const { bytes } = module;
  const reader = new ByteReader(bytes);
  const parts: Uint8Array[] = [bytes.subarray(0, CORE_PREAMBLE_BYTES)];
  for (const { id, start, section } of coreSections(reader)) {
    if (id === MEMORY_SECTION) parts.push(memorySection(section, limits.memories));
    else if (id === TABLE_SECTION) parts.push(tableSection(section, limits.tables));
    else parts.push(bytes.subarray(start, reader.offset));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function changes(declared: readonly CoreLimits[], maxima: readonly number[]): boolean {
  return declared.some((one, index) => {
    const maximum = maxima[index] ?? Infinity;
    return Number.isFinite(maximum) && maximum !== one.maximum;
  });
}

function memorySection(section: ByteReader, maxima: readonly number[]): Uint8Array {
  const content: number[] = [];
  const count = section.u32("memory count");
  content.push(...leb128(count));
  for (let index = 0; index < count; index++)
    content.push(...limitsBytes(readLimits(section), maxima[index]));
  return sectionBytes(MEMORY_SECTION, Uint8Array.from(content));
}

function tableSection(section: ByteReader, maxima: readonly number[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const count = section.u32("table count");
  parts.push(Uint8Array.from(leb128(count)));
  for (let index = 0; index < count; index++) {
    const hasValue = section.peek() === TABLE_WITH_VALUE;
    if (hasValue) parts.push(section.view(2, "table"));
    parts.push(consumed(section, readReferenceType));
    parts.push(Uint8Array.from(limitsBytes(readLimits(section), maxima[index])));
    if (hasValue) parts.push(consumed(section, skipConstantExpression));
  }
  return sectionBytes(TABLE_SECTION, Buffer.concat(parts));
}

/** The bytes that `read` goes over. */
function consumed(section: ByteReader, read: (section: ByteReader) => unknown): Uint8Array {
  const bytes = section.rest();
  const start = section.offset;
  read(section);
  return bytes.subarray(0, section.offset - start);
}

function limitsBytes(limits: CoreLimits, maximum = Infinity): number[] {
  const lowered = Math.min(limits.maximum ?? Infinity, maximum);
  const flags = (limits.shared ? 0x02 : 0) | (limits.address64 ? 0x04 : 0);
  if (!Number.isFinite(lowered)) return [flags, ...leb128(limits.minimum)];
  return [flags | 0x01, ...leb128(limits.minimum), ...leb128(lowered)];
}

function sectionBytes(id: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(id, ...leb128(content.length)), content]);
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest >= 0x80 ? 0x80 : 0;
    bytes.push((rest % 0x80) | more);
    rest = Math.floor(rest / 0x80);
  } while (rest > 0);
  return bytes;
}
