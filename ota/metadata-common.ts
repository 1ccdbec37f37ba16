/**
 * The parts of metadata that several roles have: TUF 1.0.31 §4.2.2 (keys), §4.3 (the common fields, and a role's keys and threshold).
 */

import type { JsonObject } from "./json.ts";
import { keyIdOf, type PublicKey } from "./keys.ts";
import { MAX_KEYS, MAX_ROLE_KEYS } from "./limits.ts";
import type { CommonMetadata, RoleKeys } from "./metadata.ts";
import {
  type Field,
  malformedField,
  member,
  readArray,
  readDateTimeMs,
  readEntries,
  readInteger,
  readObject,
  readText,
} from "./metadata-fields.ts";

/** Refuses a list in which a name stands twice. */
export function checkUnique(field: Field, names: readonly string[], problem: string): void {
  if (new Set(names).size !== names.length) throw malformedField(field, problem);
}

/** spec_version, version and expires. */
export function readCommon(signed: JsonObject, place: string): CommonMetadata {
  const expires = member(signed, place, "expires");
  return {
    specVersion: readText(member(signed, place, "spec_version")),
    version: readInteger(member(signed, place, "version"), 1),
    expires: readText(expires),
    expiresMs: readDateTimeMs(expires),
  };
}

/** A table of keys by key id; each id has to be that of its key. */
export function readKeys(field: Field): ReadonlyMap<string, PublicKey> {
  return new Map(readEntries(field, MAX_KEYS).map(([keyId, entry]) => [keyId, readKey(keyId, entry)]));
}

function readKey(keyId: string, field: Field): PublicKey {
  const json = readObject(field);
  const keyval = readObject(member(json, field.place, "keyval"));
  // §4.3: clients MUST calculate each key id; otherwise two ids could stand for one key and count twice.
  if (keyIdOf(json) !== keyId) throw malformedField(field, "its key id is not the SHA-256 of the key");
  return {
    keyId,
    keyType: readText(member(json, field.place, "keytype")),
    scheme: readText(member(json, field.place, "scheme")),
    public: readText(member(keyval, `${field.place}.keyval`, "public")),
    json,
  };
}

/** Key ids and threshold of one role. */
export function readRoleKeys(field: Field): RoleKeys {
  const role = readObject(field);
  const keyIdsField = member(role, field.place, "keyids");
  const keyIds = readArray(keyIdsField, MAX_ROLE_KEYS).map((keyId) => readText(keyId));
  checkUnique(keyIdsField, keyIds, "a key id stands in it twice");
  return { keyIds, threshold: readInteger(member(role, field.place, "threshold"), 1) };
}
