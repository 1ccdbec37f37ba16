/**
 * Decoding of component types: value, function, resource, component and instance types, and extern types.
 *
 * Component Model, Binary.md "Type Definitions", synchronous part. Async functions, streams, futures, maps,
 * fixed-length lists, error contexts and values are recognised and refused by name.
 */

import type {
  CaseDefinition,
  Declaration,
  ExternType,
  FunctionTypeDefinition,
  LabelledType,
  PrimitiveKind,
  TypeDefinition,
  ValueTypeDefinition,
  ValueTypeRef,
} from "./ast.ts";
import { readCoreType } from "./decode-core-types.ts";
import { readAlias, readExternName } from "./decode-names.ts";
import { MAX_FUNCTION_PARAMETERS, MAX_NESTING_LEVELS } from "./limits.ts";
import type { ByteReader } from "./reader.ts";

const primitives: ReadonlyMap<number, PrimitiveKind> = new Map<number, PrimitiveKind>([
  [0x7f, "bool"],
  [0x7e, "s8"],
  [0x7d, "u8"],
  [0x7c, "s16"],
  [0x7b, "u16"],
  [0x7a, "s32"],
  [0x79, "u32"],
  [0x78, "s64"],
  [0x77, "u64"],
  [0x76, "f32"],
  [0x75, "f64"],
  [0x74, "char"],
  [0x73, "string"],
]);

const unsupportedTypes: ReadonlyMap<number, string> = new Map([
  [0x43, "async functions (WASI 0.3)"],
  [0x63, "maps"],
  [0x64, "error contexts"],
  [0x65, "futures (WASI 0.3)"],
  [0x66, "streams (WASI 0.3)"],
  [0x67, "fixed-length lists"],
]);

/** `valtype`: a primitive's code, or a type index. */
function readValueTypeRef(reader: ByteReader): ValueTypeRef {
  const code = reader.peek() ?? -1;
  const primitive = primitives.get(code);
  if (primitive !== undefined) {
    reader.byte("a value type");
    return primitive;
  }
  if (code === 0x64) throw reader.unsupported("error contexts");
  const index = reader.s33("a value type");
  if (index < 0) throw reader.malformed("unknown value type");
  return index;
}

function readLabelledType(reader: ByteReader): LabelledType {
  return { label: reader.name("a label"), type: readValueTypeRef(reader) };
}

function readCase(reader: ByteReader): CaseDefinition {
  const label = reader.name("a label");
  const type = reader.optional("a case's type", () => readValueTypeRef(reader));
  reader.expectByte(0x00, "the end of a case");
  return { label, type };
}

/** `deftype`; `levels` counts the scopes around it. */
export function readType(reader: ByteReader, levels: number): TypeDefinition {
  const code = reader.byte("a type");
  const feature = unsupportedTypes.get(code);
  if (feature !== undefined) throw reader.unsupported(feature);
  switch (code) {
    case 0x3f:
      return readResourceType(reader);
    case 0x40:
      return readFunctionType(reader);
    case 0x41:
      return { kind: "component", declarations: readDeclarations(reader, true, levels + 1) };
    case 0x42:
      return { kind: "instance", declarations: readDeclarations(reader, false, levels + 1) };
    default:
      return readValueType(reader, code);
  }
}

function readValueType(reader: ByteReader, code: number): ValueTypeDefinition {
  const primitive = primitives.get(code);
  if (primitive !== undefined) return { kind: "primitive", primitive };
  switch (code) {
    case 0x72:
      return { kind: "record", fields: reader.vector("fields", () => readLabelledType(reader)) };
    case 0x71:
      return { kind: "variant", cases: reader.vector("cases", () => readCase(reader)) };
    case 0x70:
      return { kind: "list", element: readValueTypeRef(reader) };
    case 0x6f:
      return { kind: "tuple", elements: reader.vector("tuple elements", () => readValueTypeRef(reader)) };
    case 0x6e:
      return { kind: "flags", labels: reader.vector("flags", () => reader.name("a label")) };
    case 0x6d:
      return { kind: "enum", labels: reader.vector("enum cases", () => reader.name("a label")) };
    case 0x6b:
      return { kind: "option", some: readValueTypeRef(reader) };
    case 0x6a: {
      const ok = reader.optional("a result's type", () => readValueTypeRef(reader));
      return {
        kind: "result",
        ok,
        error: reader.optional("a result's type", () => readValueTypeRef(reader)),
      };
    }
    case 0x69:
      return { kind: "own", resource: reader.u32("a type index") };
    case 0x68:
      return { kind: "borrow", resource: reader.u32("a type index") };
    default:
      throw reader.unknownByte(code, "type");
  }
}

function readFunctionType(reader: ByteReader): FunctionTypeDefinition {
  const parameters = reader.vector("parameters", () => readLabelledType(reader));
  if (parameters.length > MAX_FUNCTION_PARAMETERS) {
    throw reader.limitExceeded(`${parameters.length} parameters`, `${MAX_FUNCTION_PARAMETERS}`);
  }
  const resultForm = reader.byte("a result list");
  if (resultForm === 0x00) return { kind: "function", parameters, result: readValueTypeRef(reader) };
  if (resultForm !== 0x01) throw reader.unknownByte(resultForm, "result list");
  reader.expectByte(0x00, "an empty result list");
  return { kind: "function", parameters, result: undefined };
}

function readResourceType(reader: ByteReader): TypeDefinition {
  const representation = reader.byte("a resource's representation");
  if (representation === 0x7e) throw reader.unsupported("resources represented by i64 (memory64)");
  if (representation !== 0x7f) throw reader.invalid("a resource has to be represented by i32");
  return { kind: "resource", destructor: reader.optional("a destructor", () => reader.u32("a destructor")) };
}

function readDeclarations(reader: ByteReader, imports: boolean, levels: number): Declaration[] {
  if (levels > MAX_NESTING_LEVELS) {
    throw reader.limitExceeded("nesting of types and components", `${MAX_NESTING_LEVELS} levels`);
  }
  return reader.vector("declarations", () => readDeclaration(reader, imports, levels));
}

function readDeclaration(reader: ByteReader, imports: boolean, levels: number): Declaration {
  const code = reader.byte("a declaration");
  switch (code) {
    case 0x00:
      return { kind: "core-type", type: readCoreType(reader) };
    case 0x01:
      return { kind: "type", type: readType(reader, levels) };
    case 0x02:
      return { kind: "alias", alias: readAlias(reader) };
    case 0x04:
      return { kind: "export", name: readExternName(reader), type: readExternType(reader) };
    case 0x03:
      if (imports) return { kind: "import", name: readExternName(reader), type: readExternType(reader) };
      throw reader.malformed("an instance type has no imports");
    default:
      throw reader.unknownByte(code, "declaration");
  }
}

/** `externtype`. */
export function readExternType(reader: ByteReader): ExternType {
  const code = reader.byte("an extern type");
  switch (code) {
    case 0x00:
      reader.expectByte(0x11, "a module's sort");
      return { kind: "core-module", type: reader.u32("a core type index") };
    case 0x01:
      return { kind: "function", type: reader.u32("a type index") };
    case 0x02:
      throw reader.unsupported("values");
    case 0x03: {
      const bound = reader.byte("a type bound");
      if (bound === 0x00) return { kind: "type", bound: { kind: "equal", type: reader.u32("a type index") } };
      if (bound === 0x01) return { kind: "type", bound: { kind: "sub-resource" } };
      throw reader.unknownByte(bound, "type bound");
    }
    case 0x04:
      return { kind: "component", type: reader.u32("a type index") };
    case 0x05:
      return { kind: "instance", type: reader.u32("a type index") };
    default:
      throw reader.unknownByte(code, "extern type");
  }
}
