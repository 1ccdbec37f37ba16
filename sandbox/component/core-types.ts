/**
 * Core types as they stand in core modules and in a component's core types.
 *
 * WebAssembly Core 3.0 §5.3 "Types": value, reference, function, table, memory, global and tag types. Of the GC types
 * only what is needed to pass over them; the threads and memory64 flags are read, custom page sizes are refused.
 */

import type { CoreFunctionType, CoreLimits, CoreTableType, CoreValueKind } from "./ast.ts";
import { MAX_FUNCTION_PARAMETERS } from "./limits.ts";
import type { ByteReader } from "./reader.ts";

export const FUNCTION_TYPE = 0x60;
export const STRUCT_TYPE = 0x5f;
export const ARRAY_TYPE = 0x5e;
export const SUB_TYPE = 0x50;
export const SUB_FINAL_TYPE = 0x4f;
export const REC_GROUP = 0x4e;
/** Concrete reference types carry this mark: their index means something inside one module only. */
const TYPE_INDEX_MARK = "$";

const numberTypes: ReadonlyMap<number, CoreValueKind> = new Map<number, CoreValueKind>([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
]);

const abstractHeapTypes: ReadonlyMap<number, string> = new Map([
  [0x75, "nocont"],
  [0x74, "noexn"],
  [0x73, "nofunc"],
  [0x72, "noextern"],
  [0x71, "none"],
  [0x70, "func"],
  [0x6f, "extern"],
  [0x6e, "any"],
  [0x6d, "eq"],
  [0x6c, "i31"],
  [0x6b, "struct"],
  [0x6a, "array"],
  [0x69, "exn"],
  [0x68, "cont"],
]);

function nullableReference(heapType: string): string {
  return heapType === "func" || heapType === "extern" ? `${heapType}ref` : `(ref null ${heapType})`;
}

/** `heaptype`, as text; a concrete one as its index with a mark. */
export function readHeapType(reader: ByteReader): string {
  const abstract = abstractHeapTypes.get(reader.peek() ?? -1);
  if (abstract !== undefined) {
    reader.byte("a heap type");
    return abstract;
  }
  const index = reader.s33("a heap type");
  if (index < 0) throw reader.malformed("unknown heap type");
  return `${TYPE_INDEX_MARK}${index}`;
}

/** `core:valtype`, as text. */
export function readCoreValueType(reader: ByteReader): CoreValueKind {
  const code = reader.byte("a core value type");
  const number = numberTypes.get(code);
  if (number !== undefined) return number;
  const abstract = abstractHeapTypes.get(code);
  if (abstract !== undefined) return nullableReference(abstract);
  if (code === 0x63) return nullableReference(readHeapType(reader));
  if (code === 0x64) return `(ref ${readHeapType(reader)})`;
  throw reader.unknownByte(code, "core value type");
}

/** Whether a value type means something outside its module: concrete references do not. */
export function isSelfContained(type: CoreValueKind): boolean {
  return !type.includes(TYPE_INDEX_MARK);
}

/** `reftype`, as text. */
export function readReferenceType(reader: ByteReader): string {
  const type = readCoreValueType(reader);
  if (isNumberType(type)) throw reader.malformed(`${type} is no reference type`);
  return type;
}

function isNumberType(type: CoreValueKind): boolean {
  return type === "i32" || type === "i64" || type === "f32" || type === "f64" || type === "v128";
}

/** The parameters and results of a function type, after its leading byte. */
export function readCoreFunctionType(reader: ByteReader): CoreFunctionType {
  const parameters = reader.vector("core parameters", () => readCoreValueType(reader));
  if (parameters.length > MAX_FUNCTION_PARAMETERS) {
    throw reader.limitExceeded(`${parameters.length} core parameters`, `${MAX_FUNCTION_PARAMETERS}`);
  }
  const results = reader.vector("core results", () => readCoreValueType(reader));
  return { parameters, results };
}

/** `limits`: bit 0 a maximum, bit 1 shared, bit 2 64-bit addresses. */
export function readLimits(reader: ByteReader): CoreLimits {
  const flags = reader.byte("the flags of limits");
  if ((flags & 0x08) !== 0 && flags < 0x10) throw reader.unsupported("custom page sizes");
  if (flags > 0x07) throw reader.unknownByte(flags, "set of limits flags");
  const address64 = (flags & 0x04) !== 0;
  const read = (what: string) => (address64 ? reader.u64(what) : reader.u32(what));
  const minimum = read("a minimum");
  const maximum = (flags & 0x01) !== 0 ? read("a maximum") : undefined;
  return { minimum, maximum, shared: (flags & 0x02) !== 0, address64 };
}

/** `tabletype`. */
export function readTableType(reader: ByteReader): CoreTableType {
  const element = readReferenceType(reader);
  return { element, limits: readLimits(reader) };
}

/** `globaltype`. */
export function readGlobalType(reader: ByteReader): { value: CoreValueKind; mutable: boolean } {
  const value = readCoreValueType(reader);
  const mutability = reader.byte("a global's mutability");
  if (mutability > 0x03) throw reader.unknownByte(mutability, "mutability");
  if (mutability > 0x01) throw reader.unsupported("shared globals (threads)");
  return { value, mutable: mutability === 0x01 };
}

/** `tagtype`: the attribute byte, then a type index. */
export function readTagType(reader: ByteReader): number {
  reader.expectByte(0x00, "a tag's attribute");
  return reader.u32("a tag's type");
}

/** `rectype`: one subtype, or a group of them, appended to `types`; what is no function type as `undefined`. */
export function readRecursiveType(reader: ByteReader, types: (CoreFunctionType | undefined)[]): void {
  if (reader.peek() !== REC_GROUP) {
    types.push(readSubtype(reader));
    return;
  }
  reader.byte("a recursive group");
  reader.vector("types of a recursive group", () => types.push(readSubtype(reader)));
}

function readSubtype(reader: ByteReader): CoreFunctionType | undefined {
  const code = reader.byte("a core type");
  if (code !== SUB_TYPE && code !== SUB_FINAL_TYPE) return readCompositeType(reader, code);
  reader.vector("supertypes", () => reader.u32("a supertype"));
  return readCompositeType(reader, reader.byte("a core type"));
}

function readCompositeType(reader: ByteReader, code: number): CoreFunctionType | undefined {
  switch (code) {
    case FUNCTION_TYPE:
      return readCoreFunctionType(reader);
    case STRUCT_TYPE:
      reader.vector("struct fields", () => skipFieldType(reader));
      return undefined;
    case ARRAY_TYPE:
      skipFieldType(reader);
      return undefined;
    default:
      throw reader.unknownByte(code, "core type");
  }
}

/** `fieldtype`: a value type or a packed one (i8, i16), then its mutability. */
function skipFieldType(reader: ByteReader): void {
  const code = reader.peek();
  if (code === 0x78 || code === 0x77) reader.byte("a packed type");
  else readCoreValueType(reader);
  reader.byte("a field's mutability");
}
