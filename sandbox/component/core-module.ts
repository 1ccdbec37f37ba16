/**
 * What the validator and the linker need of an embedded core module: types, imports, exports, memories and tables.
 *
 * WebAssembly Core 3.0 §5.5 "Modules". Code, data, element and custom sections are passed over; whether the module is
 * valid is for the engine to say when it compiles it. Recursive groups and subtypes are read past: only function types
 * are kept, and an import or export whose type refers to another type by index is refused ("gc").
 */

import type {
  CoreExport,
  CoreExternType,
  CoreFunctionType,
  CoreImport,
  CoreLimits,
  CoreModule,
  CoreTableType,
  CoreValueKind,
} from "./ast.ts";
import { skipConstantExpression } from "./core-expressions.ts";
import { readTable } from "./core-limits.ts";
import { isSelfContained, readGlobalType, readLimits, readRecursiveType, readTagType } from "./core-types.ts";
import { readCoreExternTypeRef } from "./decode-core-types.ts";
import { MAX_CORE_FUNCTIONS, MAX_CORE_MODULE_BYTES } from "./limits.ts";
import type { ByteReader } from "./reader.ts";

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/** The order in which the sections of a module stand, by id; custom sections (0) stand anywhere. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

/** The index spaces of a module while it is read: imported entries first, then its own. */
interface ModuleReading {
  /** `undefined` for struct and array types. */
  readonly types: (CoreFunctionType | undefined)[];
  /** Type index of each function. */
  readonly functions: number[];
  readonly tables: CoreTableType[];
  readonly memories: CoreLimits[];
  readonly globals: { value: CoreValueKind; mutable: boolean }[];
  /** Type index of each tag. */
  readonly tags: number[];
  readonly imports: CoreImport[];
  readonly exports: CoreExport[];
}

/**
 * Reads one core module, from `reader`'s place to its end.
 *
 * @throws ComponentError `component/malformed` if a section that is read breaks the format,
 *   `component/unsupported` or `component/limit-exceeded`.
 */
export function decodeCoreModule(reader: ByteReader): CoreModule {
  const offset = reader.offset;
  const bytes = reader.rest();
  if (bytes.length > MAX_CORE_MODULE_BYTES) {
    throw reader.limitExceeded(`a core module of ${bytes.length} bytes`, `${MAX_CORE_MODULE_BYTES} bytes`);
  }
  for (const byte of PREAMBLE) reader.expectByte(byte, "a core module's preamble");
  const reading: ModuleReading = {
    types: [],
    functions: [],
    tables: [],
    memories: [],
    globals: [],
    tags: [],
    imports: [],
    exports: [],
  };
  readSections(reader, reading);
  const { imports, exports } = reading;
  const imported = (kind: CoreExternType["kind"]) =>
    imports.filter((entry) => entry.type.kind === kind).length;
  const memories = reading.memories.slice(imported("memory"));
  return { bytes, offset, imports, exports, memories, tables: reading.tables.slice(imported("table")) };
}

function readSections(reader: ByteReader, reading: ModuleReading): void {
  let reached = -1;
  while (!reader.atEnd) {
    const id = reader.byte("a core section's id");
    const section = reader.slice(reader.u32("a core section's size"), "a core section");
    if (id === 0) {
      section.name("the name of a custom section");
      continue;
    }
    const place = SECTION_ORDER.indexOf(id);
    if (place < 0) throw section.malformed(`unknown core section id ${id}`);
    if (place <= reached) throw section.malformed(`core section ${id} stands twice or out of order`);
    reached = place;
    if (readSection(section, id, reading)) section.expectEnd("a core section");
  }
}

/** Reads a section that matters here to its end; `false` if it is passed over. */
function readSection(section: ByteReader, id: number, reading: ModuleReading): boolean {
  switch (id) {
    case 1:
      section.vector("core types", () => readRecursiveType(section, reading.types));
      return true;
    case 2:
      section.vector("core imports", () => readImport(section, reading));
      return true;
    case 3:
      readFunctions(section, reading);
      return true;
    case 4:
      section.vector("tables", () => reading.tables.push(readTable(section)));
      return true;
    case 5:
      section.vector("memories", () => reading.memories.push(readLimits(section)));
      return true;
    case 6:
      section.vector("globals", () => {
        reading.globals.push(readGlobalType(section));
        skipConstantExpression(section);
      });
      return true;
    case 7:
      section.vector("core exports", () => reading.exports.push(readExport(section, reading)));
      return true;
    case 13:
      section.vector("tags", () => reading.tags.push(readTagType(section)));
      return true;
    default:
      return false;
  }
}

function readImport(section: ByteReader, reading: ModuleReading): void {
  const module = section.name("a core import's module");
  const name = section.name("a core import's name");
  const reference = readCoreExternTypeRef(section);
  switch (reference.kind) {
    case "func":
      reading.functions.push(reference.type);
      break;
    case "table":
      reading.tables.push(reference.type);
      break;
    case "memory":
      reading.memories.push(reference.limits);
      break;
    case "global":
      reading.globals.push({ value: reference.value, mutable: reference.mutable });
      break;
    case "tag":
      reading.tags.push(reference.type);
      break;
  }
  const type: CoreExternType =
    reference.kind === "func" || reference.kind === "tag"
      ? { kind: reference.kind, type: functionType(section, reading, reference.type) }
      : reference;
  reading.imports.push({ module, name, type });
}

/** The function section has as many entries as the module has functions: kept as indices, outside the budget. */
function readFunctions(section: ByteReader, reading: ModuleReading): void {
  const count = section.count("core functions");
  if (count > MAX_CORE_FUNCTIONS) {
    throw section.limitExceeded(`${count} core functions`, `${MAX_CORE_FUNCTIONS} core functions`);
  }
  for (let index = 0; index < count; index += 1) reading.functions.push(section.u32("a core type index"));
}

function readExport(section: ByteReader, reading: ModuleReading): CoreExport {
  const name = section.name("a core export's name");
  const kind = section.byte("a core export's kind");
  const index = section.u32("a core export's index");
  return { name, type: exportedType(section, reading, kind, index) };
}

function exportedType(
  section: ByteReader,
  reading: ModuleReading,
  kind: number,
  index: number,
): CoreExternType {
  switch (kind) {
    case 0x00:
      return { kind: "func", type: functionType(section, reading, entry(section, reading.functions, index)) };
    case 0x01: {
      const type = entry(section, reading.tables, index);
      refuseTypeIndices(section, [type.element]);
      return { kind: "table", type };
    }
    case 0x02:
      return { kind: "memory", limits: entry(section, reading.memories, index) };
    case 0x03: {
      const type = entry(section, reading.globals, index);
      refuseTypeIndices(section, [type.value]);
      return { kind: "global", ...type };
    }
    case 0x04:
      return { kind: "tag", type: functionType(section, reading, entry(section, reading.tags, index)) };
    default:
      throw section.unknownByte(kind, "kind of core export");
  }
}

function functionType(section: ByteReader, reading: ModuleReading, index: number): CoreFunctionType {
  if (index >= reading.types.length) throw section.invalid(`core type ${index} does not exist`);
  const type = reading.types[index];
  if (type === undefined) throw section.invalid(`core type ${index} is no function type`);
  refuseTypeIndices(section, [...type.parameters, ...type.results]);
  return type;
}

function entry<T>(section: ByteReader, space: readonly T[], index: number): T {
  const found = space[index];
  if (found === undefined)
    throw section.invalid(`a core export refers to index ${index}, which does not exist`);
  return found;
}

function refuseTypeIndices(section: ByteReader, types: readonly CoreValueKind[]): void {
  if (!types.every(isSelfContained)) throw section.unsupported("references to core types by index (gc)");
}
