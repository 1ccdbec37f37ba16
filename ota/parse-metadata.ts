/**
 * Metadata files from bytes: TUF 1.0.31 §4.2 (the envelope and keys), §4.3 to §4.6 (the roles). Subset: see `metadata.ts`.
 *
 * Parsing narrows and bounds; it verifies no signature. Members that the specification does not define are kept (§4, first paragraph).
 */

import { OtaError } from "./errors.ts";
import { type JsonObject, parseJson } from "./json.ts";
import { MAX_METADATA_BYTES, MAX_SIGNATURES, MAX_SNAPSHOT_ENTRIES } from "./limits.ts";
import type {
  MetadataByRole,
  MetadataFile,
  MetadataSignature,
  ParsedFile,
  RepositoryName,
  RoleName,
  Root,
  Snapshot,
  Timestamp,
} from "./metadata.ts";
import { checkUnique, readCommon, readKeys, readRoleKeys } from "./metadata-common.ts";
import {
  type Field,
  malformedField,
  member,
  readArray,
  readBoolean,
  readDateTimeMs,
  readEntries,
  readExtension,
  readHashes,
  readInteger,
  readObject,
  readText,
} from "./metadata-fields.ts";
import { readTargets } from "./parse-targets.ts";

const READERS: { readonly [Role in RoleName]: (signed: JsonObject, place: string) => MetadataByRole[Role] } =
  {
    root: readRoot,
    timestamp: readTimestamp,
    snapshot: readSnapshot,
    targets: readTargets,
  };

/**
 * Parses one metadata file of the given role; `name` is how messages call it, for delegated targets.
 *
 * Throws `OtaError`: "trust/endless-data-attack" over 65,536 bytes, "trust/malformed", "trust/wrong-role" when the file is another
 * role's, "trust/unsupported" for another major or minor version of the specification.
 */
export function parseMetadata<Role extends RoleName>(
  repository: RepositoryName,
  role: Role,
  bytes: Uint8Array,
  name: string = role,
): ParsedFile<MetadataByRole[Role]> {
  const place = `${repository} ${name}`;
  const details = { repository, role: name };
  if (bytes.byteLength > MAX_METADATA_BYTES) {
    throw new OtaError(
      "trust/endless-data-attack",
      `${place}: ${bytes.byteLength} bytes, metadata has at most ${MAX_METADATA_BYTES}; it was not looked at`,
      { details },
    );
  }
  try {
    const envelope = readObject({ value: parseJson(bytes), place });
    const signedJson = readObject(member(envelope, `${place}: file`, "signed"));
    checkType(role, signedJson, `${place}: signed`);
    return {
      metadata: READERS[role](signedJson, `${place}: signed`),
      signatures: readSignatures(member(envelope, `${place}: file`, "signatures")),
      bytes,
      signedJson,
    };
  } catch (error) {
    // The readers know the place; here the facts for a program are added.
    if (!(error instanceof OtaError)) throw error;
    const message = error.message.startsWith(place) ? error.message : `${place}: ${error.message}`;
    throw new OtaError(error.code, message, { cause: error, details: { ...error.details, ...details } });
  }
}

function checkType(role: RoleName, signed: JsonObject, place: string): void {
  const type = readText(member(signed, place, "_type"));
  if (type !== role) {
    throw new OtaError("trust/wrong-role", `${place}._type is ${JSON.stringify(type)} where ${role} belongs`);
  }
  const specVersion = readText(member(signed, place, "spec_version"));
  // §4.3 leaves the match to the adopter: minor versions may add what a client has to understand.
  if (!/^1\.0(?:\.[0-9]+)?$/.test(specVersion)) {
    throw new OtaError(
      "trust/unsupported",
      `${place}.spec_version is ${JSON.stringify(specVersion)}, this agent reads 1.0; update the agent or write 1.0`,
    );
  }
}

function readSignatures(field: Field): readonly MetadataSignature[] {
  const signatures = readArray(field, MAX_SIGNATURES).map((entry) => {
    const object = readObject(entry);
    return {
      keyId: readText(member(object, entry.place, "keyid")),
      signature: readText(member(object, entry.place, "sig")),
    };
  });
  checkUnique(
    field,
    signatures.map(({ keyId }) => keyId),
    "a key id stands in it twice (TUF §4.2.1 allows one signature per key)",
  );
  return signatures;
}

function readRoot(signed: JsonObject, place: string): Root {
  const consistentSnapshot = member(signed, place, "consistent_snapshot");
  const keys = readKeys(member(signed, place, "keys"));
  const roles = readObject(member(signed, place, "roles"));
  const roleKeys = (role: RoleName) => readRoleKeys(member(roles, `${place}.roles`, role));
  return {
    type: "root",
    ...readCommon(signed, place),
    consistentSnapshot: consistentSnapshot.value !== undefined && readBoolean(consistentSnapshot),
    keys,
    roles: {
      root: roleKeys("root"),
      timestamp: roleKeys("timestamp"),
      snapshot: roleKeys("snapshot"),
      targets: roleKeys("targets"),
    },
  };
}

function readMetadataFile(field: Field): MetadataFile {
  const file = readObject(field);
  const length = member(file, field.place, "length");
  const hashes = member(file, field.place, "hashes");
  return {
    version: readInteger(member(file, field.place, "version"), 1),
    length: length.value === undefined ? undefined : readInteger(length, 1),
    hashes: hashes.value === undefined ? new Map() : readHashes(hashes),
  };
}

function readTimestamp(signed: JsonObject, place: string): Timestamp {
  const meta = member(signed, place, "meta");
  const entries = readEntries(meta, 1);
  const [name, snapshot] = entries[0] ?? [];
  // §4.6: it MUST only describe snapshot.json.
  if (name !== "snapshot.json" || snapshot === undefined) {
    throw malformedField(meta, "exactly snapshot.json is expected");
  }
  return {
    type: "timestamp",
    ...readCommon(signed, place),
    snapshot: readMetadataFile(snapshot),
    issuedMs: readIssued(signed, place),
  };
}

function readIssued(signed: JsonObject, place: string): number | undefined {
  const extension = readExtension(signed, place);
  const issued = member(extension.json, extension.place, "issued");
  return issued.value === undefined ? undefined : readDateTimeMs(issued);
}

function readSnapshot(signed: JsonObject, place: string): Snapshot {
  const meta = member(signed, place, "meta");
  const files = new Map(
    readEntries(meta, MAX_SNAPSHOT_ENTRIES).map(([name, entry]) => [name, readMetadataFile(entry)]),
  );
  if (!files.has("targets.json")) throw malformedField(meta, "targets.json is missing in it");
  return { type: "snapshot", ...readCommon(signed, place), files };
}
