import test from "ava";

import { OtaError, type OtaErrorCode } from "../../ota/errors.ts";
import type { JsonObject, JsonValue } from "../../ota/json.ts";
import { keyIdOf } from "../../ota/keys.ts";
import {
  MAX_DELEGATION_PATHS,
  MAX_DELEGATIONS,
  MAX_HASHES,
  MAX_KEYS,
  MAX_SIGNATURES,
  MAX_SNAPSHOT_ENTRIES,
} from "../../ota/limits.ts";
import type { RoleName } from "../../ota/metadata.ts";
import { parseMetadata } from "../../ota/parse-metadata.ts";
import { targetInfo, targetsJson } from "../../ota/sign-metadata.ts";
import {
  metadataSet,
  NEXT_YEAR_MS,
  repositorySigners,
  rootFile,
  testTarget,
} from "../support/signed-repository.ts";

const PATH = "acme/thermo/1.0.0/component.wasm";

/** The files of a repository by role, as JSON objects. */
async function files(): Promise<Readonly<Record<RoleName, JsonObject>>> {
  const roles = await repositorySigners("image");
  const set = await metadataSet(roles, { targets: [testTarget(PATH, { skerry: { release: 1 } })] });
  const read = (bytes: Uint8Array): JsonObject => JSON.parse(new TextDecoder().decode(bytes));
  return {
    root: read(await rootFile(roles)),
    timestamp: read(set.timestamp),
    snapshot: read(set.snapshot),
    targets: read(set.targets),
  };
}

/** The object with the member at a path replaced, or removed when the value is undefined. */
function withMember(value: JsonValue, path: readonly string[], member: JsonValue | undefined): JsonValue {
  const [name, ...rest] = path;
  if (name === undefined) return member ?? null;
  const object = value as JsonObject;
  const entries = Object.entries(object).filter(
    ([key]) => key !== name || rest.length > 0 || member !== undefined,
  );
  const changed = Object.fromEntries(entries);
  if (rest.length > 0 || member !== undefined) {
    return { ...changed, [name]: withMember(object[name] ?? {}, rest, member) };
  }
  return changed;
}

function parse(role: RoleName, file: JsonValue) {
  return parseMetadata("image", role, new TextEncoder().encode(JSON.stringify(file)));
}

/** A place in a role's file, the value put there, and what the place should be named in the message. */
type BadMember = readonly [
  name: string,
  role: RoleName,
  path: readonly string[],
  value: JsonValue | undefined,
];

const SHA256 = "ab".repeat(32);
const TARGET = ["signed", "targets", PATH];
const DELEGATION = { name: "acme", keyids: [SHA256], threshold: 1, paths: ["acme/*"], terminating: true };
const delegations = (...roles: JsonValue[]) => ({ keys: {}, roles });

const MALFORMED: readonly BadMember[] = [
  ["no signed object", "root", ["signed"], undefined],
  ["a signed array", "root", ["signed"], []],
  ["no signatures", "root", ["signatures"], undefined],
  ["a signature without its key id", "root", ["signatures"], [{ sig: "00" }]],
  [
    "a key id that signs twice",
    "root",
    ["signatures"],
    [
      { keyid: "a", sig: "00" },
      { keyid: "a", sig: "01" },
    ],
  ],
  [
    "too many signatures",
    "root",
    ["signatures"],
    Array.from({ length: MAX_SIGNATURES + 1 }, (_, i) => ({ keyid: `${i}`, sig: "" })),
  ],
  ["no type", "root", ["signed", "_type"], undefined],
  ["version 0", "timestamp", ["signed", "version"], 0],
  ["a version that is text", "timestamp", ["signed", "version"], "1"],
  ["no version", "timestamp", ["signed", "version"], undefined],
  ["no expiry", "timestamp", ["signed", "expires"], undefined],
  ["an expiry that is a number", "timestamp", ["signed", "expires"], 2_000_000_000],
  ["an expiry with an offset", "timestamp", ["signed", "expires"], "2030-01-01T00:00:00+00:00"],
  ["an expiry with fractions", "timestamp", ["signed", "expires"], "2030-01-01T00:00:00.000Z"],
  ["an expiry on no day", "timestamp", ["signed", "expires"], "2030-02-30T00:00:00Z"],
  ["a root without a role", "root", ["signed", "roles", "snapshot"], undefined],
  ["threshold 0", "root", ["signed", "roles", "targets", "threshold"], 0],
  ["a threshold below 0", "root", ["signed", "roles", "targets", "threshold"], -1],
  ["a key id that a role lists twice", "root", ["signed", "roles", "targets", "keyids"], [SHA256, SHA256]],
  [
    "a key under another id",
    "root",
    ["signed", "keys", SHA256],
    { keytype: "ed25519", scheme: "ed25519", keyval: { public: SHA256 } },
  ],
  ["a key without its value", "root", ["signed", "keys", SHA256], { keytype: "ed25519", scheme: "ed25519" }],
  [
    "too many keys",
    "root",
    ["signed", "keys"],
    Object.fromEntries(Array.from({ length: MAX_KEYS + 1 }, (_, i) => [`${i}`, {}])),
  ],
  ["consistent_snapshot that is text", "root", ["signed", "consistent_snapshot"], "false"],
  [
    "a timestamp that names another file",
    "timestamp",
    ["signed", "meta"],
    { "targets.json": { version: 1 } },
  ],
  ["a timestamp that names two files", "timestamp", ["signed", "meta", "targets.json"], { version: 1 }],
  ["a timestamp that names nothing", "timestamp", ["signed", "meta"], {}],
  ["a snapshot without targets.json", "snapshot", ["signed", "meta"], { "acme.json": { version: 1 } }],
  ["a file without its version", "snapshot", ["signed", "meta", "targets.json", "version"], undefined],
  ["a file of length 0", "snapshot", ["signed", "meta", "targets.json", "length"], 0],
  [
    "a digest in capitals",
    "snapshot",
    ["signed", "meta", "targets.json", "hashes"],
    { sha256: SHA256.toUpperCase() },
  ],
  [
    "a digest of the wrong length",
    "snapshot",
    ["signed", "meta", "targets.json", "hashes"],
    { sha256: "ab" },
  ],
  [
    "hashes of unknown algorithms alone",
    "snapshot",
    ["signed", "meta", "targets.json", "hashes"],
    { md5: "ab".repeat(16) },
  ],
  ["empty hashes", "snapshot", ["signed", "meta", "targets.json", "hashes"], {}],
  ["no targets", "targets", ["signed", "targets"], undefined],
  ["a target without its length", "targets", [...TARGET, "length"], undefined],
  ["a target of negative length", "targets", [...TARGET, "length"], -1],
  ["a target without its hashes", "targets", [...TARGET, "hashes"], undefined],
  ["a target without a SHA-256", "targets", [...TARGET, "hashes"], { sha512: "ab".repeat(64) }],
  ["a target whose custom is no object", "targets", [...TARGET, "custom"], [1]],
  [
    "a target path that is too long",
    "targets",
    ["signed", "targets", "a".repeat(257)],
    { length: 1, hashes: { sha256: SHA256 } },
  ],
  [
    "a delegation with paths and prefixes",
    "targets",
    ["signed", "delegations"],
    delegations({ ...DELEGATION, path_hash_prefixes: ["0"] }),
  ],
  [
    "a hash prefix in capitals",
    "targets",
    ["signed", "delegations"],
    delegations({ name: "bin-a", keyids: [SHA256], threshold: 1, path_hash_prefixes: ["A"] }),
  ],
  [
    "a pattern that not every client reads alike",
    "targets",
    ["signed", "delegations"],
    delegations({ ...DELEGATION, paths: ["acme/[ab]*"] }),
  ],
  [
    "a delegation for hardware that is no name",
    "targets",
    ["signed", "delegations"],
    delegations({ ...DELEGATION, skerry: { hardware: ["RPi 4"] } }),
  ],
  ["a time of signing that is none", "timestamp", ["signed", "skerry"], { issued: "yesterday" }],
  [
    "too many delegations",
    "targets",
    ["signed", "delegations"],
    delegations(
      ...Array.from({ length: MAX_DELEGATIONS + 1 }, (_, i) => ({ ...DELEGATION, name: `r-${i}` })),
    ),
  ],
  [
    "a delegation with too many patterns",
    "targets",
    ["signed", "delegations"],
    delegations({
      ...DELEGATION,
      paths: Array.from({ length: MAX_DELEGATION_PATHS + 1 }, (_, i) => `acme/${i}`),
    }),
  ],
  [
    "too many files",
    "snapshot",
    ["signed", "meta"],
    Object.fromEntries([
      ["targets.json", { version: 1 }],
      ...Array.from({ length: MAX_SNAPSHOT_ENTRIES }, (_, i) => [`r-${i}.json`, { version: 1 }]),
    ]),
  ],
  [
    "too many hashes of one file",
    "snapshot",
    ["signed", "meta", "targets.json", "hashes"],
    { sha256: SHA256, ...Object.fromEntries(Array.from({ length: MAX_HASHES }, (_, i) => [`h${i}`, "00"])) },
  ],
  ["two delegations of one name", "targets", ["signed", "delegations"], delegations(DELEGATION, DELEGATION)],
];

for (const [name, role, path, value] of MALFORMED) {
  test(`malformed: ${role} with ${name}`, async (t) => {
    const file = withMember((await files())[role], path, value);
    const error = t.throws(() => parse(role, file), { instanceOf: OtaError, code: "trust/malformed" });
    t.regex(error?.message ?? "", new RegExp(`^image ${role}: `));
    t.like(error?.details, { repository: "image", role });
  });
}

for (const [version, code] of [
  ["1.0", undefined],
  ["1.0.0", undefined],
  ["1.0.99", undefined],
  ["1.1.0", "trust/unsupported"],
  ["2.0.0", "trust/unsupported"],
  ["1", "trust/unsupported"],
  ["", "trust/unsupported"],
] satisfies readonly (readonly [string, OtaErrorCode | undefined])[]) {
  test(`spec_version ${JSON.stringify(version)} is ${code === undefined ? "read" : "refused"}`, async (t) => {
    const file = withMember((await files()).targets, ["signed", "spec_version"], version);
    if (code === undefined) t.notThrows(() => parse("targets", file));
    else t.throws(() => parse("targets", file), { instanceOf: OtaError, code });
  });
}

test("duplicate keys and deep nesting are refused with the file's name", async (t) => {
  const text = JSON.stringify((await files()).timestamp);
  const duplicate = text.replace('"version":1', '"version":9,"version":1');
  const deep = text.replace('"version":1', `"deep":${"[".repeat(100)}${"]".repeat(100)},"version":1`);
  for (const [broken, message] of [
    [duplicate, /^image timestamp: .*"version" stands twice/],
    [deep, /^image timestamp: .*nested deeper/],
  ] as const) {
    const run = () => parseMetadata("image", "timestamp", new TextEncoder().encode(broken));
    t.throws(run, { instanceOf: OtaError, code: "trust/malformed", message });
  }
});

test("what the writer builds parses to what was given", async (t) => {
  const { targets, root } = await files();
  const parsedTargets = parse("targets", targets).metadata;
  t.like(parsedTargets, {
    type: "targets",
    version: 1,
    specVersion: "1.0.31",
    expiresMs: NEXT_YEAR_MS,
    expires: "2031-06-01T00:00:00Z",
  });
  if (parsedTargets.type !== "targets") return t.fail();
  t.deepEqual([...parsedTargets.targets.keys()], [PATH]);
  t.like(parsedTargets.targets.get(PATH), { length: PATH.length, sha256: testTarget(PATH).sha256 });
  const parsedRoot = parse("root", root).metadata;
  if (parsedRoot.type !== "root") return t.fail();
  t.is(parsedRoot.keys.size, 4);
  t.like(parsedRoot.roles.timestamp, { threshold: 1 });
  t.false(parsedRoot.consistentSnapshot);
});

test("members that this client does not know are kept when a file is written again", async (t) => {
  const { targets } = await files();
  const other = { length: 1, hashes: { sha256: SHA256 }, "x-target": [1] };
  const extended = [
    [["signed", "x-file"], "kept"],
    [["signed", "targets", "other"], other],
    [["signed", "delegations"], { ...delegations(DELEGATION), "x-more": 1 }],
  ] as const;
  const file = extended.reduce<JsonValue>(
    (value, [path, member]) => withMember(value, path, member),
    targets,
  );
  const { metadata, signedJson } = parse("targets", file);
  if (metadata.type !== "targets") return t.fail();
  const added = targetInfo("added", { length: 2, sha256: SHA256 });
  const written = targetsJson({
    version: 2,
    expiresMs: NEXT_YEAR_MS,
    base: signedJson,
    targets: [...metadata.targets.values(), added],
  });
  t.like(JSON.parse(JSON.stringify(written)), {
    version: 2,
    "x-file": "kept",
    targets: { other, added: { length: 2 } },
    delegations: { "x-more": 1, roles: [DELEGATION] },
  });
});

test("a timestamp says when it was issued, or does not", async (t) => {
  const { timestamp } = await files();
  t.like(parse("timestamp", timestamp).metadata, { issuedMs: undefined });
  const issued = withMember(timestamp, ["signed", "skerry"], { issued: "2030-05-31T12:00:00Z", "x-more": 1 });
  t.like(parse("timestamp", issued).metadata, { issuedMs: Date.parse("2030-05-31T12:00:00Z") });
});

for (const [what, name] of [
  ["a root's role", "targets"],
  ["a dot, as in 2.root", "2.root"],
  ["a topic's separator", "acme/team"],
  ["a wildcard", "acme+"],
  ["upper case", "Acme"],
  ["nothing", ""],
] as const) {
  test(`a delegated role whose name has ${what} is refused: it becomes a topic and a file`, async (t) => {
    const { targets } = await files();
    const odd = withMember(targets, ["signed", "delegations"], delegations({ ...DELEGATION, name }));
    t.throws(() => parse("targets", odd), { instanceOf: OtaError, code: "trust/malformed" });
  });
}

test("a delegation may be for some hardware only", async (t) => {
  const { targets } = await files();
  const some = delegations({ ...DELEGATION, skerry: { hardware: ["rpi-4"] } });
  const { metadata } = parse("targets", withMember(targets, ["signed", "delegations"], some));
  t.deepEqual(metadata.type === "targets" && metadata.delegations?.roles[0]?.hardware, ["rpi-4"]);
});

test("delegations parse, by paths and by hash prefixes, in their order", async (t) => {
  const bins = { name: "bins", keyids: [SHA256], threshold: 2, path_hash_prefixes: ["0", "1"] };
  const { targets } = await files();
  const { metadata } = parse(
    "targets",
    withMember(targets, ["signed", "delegations"], delegations(bins, DELEGATION)),
  );
  if (metadata.type !== "targets") return t.fail();
  t.deepEqual(metadata.delegations?.roles, [
    {
      name: "bins",
      hardware: undefined,
      keyIds: [SHA256],
      threshold: 2,
      terminating: false,
      matches: { kind: "hash-prefixes", prefixes: ["0", "1"] },
    },
    {
      name: "acme",
      hardware: undefined,
      keyIds: [SHA256],
      threshold: 1,
      terminating: true,
      matches: { kind: "paths", patterns: ["acme/*"] },
    },
  ]);
});

test("a key of another type parses; it verifies nothing", async (t) => {
  const { root } = await files();
  const rsa = {
    keytype: "rsa",
    scheme: "rsassa-pss-sha256",
    keyval: { public: "-----BEGIN PUBLIC KEY-----" },
  };
  const { metadata } = parse("root", withMember(root, ["signed", "keys", keyIdOf(rsa)], rsa));
  t.is(metadata.type === "root" && metadata.keys.get(keyIdOf(rsa))?.keyType, "rsa");
});
