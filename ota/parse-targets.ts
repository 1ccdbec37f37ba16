/**
 * Targets metadata: TUF 1.0.31 §4.5, with delegations. Subset: each target needs a SHA-256, since blobs are named by it.
 */

import type { JsonObject } from "./json.ts";
import { MAX_DELEGATION_PATHS, MAX_DELEGATIONS, MAX_PATH_LENGTH, MAX_TARGETS } from "./limits.ts";
import type { Delegation, Delegations, TargetInfo, Targets } from "./metadata.ts";
import { checkUnique, readCommon, readKeys, readRoleKeys } from "./metadata-common.ts";
import {
  type Field,
  malformedField,
  member,
  readArray,
  readBoolean,
  readEntries,
  readExtension,
  readHardware,
  readHashes,
  readInteger,
  readObject,
  readText,
} from "./metadata-fields.ts";
import { isDelegatedRole } from "./names.ts";

/** The `signed` object of a targets file. */
export function readTargets(signed: JsonObject, place: string): Targets {
  const entries = readEntries(member(signed, place, "targets"), MAX_TARGETS);
  const delegations = member(signed, place, "delegations");
  return {
    type: "targets",
    ...readCommon(signed, place),
    targets: new Map(entries.map(([path, entry]) => [path, readTarget(path, entry)])),
    delegations: delegations.value === undefined ? undefined : readDelegations(delegations),
  };
}

function readTarget(path: string, field: Field): TargetInfo {
  const json = readObject(field);
  const hashesField = member(json, field.place, "hashes");
  const hashes = readHashes(hashesField);
  const sha256 = hashes.get("sha256");
  const custom = member(json, field.place, "custom");
  if (path.length > MAX_PATH_LENGTH)
    throw malformedField(field, `a path has at most ${MAX_PATH_LENGTH} characters`);
  // Blobs are named by SHA-256, so a target without one could not be fetched.
  if (sha256 === undefined) throw malformedField(hashesField, "sha256 is missing in it");
  return {
    path,
    length: readInteger(member(json, field.place, "length"), 0),
    sha256,
    hashes,
    custom: custom.value === undefined ? undefined : readObject(custom),
    json,
  };
}

function readDelegations(field: Field): Delegations {
  const object = readObject(field);
  const rolesField = member(object, field.place, "roles");
  const roles = readArray(rolesField, MAX_DELEGATIONS).map(readDelegation);
  checkUnique(
    rolesField,
    roles.map(({ name }) => name),
    "a role's name stands in it twice",
  );
  return { keys: readKeys(member(object, field.place, "keys")), roles };
}

const HASH_PREFIX_FORM = "up to 64 hexadecimal digits in lower case are expected";
const isHashPrefix = (text: string): boolean => /^[0-9a-f]{1,64}$/.test(text);

/** Brackets and a backslash mean something to some readers of §4.5's patterns and nothing to others: two clients would find two files. */
const PATTERN_FORM = "a path with * and ? as the only wildcards is expected";
const isPathPattern = (text: string): boolean => text !== "" && !/[[\]\\{}]/.test(text);

function readDelegation(field: Field): Delegation {
  const object = readObject(field);
  const paths = member(object, field.place, "paths");
  const prefixes = member(object, field.place, "path_hash_prefixes");
  const terminating = member(object, field.place, "terminating");
  if ((paths.value === undefined) === (prefixes.value === undefined)) {
    throw malformedField(field, "exactly one of paths and path_hash_prefixes is expected");
  }
  const read = (list: Field, isRight: (text: string) => boolean, expected: string) =>
    readArray(list, MAX_DELEGATION_PATHS).map((entry) => {
      const text = readText(entry, MAX_PATH_LENGTH);
      if (!isRight(text)) throw malformedField(entry, expected);
      return text;
    });
  const nameField = member(object, field.place, "name");
  const name = readText(nameField, MAX_PATH_LENGTH);
  if (!isDelegatedRole(name)) {
    throw malformedField(nameField, "up to 64 of a-z, 0-9, _ and - are expected, and no role of the root's");
  }
  const extension = readExtension(object, field.place);
  return {
    name,
    hardware: readHardware(extension.json, extension.place),
    ...readRoleKeys(field),
    terminating: terminating.value !== undefined && readBoolean(terminating),
    matches:
      paths.value === undefined
        ? { kind: "hash-prefixes", prefixes: read(prefixes, isHashPrefix, HASH_PREFIX_FORM) }
        : { kind: "paths", patterns: read(paths, isPathPattern, PATTERN_FORM) },
  };
}
