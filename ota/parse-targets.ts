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
  readHashes,
  readInteger,
  readObject,
  readText,
} from "./metadata-fields.ts";

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

function readDelegation(field: Field): Delegation {
  const object = readObject(field);
  const paths = member(object, field.place, "paths");
  const prefixes = member(object, field.place, "path_hash_prefixes");
  const terminating = member(object, field.place, "terminating");
  if ((paths.value === undefined) === (prefixes.value === undefined)) {
    throw malformedField(field, "exactly one of paths and path_hash_prefixes is expected");
  }
  const read = (list: Field) =>
    readArray(list, MAX_DELEGATION_PATHS).map((entry) => readText(entry, MAX_PATH_LENGTH));
  return {
    name: readText(member(object, field.place, "name"), MAX_PATH_LENGTH),
    ...readRoleKeys(field),
    terminating: terminating.value !== undefined && readBoolean(terminating),
    matches:
      paths.value === undefined
        ? { kind: "hash-prefixes", prefixes: read(prefixes) }
        : { kind: "paths", patterns: read(paths) },
  };
}
