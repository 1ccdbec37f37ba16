/**
 * Decoding of a component's binary format into its syntax tree.
 *
 * Component Model, Binary.md "Component Definitions", version 0x0d, layer 1: every section of the synchronous part
 * (WASI 0.2's), nested components included. Start and value sections are refused by name. Nothing is validated here
 * but the encoding; `validate.ts` does that.
 */

import type { ComponentDefinition, CoreModule, Definition, ExternType } from "./ast.ts";
import { readCoreLimits } from "./core-limits.ts";
import { decodeCoreModule } from "./core-module.ts";
import { readCanonical } from "./decode-canonical.ts";
import { readCoreType } from "./decode-core-types.ts";
import { readCoreInstance, readInstance } from "./decode-instances.ts";
import { readAlias, readExternName, readSortIndex } from "./decode-names.ts";
import { readExternType, readType } from "./decode-types.ts";
import { ComponentError } from "./errors.ts";
import { MAX_COMPONENT_BYTES, MAX_NESTING_LEVELS } from "./limits.ts";
import { ByteReader } from "./reader.ts";

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
const CORE_MODULE_VERSION = [0x01, 0x00, 0x00, 0x00];
const COMPONENT_VERSION = [0x0d, 0x00, 0x01, 0x00];
export const PREAMBLE_BYTES = 8;

/**
 * Decodes one component.
 *
 * @param bytes the whole component; core modules in the result are views of it.
 * @throws ComponentError `component/not-a-component`, `component/malformed`, `component/unsupported`,
 *   `component/limit-exceeded`, or `component/invalid` where the syntax tree could not express what was found.
 */
export function decodeComponent(bytes: Uint8Array): ComponentDefinition {
  refuseOtherFormats(bytes);
  return decode(bytes, decodeCoreModule);
}

/** Decodes a component that was validated before: of its core modules, only memories and tables are read. */
export function decodeValidated(bytes: Uint8Array): ComponentDefinition {
  return decode(bytes, readCoreLimits);
}

type ReadCoreModule = (reader: ByteReader) => CoreModule;

function decode(bytes: Uint8Array, readCoreModule: ReadCoreModule): ComponentDefinition {
  const reader = new ByteReader(bytes);
  if (bytes.length > MAX_COMPONENT_BYTES) {
    throw reader.limitExceeded(`a component of ${bytes.length} bytes`, `${MAX_COMPONENT_BYTES} bytes`);
  }
  return readComponent(reader, 1, readCoreModule);
}

/**
 * Refuses what is no component of this version at all, with what its owner can do about it.
 *
 * @param bytes the file's beginning, eight bytes or more if it has them.
 * @throws ComponentError `component/not-a-component`.
 */
export function refuseOtherFormats(bytes: Uint8Array): void {
  if (!startsWith(bytes, 0, MAGIC)) {
    throw notAComponent("the file is not WebAssembly (its first bytes are not \\0asm); pack a component");
  }
  if (startsWith(bytes, MAGIC.length, CORE_MODULE_VERSION)) {
    const remedy = "make it a component with `jco new` or `wasm-tools component new`";
    throw notAComponent(`the file is a core WebAssembly module, not a component; ${remedy}`);
  }
  if (bytes.length < PREAMBLE_BYTES)
    throw notAComponent("the file ends inside its preamble; transfer it again");
  if (!startsWith(bytes, MAGIC.length, COMPONENT_VERSION)) {
    const found = Array.from(bytes.subarray(MAGIC.length, PREAMBLE_BYTES), (byte) => byte.toString(16)).join(
      " ",
    );
    throw notAComponent(
      `unknown version and layer ${found} of WebAssembly; build the component with current tools`,
    );
  }
}

function notAComponent(message: string): ComponentError {
  return new ComponentError("component/not-a-component", message, { offset: 0 });
}

function startsWith(bytes: Uint8Array, at: number, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[at + index] === byte);
}

/** `component`: preamble and sections, to the reader's end. `levels` counts this component and those around it. */
function readComponent(
  reader: ByteReader,
  levels: number,
  readCoreModule: ReadCoreModule,
): ComponentDefinition {
  if (levels > MAX_NESTING_LEVELS)
    throw reader.limitExceeded("nesting of components", `${MAX_NESTING_LEVELS} levels`);
  const offset = reader.offset;
  for (const byte of [...MAGIC, ...COMPONENT_VERSION]) reader.expectByte(byte, "a component's preamble");
  const definitions: Definition[] = [];
  while (!reader.atEnd) {
    const id = reader.byte("a section id");
    const section = reader.slice(reader.u32("a section's size"), "a section");
    // Not spread into push(): a section may have more entries than a call may have arguments.
    for (const definition of readSection(section, id, levels, readCoreModule)) definitions.push(definition);
    section.expectEnd("a section");
  }
  return { definitions, offset };
}

function readSection(
  section: ByteReader,
  id: number,
  levels: number,
  readCoreModule: ReadCoreModule,
): Definition[] {
  switch (id) {
    case 0:
      section.name("the name of a custom section");
      section.skip(section.remaining, "a custom section");
      return [];
    case 1:
      return [{ kind: "core-module", module: readCoreModule(section) }];
    case 2:
      return section.vector("core instances", () => ({
        kind: "core-instance",
        instance: readCoreInstance(section),
      }));
    case 3:
      return section.vector("core types", () => ({ kind: "core-type", type: readCoreType(section) }));
    case 4:
      return [{ kind: "component", component: readComponent(section, levels + 1, readCoreModule) }];
    case 5:
      return section.vector("instances", () => ({ kind: "instance", instance: readInstance(section) }));
    case 6:
      return section.vector("aliases", () => ({ kind: "alias", alias: readAlias(section) }));
    case 7:
      return section.vector("types", () => ({ kind: "type", type: readType(section, levels) }));
    case 8:
      return section.vector("canonical definitions", () => ({
        kind: "canonical",
        canonical: readCanonical(section),
      }));
    case 9:
      throw section.unsupported("component start functions");
    case 10:
      return section.vector("imports", () => readImport(section));
    case 11:
      return section.vector("exports", () => readExport(section));
    case 12:
      throw section.unsupported("values");
    default:
      throw section.malformed(`unknown section id ${id}`);
  }
}

function readImport(section: ByteReader): Definition {
  return { kind: "import", name: readExternName(section), type: readExternType(section) };
}

function readExport(section: ByteReader): Definition {
  const name = readExternName(section);
  const item = readSortIndex(section);
  const type: ExternType | undefined = section.optional("an export's type", () => readExternType(section));
  return { kind: "export", name, item, type };
}
