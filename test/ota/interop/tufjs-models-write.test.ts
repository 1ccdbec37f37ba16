/**
 * The agent's verifier takes what @tufjs/models writes: consistent snapshots on versioned topics, keys of three types, a threshold, delegations, a
 * rotation. And it refuses what is not what it should be, as from anybody.
 */

import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  Key,
  Metadata,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from "@tufjs/models";
import test from "ava";
import { keyIdOf } from "../../../ota/keys.ts";
import { loadTrustedRepository } from "../../../ota/load-trusted.ts";
import { TargetSearch, VerifiedDelegations } from "../../../ota/resolve-target.ts";
import { createVerifier } from "../../../ota/signature.ts";
import {
  NOTHING_RECEIVED,
  parseMetadataTopic,
  type ReceivedMetadata,
  receiveMetadata,
  retainDelegated,
  type TrustedRepository,
} from "../../../ota/trust-state.ts";
import { verifyRepository } from "../../../ota/trusted-repository.ts";

const NOW_MS = Date.parse("2030-06-01T00:00:00Z");
const COMPONENT = "acme/thermo/1.0.0/component.wasm";
const COMMON = { specVersion: "1.0.31", expires: "2031-06-01T00:00:00Z" };

interface Writer {
  readonly key: Key;
  sign(data: Buffer): Signature;
}

function writer(keyType: string, scheme: string, text: string, signData: (data: Buffer) => Buffer): Writer {
  const keyID = keyIdOf({ keytype: keyType, scheme, keyval: { public: text } });
  const key = new Key({ keyID, keyType, scheme, keyVal: { public: text } });
  return { key, sign: (data) => new Signature({ keyID, sig: signData(data).toString("hex") }) };
}

const pem = (key: KeyObject): string => key.export({ format: "pem", type: "spki" }).toString();

function ed25519(): Writer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" });
  const hex = Buffer.from(x ?? "", "base64url").toString("hex");
  return writer("ed25519", "ed25519", hex, (data) => sign(null, data, privateKey));
}

function rsa(): Writer {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const options = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return writer("rsa", "rsassa-pss-sha256", pem(publicKey), (data) => sign("sha256", data, options));
}

function ecdsa(): Writer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return writer("ecdsa", "ecdsa-sha2-nistp256", pem(publicKey), (data) => sign("sha256", data, privateKey));
}

const WRITERS = {
  root: [rsa(), ed25519()],
  timestamp: [ed25519()],
  snapshot: [ecdsa()],
  targets: [rsa(), ecdsa()],
} as const;
const TEAM = ecdsa();
const BINS = ed25519();

function file(signed: Root | Timestamp | Snapshot | Targets, writers: readonly Writer[]): Buffer {
  const metadata = new Metadata(signed);
  for (const each of writers) metadata.sign((data) => each.sign(data));
  return Buffer.from(JSON.stringify(metadata.toJSON()));
}

type WritersByRole = Readonly<Record<keyof typeof WRITERS, readonly Writer[]>>;

/** All keys of a role have to sign. */
function root(version: number, writers: WritersByRole, signers: readonly Writer[] = writers.root): Buffer {
  const signed = Root.fromJSON({
    _type: "root",
    spec_version: COMMON.specVersion,
    expires: COMMON.expires,
    version,
    consistent_snapshot: true,
    keys: Object.fromEntries(
      Object.values(writers)
        .flat()
        .map(({ key }) => [key.keyID, key.toJSON()]),
    ),
    roles: Object.fromEntries(
      Object.entries(writers).map(([role, each]) => [
        role,
        { keyids: each.map(({ key }) => key.keyID), threshold: each.length },
      ]),
    ),
  });
  return file(signed, signers);
}

function target(path: string): TargetFile {
  const hashes = { sha256: createHash("sha256").update(path).digest("hex") };
  return new TargetFile({ path, length: path.length, hashes });
}

function meta(version: number, bytes: Buffer): MetaFile {
  const hashes = { sha256: createHash("sha256").update(bytes).digest("hex") };
  return new MetaFile({ version, length: bytes.length, hashes });
}

/** A repository's files by the names of their topics. */
function repository(version: number, writers: WritersByRole = WRITERS): Map<string, Buffer> {
  const acme = file(new Targets({ ...COMMON, version, targets: { [COMPONENT]: target(COMPONENT) } }), [TEAM]);
  const lamp = "other/lamp/1.0.0/component.wasm";
  const bins = file(new Targets({ ...COMMON, version, targets: { [lamp]: target(lamp) } }), [BINS]);
  const top = Targets.fromJSON({
    _type: "targets",
    spec_version: COMMON.specVersion,
    expires: COMMON.expires,
    version,
    targets: {},
    delegations: {
      keys: Object.fromEntries([TEAM, BINS].map(({ key }) => [key.keyID, key.toJSON()])),
      roles: [
        { name: "acme", keyids: [TEAM.key.keyID], threshold: 1, paths: ["acme/*/*/*"], terminating: true },
        {
          name: "bins",
          keyids: [BINS.key.keyID],
          threshold: 1,
          path_hash_prefixes: [..."0123456789abcdef"],
          terminating: false,
        },
      ],
    },
  });
  const targets = file(top, writers.targets);
  const snapshot = file(
    new Snapshot({
      ...COMMON,
      version,
      meta: {
        "targets.json": meta(version, targets),
        "acme.json": meta(version, acme),
        "bins.json": meta(version, bins),
      },
    }),
    writers.snapshot,
  );
  const timestamp = file(
    new Timestamp({ ...COMMON, version, snapshotMeta: meta(version, snapshot) }),
    writers.timestamp,
  );
  return new Map([
    [`${version}.acme`, acme],
    [`${version}.bins`, bins],
    [`${version}.targets`, targets],
    [`${version}.snapshot`, snapshot],
    ["timestamp", timestamp],
  ]);
}

function receive(
  trusted: TrustedRepository,
  files: ReadonlyMap<string, Uint8Array>,
  before: ReceivedMetadata = NOTHING_RECEIVED,
): ReceivedMetadata {
  return [...files].reduce((received, [name, bytes]) => {
    const topic = parseMetadataTopic(name);
    if (topic === undefined) throw new Error(`${name} is no topic`);
    const interest = { root: trusted.root.metadata, delegatedRoles: undefined };
    return receiveMetadata(received, topic, bytes, interest);
  }, before);
}

const verifier = await createVerifier();

/** Takes what arrived as the agent does, root by root. */
function takeUp(trusted: TrustedRepository, received: ReceivedMetadata): TrustedRepository {
  const verdict = verifyRepository(trusted, received, NOW_MS, verifier);
  if (verdict.kind === "incomplete") throw verdict.error;
  return verdict.kind === "current" ? trusted : takeUp(verdict.trusted, received);
}

function search({ targets, snapshot }: TrustedRepository, { delegated }: ReceivedMetadata): TargetSearch {
  if (targets === undefined || snapshot === undefined) throw new Error("nothing was taken up");
  return new TargetSearch({
    targets: targets.metadata,
    snapshot: snapshot.metadata,
    delegated,
    nowMs: NOW_MS,
    verifier,
    hardware: undefined,
    verified: new VerifiedDelegations(),
  });
}

const fresh = () => loadTrustedRepository("image", root(1, WRITERS), {}, verifier).trusted;

test("a repository with consistent snapshots, RSA, ECDSA and Ed25519 keys, thresholds and delegations is taken up", (t) => {
  const received = receive(fresh(), repository(7));
  const trusted = takeUp(fresh(), received);
  const targets = search(trusted, received);
  t.like(targets.find(COMPONENT), { kind: "found", target: { length: COMPONENT.length } });
  t.like(targets.find("other/lamp/1.0.0/component.wasm"), { kind: "found" });
  t.deepEqual(targets.find("acme/thermo/2.0.0/component.wasm"), { kind: "absent" });
});

test("of versioned topics the highest version counts, in whatever order they come, and a cleared one is gone", (t) => {
  const [old, next] = [repository(7), repository(8)];
  const forwards = receive(fresh(), new Map([...old, ...next]));
  const backwards = receive(
    fresh(),
    new Map([...next, ...old, ["timestamp", next.get("timestamp") ?? Buffer.alloc(0)]]),
  );
  for (const received of [forwards, backwards]) {
    t.is(takeUp(fresh(), received).targets?.metadata.version, 8);
    t.like(search(takeUp(fresh(), received), received).find(COMPONENT), { kind: "found" });
  }
  t.is(receive(fresh(), new Map([["7.snapshot", Buffer.alloc(0)]]), forwards), forwards);
  t.is(receive(fresh(), new Map([["8.snapshot", Buffer.alloc(0)]]), forwards).snapshot, undefined);
  const retained = retainDelegated(forwards, new Set(["acme"]));
  t.deepEqual([...retained.delegated.keys()], ["acme"]);
});

test("files on the topics without a version do as well", (t) => {
  const files = [...repository(7)].map(([name, bytes]) => [name.replace(/^7\./, ""), bytes] as const);
  const received = receive(fresh(), new Map(files));
  t.like(search(takeUp(fresh(), received), received).find(COMPONENT), { kind: "found" });
});

test("a root that was rotated to other keys of other types is followed", (t) => {
  const next = { ...WRITERS, root: [ecdsa()], timestamp: [rsa()] };
  const second = root(2, next, [...WRITERS.root, ...next.root]);
  const received = receive(fresh(), new Map([...repository(3, next), ["2.root", second]]));
  t.is(takeUp(fresh(), received).root.metadata.version, 2);
  t.is(takeUp(fresh(), received).timestamp?.metadata.version, 3);
});

test("one signature short of a threshold is refused, by whichever tool it was written", (t) => {
  const received = receive(fresh(), repository(7, { ...WRITERS, targets: [WRITERS.targets[0]] }));
  t.throws(() => takeUp(fresh(), received), { code: "trust/signature-invalid" });
});
