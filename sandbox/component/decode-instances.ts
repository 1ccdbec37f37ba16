/**
 * Decoding of core instances and component instances.
 *
 * Component Model, Binary.md "Instance Definitions".
 */

import type { CoreInstanceDefinition, InstanceDefinition } from "./ast.ts";
import { readCoreSort, readExternName, readSortIndex } from "./decode-names.ts";
import type { ByteReader } from "./reader.ts";

/** The only sort that a core module's argument may have. */
const CORE_INSTANCE_SORT = 0x12;

/** `core:instance`. */
export function readCoreInstance(reader: ByteReader): CoreInstanceDefinition {
  const form = reader.byte("a core instance");
  if (form === 0x00) {
    const module = reader.u32("a core module index");
    return {
      kind: "instantiate",
      module,
      args: reader.vector("core arguments", () => readCoreArgument(reader)),
    };
  }
  if (form === 0x01) {
    const readExport = () => {
      const name = reader.name("a core export name");
      return { name, sort: readCoreSort(reader), index: reader.u32("a core index") };
    };
    return { kind: "exports", exports: reader.vector("core exports", readExport) };
  }
  throw reader.unknownByte(form, "core instance");
}

function readCoreArgument(reader: ByteReader): { name: string; instance: number } {
  const name = reader.name("a core argument's name");
  reader.expectByte(CORE_INSTANCE_SORT, "an argument's sort");
  return { name, instance: reader.u32("a core instance index") };
}

/** `instance`. */
export function readInstance(reader: ByteReader): InstanceDefinition {
  const form = reader.byte("an instance");
  if (form === 0x00) {
    const component = reader.u32("a component index");
    const readArgument = () => ({ name: reader.name("an argument's name"), item: readSortIndex(reader) });
    return { kind: "instantiate", component, args: reader.vector("arguments", readArgument) };
  }
  if (form === 0x01) {
    const readExport = () => ({ name: readExternName(reader), item: readSortIndex(reader) });
    return { kind: "exports", exports: reader.vector("inline exports", readExport) };
  }
  throw reader.unknownByte(form, "instance");
}
