/** `wasi:http/types.fields` (WASI 0.2): names compare without regard to case and keep theirs, values are bytes. */

import { MAX_HTTP_HEADER_BYTES, MAX_HTTP_HEADERS } from "../../limits.ts";
import { isFieldValue, isForbiddenField, isToken } from "../../network/fields.ts";
import { type HeaderField, headerBlockBytes } from "../../network/header-block.ts";

type HeaderErrorTag = "invalid-syntax" | "forbidden" | "immutable";

/**
 * A value as text, a character for a byte: unlike arrays of bytes it lies in the worker's heap, whose limit a module that hoards
 * fields then runs into.
 */
type KeptField = readonly [name: string, value: string];

/** Marks what this host makes of fields: a guest's own list has to be checked. */
const CHECKED = Symbol("checked");

/** Private to the class, which a component could name a member of. */
let keptBy: (fields: Fields) => readonly KeptField[];

export class Fields {
  static {
    keptBy = (fields) => fields.#fields;
  }

  #fields: readonly KeptField[] = [];
  readonly #isMutable: boolean = true;

  /** A guest calls this without arguments; whatever others it declares, none of them is the symbol. */
  constructor(key?: unknown, fields: readonly KeptField[] = [], isMutable = true) {
    if (key !== CHECKED) return;
    this.#fields = fields;
    this.#isMutable = isMutable;
  }

  static fromList(entries: readonly HeaderField[]): Fields {
    for (const [name, value] of entries) requireField(name, value);
    requireWithinLimits(entries);
    return new Fields(CHECKED, entries.map(kept));
  }

  get(name: string): Uint8Array[] {
    return this.#fields.filter(([own]) => isSameName(own, name)).map((field) => given(field)[1]);
  }

  has(name: string): boolean {
    return this.#fields.some(([own]) => isSameName(own, name));
  }

  set(name: string, values: readonly Uint8Array[]): void {
    this.#requireMutable();
    requireName(name);
    for (const value of values) requireField(name, value);
    const others = this.#fields.filter(([own]) => !isSameName(own, name));
    this.#replace([...others, ...values.map((value) => kept([name, value]))]);
  }

  delete(name: string): void {
    this.#requireMutable();
    requireName(name);
    this.#fields = this.#fields.filter(([own]) => !isSameName(own, name));
  }

  append(name: string, value: Uint8Array): void {
    this.#requireMutable();
    requireField(name, value);
    this.#replace([...this.#fields, kept([name, value])]);
  }

  entries(): HeaderField[] {
    return this.#fields.map(given);
  }

  clone(): Fields {
    return new Fields(CHECKED, this.#fields);
  }

  #requireMutable(): void {
    if (!this.#isMutable) throw headerError("immutable");
  }

  #replace(fields: readonly KeptField[]): void {
    requireWithinLimits(fields);
    this.#fields = fields;
  }
}

/** A copy that can't be changed any more. */
export function frozenCopy(fields: Fields): Fields {
  return new Fields(CHECKED, keptBy(fields), false);
}

/** Fields that can't be changed any more; they were checked, or come from the network. */
export function immutableFields(fields: readonly HeaderField[]): Fields {
  return new Fields(CHECKED, fields.map(kept), false);
}

/** A character for a byte. */
export function textOfBytes({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

function kept([name, value]: HeaderField): KeptField {
  return [name, textOfBytes(value)];
}

function given([name, value]: KeptField): HeaderField {
  return [name, Uint8Array.from(Buffer.from(value, "latin1"))];
}

function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function requireName(name: string): void {
  if (!isToken(name)) throw headerError("invalid-syntax");
  if (isForbiddenField(name)) throw headerError("forbidden");
}

function requireField(name: string, value: Uint8Array): void {
  requireName(name);
  if (!isFieldValue(value)) throw headerError("invalid-syntax");
}

/** WASI 0.2 has no error for fields that are too many: it is a field that this host does not allow. */
function requireWithinLimits(fields: Parameters<typeof headerBlockBytes>[0]): void {
  if (fields.length > MAX_HTTP_HEADERS || headerBlockBytes(fields) > MAX_HTTP_HEADER_BYTES) {
    throw headerError("forbidden");
  }
}

function headerError(tag: HeaderErrorTag): { readonly payload: { readonly tag: HeaderErrorTag } } {
  return { payload: { tag } };
}
