/**
 * Decoding of a component's core types: function types, and module types with their declarations.
 *
 * Component Model, Binary.md "Type Definitions" (`core:type` to `core:exportdecl`). A non-final `sub` carries a 0x00
 * before its 0x50 here, because a bare 0x50 is a module type. Recursive, struct and array types are refused (GC).
 */

import type { CoreExternTypeRef, CoreModuleDeclaration, CoreTypeDefinition } from "./ast.ts";
import {
  ARRAY_TYPE,
  FUNCTION_TYPE,
  isSelfContained,
  REC_GROUP,
  readCoreFunctionType,
  readGlobalType,
  readLimits,
  readTableType,
  readTagType,
  STRUCT_TYPE,
  SUB_FINAL_TYPE,
  SUB_TYPE,
} from "./core-types.ts";
import type { ByteReader } from "./reader.ts";

/** `core:type`. */
export function readCoreType(reader: ByteReader): CoreTypeDefinition {
  const code = reader.byte("a core type");
  if (code !== SUB_TYPE) return readCoreDefinedType(reader, code);
  const declarations = reader.vector("module declarations", () => readModuleDeclaration(reader));
  return { kind: "core-module-type", declarations };
}

function readCoreDefinedType(reader: ByteReader, code: number): CoreTypeDefinition {
  switch (code) {
    case FUNCTION_TYPE: {
      const type = readCoreFunctionType(reader);
      if (![...type.parameters, ...type.results].every(isSelfContained)) {
        throw reader.unsupported("references to core types by index (gc)");
      }
      return { kind: "core-function", type };
    }
    case 0x00:
      reader.expectByte(SUB_TYPE, "a non-final core type");
      return readSubtype(reader);
    case SUB_FINAL_TYPE:
      return readSubtype(reader);
    case REC_GROUP:
    case STRUCT_TYPE:
    case ARRAY_TYPE:
      throw reader.unsupported("recursive, struct or array core types (gc)");
    default:
      throw reader.unknownByte(code, "core type");
  }
}

/** A subtype without supertypes is as good as the type itself. */
function readSubtype(reader: ByteReader): CoreTypeDefinition {
  if (reader.count("supertypes") > 0) throw reader.unsupported("core subtypes (gc)");
  const code = reader.byte("a core type");
  if (code === 0x00 || code === SUB_FINAL_TYPE) throw reader.unknownByte(code, "composite core type");
  return readCoreDefinedType(reader, code);
}

function readModuleDeclaration(reader: ByteReader): CoreModuleDeclaration {
  const code = reader.byte("a module declaration");
  switch (code) {
    case 0x00: {
      const module = reader.name("a core import's module");
      const name = reader.name("a core import's name");
      return { kind: "import", module, name, type: readCoreExternTypeRef(reader) };
    }
    case 0x01:
      // One level only, so that module types need no bound on nesting.
      if (reader.peek() === SUB_TYPE) throw reader.invalid("a module type cannot define module types");
      return { kind: "type", type: readCoreType(reader) };
    case 0x02:
      reader.expectByte(0x10, "an alias's sort");
      reader.expectByte(0x01, "an alias's target");
      return { kind: "alias", count: reader.u32("a scope count"), index: reader.u32("a core type index") };
    case 0x03:
      return {
        kind: "export",
        name: reader.name("a core export's name"),
        type: readCoreExternTypeRef(reader),
      };
    default:
      throw reader.unknownByte(code, "module declaration");
  }
}

/** `core:externtype`, its function types as indices. */
export function readCoreExternTypeRef(reader: ByteReader): CoreExternTypeRef {
  const code = reader.byte("a core extern type");
  switch (code) {
    case 0x00:
      return { kind: "func", type: reader.u32("a core type index") };
    case 0x01: {
      const type = readTableType(reader);
      refuseTypeIndices(reader, type.element);
      return { kind: "table", type };
    }
    case 0x02:
      return { kind: "memory", limits: readLimits(reader) };
    case 0x03: {
      const type = readGlobalType(reader);
      refuseTypeIndices(reader, type.value);
      return { kind: "global", ...type };
    }
    case 0x04:
      return { kind: "tag", type: readTagType(reader) };
    case 0x20:
      throw reader.unsupported("exact function references (custom-descriptors)");
    default:
      throw reader.unknownByte(code, "core extern type");
  }
}

function refuseTypeIndices(reader: ByteReader, type: string): void {
  if (!isSelfContained(type)) throw reader.unsupported("references to core types by index (gc)");
}
