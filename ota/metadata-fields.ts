/**
 * Readers for the fields of metadata: each narrows one JSON value or throws `OtaError` "trust/malformed" with the place, such as
 * `director targets: signed.targets["acme/thermo/1.0.0/module.toml"].length`. TUF 1.0.31 §4.2.
 */

import { OtaError } from "./errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { MAX_HARDWARE_NAMES, MAX_HASHES, MAX_METADATA_STRING_LENGTH } from "./limits.ts";
import { isHardwareName } from "./names.ts";

/** One value of a metadata file and where it stands. */
export interface Field {
  readonly value: JsonValue | undefined;
  /** File and path, for messages. */
  readonly place: string;
}

/** The refusal of a field: what it should be. */
export function malformedField(field: Field, expected: string): OtaError {
  return new OtaError(
    "trust/malformed",
    `${field.place} ${field.value === undefined ? "is missing" : "is wrong"}: ${expected}`,
  );
}

/** The member of an object, present or not. */
export function member(object: JsonObject, place: string, name: string): Field {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return { value, place: `${place}.${name}` };
}

export function readObject(field: Field): JsonObject {
  if (isJsonObject(field.value)) return field.value;
  throw malformedField(field, "an object is expected");
}

export function readArray(field: Field, maxLength: number): readonly Field[] {
  if (!Array.isArray(field.value)) throw malformedField(field, "an array is expected");
  if (field.value.length > maxLength)
    throw malformedField(field, `at most ${maxLength} elements are possible`);
  return field.value.map((value: JsonValue, index) => ({ value, place: `${field.place}[${index}]` }));
}

/** The members of an object that is used as a table, at most `maxCount`. */
export function readEntries(field: Field, maxCount: number): readonly (readonly [string, Field])[] {
  const entries = Object.entries(readObject(field));
  if (entries.length > maxCount) throw malformedField(field, `at most ${maxCount} members are possible`);
  return entries.map(([name, value]) => [
    readText({ value: name, place: `${field.place}'s member name` }),
    { value, place: `${field.place}[${JSON.stringify(name)}]` },
  ]);
}

export function readText(field: Field, maxLength: number = MAX_METADATA_STRING_LENGTH): string {
  if (typeof field.value !== "string" || field.value.length > maxLength) {
    throw malformedField(field, `a string of at most ${maxLength} characters is expected`);
  }
  return field.value;
}

export function readBoolean(field: Field): boolean {
  if (typeof field.value === "boolean") return field.value;
  throw malformedField(field, "true or false is expected");
}

export function readInteger(field: Field, minimum: number): number {
  if (typeof field.value === "number" && field.value >= minimum) return field.value;
  throw malformedField(field, `an integer of at least ${minimum} is expected`);
}

const DATE_TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;

/** A date-time of §4.2.3, as milliseconds since 1970. */
export function readDateTimeMs(field: Field): number {
  const text = readText(field);
  const timeMs = DATE_TIME.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse takes February 30 for March 2; written back it differs.
  if (Number.isNaN(timeMs) || `${new Date(timeMs).toISOString().slice(0, 19)}Z` !== text) {
    throw malformedField(field, "a time such as 2030-01-31T12:00:00Z is expected");
  }
  return timeMs;
}

/** The member `skerry`, where what TUF does not have is written; an empty object where there is none. */
export function readExtension(object: JsonObject, place: string): { json: JsonObject; place: string } {
  const field = member(object, place, "skerry");
  return { json: field.value === undefined ? {} : readObject(field), place: field.place };
}

/** The member `hardware` of an extension: the kinds that something is for; undefined for any. */
export function readHardware(extension: JsonObject, place: string): readonly string[] | undefined {
  const field = member(extension, place, "hardware");
  if (field.value === undefined) return undefined;
  return readArray(field, MAX_HARDWARE_NAMES).map((entry) => {
    const name = readText(entry);
    if (!isHardwareName(name)) throw malformedField(entry, "a hardware's name is expected");
    return name;
  });
}

const HASH_NAME = /^[a-z0-9_-]+$/i;
const HEXADECIMAL = /^(?:[0-9a-f]{2})+$/;
const DIGEST_LENGTHS = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

/** HASHES of §4.4: digests by algorithm. Digests of algorithms that this client knows have to have their length. */
export function readHashes(field: Field): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>();
  for (const [algorithm, digestField] of readEntries(field, MAX_HASHES)) {
    const digest = readText(digestField);
    const expectedLength = DIGEST_LENGTHS.get(algorithm) ?? digest.length;
    if (!HASH_NAME.test(algorithm) || !HEXADECIMAL.test(digest) || digest.length !== expectedLength) {
      throw malformedField(digestField, "a digest in lower-case hexadecimal is expected");
    }
    hashes.set(algorithm, digest);
  }
  if (![...hashes.keys()].some((algorithm) => DIGEST_LENGTHS.has(algorithm))) {
    throw malformedField(field, `none of its algorithms is one of ${[...DIGEST_LENGTHS.keys()].join(", ")}`);
  }
  return hashes;
}
