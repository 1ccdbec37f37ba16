/**
 * Decoding of sorts, extern names with their attributes, and aliases.
 *
 * Component Model, Binary.md: "Instance Definitions" (sorts), "Alias Definitions", "Import and Export Definitions".
 */

import { withArticle } from "./article.ts";
import type { Alias, ComponentSort, CoreSort, ExternName, NameAttribute, Sort, SortIndex } from "./ast.ts";
import type { ByteReader } from "./reader.ts";

const coreSorts: ReadonlyMap<number, CoreSort> = new Map<number, CoreSort>([
  [0x00, "func"],
  [0x01, "table"],
  [0x02, "memory"],
  [0x03, "global"],
  [0x04, "tag"],
  [0x10, "type"],
  [0x11, "module"],
  [0x12, "instance"],
]);

const componentSorts: ReadonlyMap<number, ComponentSort> = new Map<number, ComponentSort>([
  [0x01, "func"],
  [0x02, "value"],
  [0x03, "type"],
  [0x04, "component"],
  [0x05, "instance"],
]);

/** What `alias outer` may reach: definitions that hold no state. */
const outerAliasSorts: ReadonlySet<Sort> = new Set<Sort>(["core-module", "core-type", "type", "component"]);

/** `core:sort`. */
export function readCoreSort(reader: ByteReader): CoreSort {
  const code = reader.byte("a core sort");
  const sort = coreSorts.get(code);
  if (sort === undefined) throw reader.unknownByte(code, "core sort");
  return sort;
}

/** `sort`. */
function readSort(reader: ByteReader): Sort {
  const code = reader.byte("a sort");
  if (code === 0x00) return `core-${readCoreSort(reader)}`;
  const sort = componentSorts.get(code);
  if (sort === undefined) throw reader.unknownByte(code, "sort");
  return sort;
}

/** `sortidx`; values are refused. */
export function readSortIndex(reader: ByteReader): SortIndex {
  const sort = readSort(reader);
  if (sort === "value") throw reader.unsupported("values");
  return { sort, index: reader.u32(`${sort} index`) };
}

/** `nameattributes`: two equivalent short forms, and one with attributes. */
export function readExternName(reader: ByteReader): ExternName {
  const form = reader.byte("an extern name");
  if (form > 0x02) throw reader.unknownByte(form, "form of an extern name");
  const name = reader.name("an extern name");
  if (form < 0x02) return { name };
  return { name, attributes: reader.vector("name attributes", () => readAttribute(reader)) };
}

function readAttribute(reader: ByteReader): NameAttribute {
  const code = reader.byte("a name attribute");
  switch (code) {
    case 0x00:
      return { kind: "implements", value: reader.name("an implemented interface") };
    case 0x01:
      return { kind: "version-suffix", value: reader.name("a version suffix") };
    case 0x02:
      return { kind: "external-id", value: reader.name("an external id") };
    default:
      throw reader.unknownByte(code, "name attribute");
  }
}

/** `alias`. */
export function readAlias(reader: ByteReader): Alias {
  const sort = readSort(reader);
  const target = reader.byte("an alias target");
  switch (target) {
    case 0x00:
      if (sort === "value") throw reader.unsupported("values");
      return {
        kind: "export",
        sort,
        instance: reader.u32("an instance index"),
        name: reader.name("an export name"),
      };
    case 0x01: {
      const coreSort = withoutCorePrefix(sort);
      if (coreSort === undefined) throw reader.malformed(`a core instance has no ${sort}`);
      const instance = reader.u32("a core instance index");
      return { kind: "core-export", sort: coreSort, instance, name: reader.name("a core export name") };
    }
    case 0x02:
      if (!outerAliasSorts.has(sort))
        throw reader.malformed(`an outer alias cannot reach ${withArticle(sort)}`);
      return {
        kind: "outer",
        sort,
        count: reader.u32("a scope count"),
        index: reader.u32(`${sort} index`),
      };
    default:
      throw reader.unknownByte(target, "alias target");
  }
}

function withoutCorePrefix(sort: Sort): CoreSort | undefined {
  return sort.startsWith("core-") ? (sort.slice(5) as CoreSort) : undefined;
}
