import test from "ava";

import { OtaError } from "../../ota/errors.ts";
import { keyIdOf } from "../../ota/keys.ts";
import { MAX_DELEGATED_BYTES, MAX_DELEGATED_FILES, MAX_PENDING_ROOTS } from "../../ota/limits.ts";
import { loadTrustedRepository } from "../../ota/load-trusted.ts";
import { createVerifier, type SignatureVerifier } from "../../ota/signature.ts";
import {
  type Interest,
  NOTHING_RECEIVED,
  parseMetadataTopic,
  type ReceivedMetadata,
  receiveMetadata,
  type TrustedRepository,
} from "../../ota/trust-state.ts";
import { verifyRepository } from "../../ota/trusted-repository.ts";
import {
  metadataSet,
  NEXT_YEAR_MS,
  NOW_MS,
  type RepositorySigners,
  repositorySigners,
  rootFile,
  testSigner,
} from "../support/signed-repository.ts";

interface Scene {
  readonly roles: RepositorySigners;
  readonly verifier: SignatureVerifier;
  readonly trusted: TrustedRepository;
  readonly received: ReceivedMetadata;
}

/** Root 1, and version 5 of the others trusted. */
async function scene(): Promise<Scene> {
  const roles = await repositorySigners("image");
  const verifier = await createVerifier();
  const { trusted: fresh } = loadTrustedRepository("image", await rootFile(roles), {}, verifier);
  const received = { ...NOTHING_RECEIVED, ...(await metadataSet(roles, { version: 5 })) };
  const verdict = verifyRepository(fresh, received, NOW_MS, verifier);
  if (verdict.kind !== "updated") throw new Error(verdict.kind);
  return { roles, verifier, trusted: verdict.trusted, received };
}

/** The same roles with new keys for one of them. */
async function rotated(
  roles: RepositorySigners,
  role: keyof RepositorySigners,
  names: readonly string[] = [`new ${role}`],
  threshold = 1,
): Promise<RepositorySigners> {
  return { ...roles, [role]: { signers: await Promise.all(names.map(testSigner)), threshold } };
}

function withRoots(
  received: ReceivedMetadata,
  roots: readonly (readonly [number, Uint8Array])[],
): ReceivedMetadata {
  return { ...received, roots: new Map(roots) };
}

/** Of a device that trusts this version of the root and knows of no delegated roles yet. */
const interest = (version: number, consistentSnapshot = false): Interest => ({
  root: { version, consistentSnapshot },
  delegatedRoles: undefined,
});

const REFUSED = (code: OtaError["code"]) => ({ instanceOf: OtaError, code });

test("§5.3.4: a root signed by the old and the new keys is taken alone, before anything is judged by it", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const next = await rotated(roles, "root");
  const root = await rootFile(next, { version: 2, signedBy: [...roles.root.signers, ...next.root.signers] });
  const garbage = { ...received, timestamp: new Uint8Array(3) };
  const verdict = verifyRepository(trusted, withRoots(garbage, [[2, root]]), NOW_MS, verifier);
  t.like(verdict, { kind: "updated", changedRoles: ["root"] });
  if (verdict.kind !== "updated") return;
  t.is(verdict.trusted.root.metadata.version, 2);
  t.deepEqual(verifyRepository(verdict.trusted, withRoots(received, [[2, root]]), NOW_MS, verifier), {
    kind: "current",
  });
});

for (const [who, sign] of [
  ["only the old keys", (old: RepositorySigners, _next: RepositorySigners) => old.root.signers],
  ["only the new keys", (_old: RepositorySigners, next: RepositorySigners) => next.root.signers],
  ["nobody", () => []],
] as const) {
  test(`§5.3.4: a root with new keys that ${who} signed is refused`, async (t) => {
    const { roles, verifier, trusted, received } = await scene();
    const next = await rotated(roles, "root");
    const root = await rootFile(next, { version: 2, signedBy: sign(roles, next) });
    const judge = () => verifyRepository(trusted, withRoots(received, [[2, root]]), NOW_MS, verifier);
    t.throws(judge, REFUSED("trust/signature-invalid"));
  });
}

test("§5.3.5: a root that stands at N + 1 and is of another version is refused", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  for (const version of [1, 3]) {
    const root = await rootFile(roles, { version });
    const judge = () => verifyRepository(trusted, withRoots(received, [[2, root]]), NOW_MS, verifier);
    t.throws(judge, REFUSED("trust/rollback-attack"));
  }
});

test("§5.3.9: a chain of roots is walked one by one, an expired one in the middle does not matter (§5.3.6)", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const roots = withRoots(received, [
    [3, await rootFile(roles, { version: 3 })],
    [2, await rootFile(roles, { version: 2, expiresMs: NOW_MS - 1 })],
  ]);
  const second = verifyRepository(trusted, roots, NOW_MS, verifier);
  if (second.kind !== "updated") return t.fail();
  const third = verifyRepository(second.trusted, roots, NOW_MS, verifier);
  if (third.kind !== "updated") return t.fail();
  t.is(third.trusted.root.metadata.version, 3);
  t.deepEqual(verifyRepository(third.trusted, roots, NOW_MS, verifier), { kind: "current" });
});

test("§5.3.10: freeze attack: the last root of the chain has to be unexpired", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const roots = withRoots(received, [[2, await rootFile(roles, { version: 2, expiresMs: NOW_MS })]]);
  const verdict = verifyRepository(trusted, roots, NOW_MS, verifier);
  if (verdict.kind !== "updated") return t.fail();
  t.throws(() => verifyRepository(verdict.trusted, roots, NOW_MS, verifier), REFUSED("trust/freeze-attack"));
});

test("§5.3.11: fast-forward attack: with new snapshot keys the versions may start again lower", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const next = await rotated(roles, "snapshot");
  const roots: [number, Uint8Array][] = [[2, await rootFile(next, { version: 2 })]];
  const verdict = verifyRepository(trusted, withRoots(received, roots), NOW_MS, verifier);
  if (verdict.kind !== "updated") return t.fail();
  t.is(verdict.trusted.timestamp, undefined);
  t.is(verdict.trusted.snapshot, undefined);
  const lower = { ...received, ...(await metadataSet(next, { version: 2 })) };
  t.like(verifyRepository(verdict.trusted, withRoots(lower, roots), NOW_MS, verifier), { kind: "updated" });
});

test("a new root that keeps the snapshot and timestamp keys keeps the rollback protection", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const roots = withRoots(received, [[2, await rootFile(roles, { version: 2 })]]);
  const verdict = verifyRepository(trusted, roots, NOW_MS, verifier);
  if (verdict.kind !== "updated") return t.fail();
  const older = { ...roots, ...(await metadataSet(roles, { version: 4 })) };
  t.throws(
    () => verifyRepository(verdict.trusted, older, NOW_MS, verifier),
    REFUSED("trust/rollback-attack"),
  );
});

test("targets whose key a new root revokes are trusted no longer", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const next = await rotated(roles, "targets");
  const roots = withRoots(received, [[2, await rootFile(next, { version: 2 })]]);
  const verdict = verifyRepository(trusted, roots, NOW_MS, verifier);
  if (verdict.kind !== "updated") return t.fail();
  t.is(verdict.trusted.targets, undefined);
  t.like(verifyRepository(verdict.trusted, roots, NOW_MS, verifier), {
    kind: "incomplete",
    error: { code: "trust/signature-invalid" },
  });
});

test("metadata signed with the keys of a root that is still on its way is awaited, not refused", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const next = await rotated(roles, "timestamp");
  const early = { ...received, ...(await metadataSet(next, { version: 6 })) };
  t.like(verifyRepository(trusted, early, NOW_MS, verifier), { kind: "incomplete", waitingFor: "root" });
  const complete = withRoots(early, [[2, await rootFile(next, { version: 2 })]]);
  const verdict = verifyRepository(trusted, complete, NOW_MS, verifier);
  if (verdict.kind !== "updated") return t.fail();
  t.like(verifyRepository(verdict.trusted, complete, NOW_MS, verifier), { kind: "updated" });
});

test("threshold: two of three keys are enough, one is not, and one key counts once", async (t) => {
  const { roles, verifier } = await scene();
  const three = await rotated(roles, "targets", ["a", "b", "c"], 2);
  const [first, second] = three.targets.signers;
  if (first === undefined || second === undefined) return t.fail();
  const { trusted } = loadTrustedRepository("image", await rootFile(three), {}, verifier);
  const judge = async (signers: typeof three.targets.signers) => {
    const set = await metadataSet(three, { version: 6, signedBy: { targets: signers } });
    return verifyRepository(trusted, { ...NOTHING_RECEIVED, ...set }, NOW_MS, verifier);
  };
  t.like(await judge([first, second]), { kind: "updated" });
  t.like(await judge([first]), { kind: "incomplete", error: { code: "trust/signature-invalid" } });
  await t.throwsAsync(judge([first, first]), REFUSED("trust/malformed"));
});

test("threshold: one public key under two key ids counts once", async (t) => {
  const { roles, verifier } = await scene();
  const signer = await testSigner("twice");
  const json = { ...signer.key.json, "x-copy": 1 };
  const twin = { key: { ...signer.key, json, keyId: keyIdOf(json) }, sign: signer.sign };
  const two: RepositorySigners = { ...roles, targets: { signers: [signer, twin], threshold: 2 } };
  const { trusted } = loadTrustedRepository("image", await rootFile(two), {}, verifier);
  const set = await metadataSet(two, { version: 6 });
  t.like(verifyRepository(trusted, { ...NOTHING_RECEIVED, ...set }, NOW_MS, verifier), {
    kind: "incomplete",
    error: { code: "trust/signature-invalid" },
  });
});

test("§5.2: what was stored is trusted again after a restart, and nothing is dropped", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const stored = {
    root: await rootFile(roles, { version: 2 }),
    timestamp: trusted.timestamp?.bytes ?? new Uint8Array(),
    snapshot: trusted.snapshot?.bytes ?? new Uint8Array(),
    targets: trusted.targets?.bytes ?? new Uint8Array(),
  };
  const loaded = loadTrustedRepository("image", await rootFile(roles), stored, verifier);
  t.deepEqual(loaded.droppedRoles, []);
  t.is(loaded.trusted.root.metadata.version, 2);
  t.deepEqual(verifyRepository(loaded.trusted, received, NOW_MS, verifier), { kind: "current" });
});

test("§5.2: a stored file that is spoiled or signed by nobody is dropped, the others stay", async (t) => {
  const { roles, verifier, trusted } = await scene();
  const attacker = await testSigner("attacker");
  const forged = await metadataSet(roles, { version: 9, signedBy: { targets: [attacker] } });
  const stored = {
    timestamp: trusted.timestamp?.bytes ?? new Uint8Array(),
    snapshot: new Uint8Array(7),
    targets: forged.targets,
  };
  const loaded = loadTrustedRepository("image", await rootFile(roles), stored, verifier);
  t.deepEqual(loaded.droppedRoles, ["snapshot", "targets"]);
  t.truthy(loaded.trusted.timestamp);
});

test("§5.2: a stored root of the provisioned one's version does not take its place, whatever keys it lists", async (t) => {
  const { roles, verifier } = await scene();
  const provisioned = await rootFile(roles);
  const strangers = await rotated(roles, "root", ["stranger"]);
  const stored = await rootFile(strangers);
  const loaded = loadTrustedRepository("image", provisioned, { root: stored }, verifier);
  t.is(loaded.trusted.root.bytes, provisioned);
  t.deepEqual(loaded.droppedRoles, ["root"]);
});

test("§5.2: a stored root that is older than the provisioned one, or signs itself with unlisted keys, is not used", async (t) => {
  const { roles, verifier } = await scene();
  const provisioned = await rootFile(roles, { version: 3 });
  const older = await rootFile(roles, { version: 2 });
  const foreign = await rootFile(roles, { version: 4, signedBy: [await testSigner("attacker")] });
  for (const root of [older, foreign]) {
    const loaded = loadTrustedRepository("image", provisioned, { root }, verifier);
    t.is(loaded.trusted.root.metadata.version, 3);
    t.deepEqual(loaded.droppedRoles, ["root"]);
  }
});

test("§5.2: a provisioned root that did not sign itself is refused", async (t) => {
  const { roles, verifier } = await scene();
  const root = await rootFile(roles, { signedBy: [await testSigner("attacker")] });
  t.throws(() => loadTrustedRepository("image", root, {}, verifier), REFUSED("trust/signature-invalid"));
});

test("a topic's name says role and root version, nothing else does", (t) => {
  t.deepEqual(parseMetadataTopic("timestamp"), { role: "timestamp", version: undefined });
  t.deepEqual(parseMetadataTopic("12.root"), { role: "root", version: 12 });
  t.deepEqual(parseMetadataTopic("targets"), { role: "targets", version: undefined });
  t.deepEqual(parseMetadataTopic("7.snapshot"), { role: "snapshot", version: 7 });
  t.deepEqual(parseMetadataTopic("acme"), { role: "acme", version: undefined });
  t.deepEqual(parseMetadataTopic("3.acme"), { role: "acme", version: 3 });
  for (const name of [
    "root",
    "1.timestamp",
    "Acme",
    "acme.2",
    "0.root",
    "01.root",
    "-1.root",
    "1.root.json",
    "9999999999.root",
    "mirrors",
    "",
  ]) {
    t.is(parseMetadataTopic(name), undefined, name);
  }
});

test("endless data attack: roots that pile up are kept up to 512 KiB, the nearest first, and none that is trusted already", (t) => {
  let received = NOTHING_RECEIVED;
  for (let version = 40; version >= 1; version -= 1) {
    received = receiveMetadata(received, { role: "root", version }, new Uint8Array(65_536), interest(3));
  }
  t.deepEqual([...received.roots.keys()], [4, 5, 6, 7, 8, 9, 10, 11]);
});

test("endless data attack: tiny roots of any version are kept in a bounded number, the nearest", (t) => {
  let received = NOTHING_RECEIVED;
  for (let version = 2_000; version >= 1; version -= 1) {
    received = receiveMetadata(
      received,
      { role: "root", version },
      Uint8Array.of(version & 0xff),
      interest(3),
    );
  }
  t.is(received.roots.size, MAX_PENDING_ROOTS);
  t.deepEqual([...received.roots.keys()].slice(0, 2), [4, 5]);
});

test("a topic that was cleared holds nothing: a forged next root that is taken away blocks nothing any more", async (t) => {
  const { roles, verifier, trusted, received } = await scene();
  const next = { role: "root", version: trusted.root.metadata.version + 1 } as const;
  const forged = await rootFile(roles, { version: next.version, signedBy: [await testSigner("attacker")] });
  const poisoned = receiveMetadata(received, next, forged, interest(1));
  t.throws(() => verifyRepository(trusted, poisoned, NOW_MS, verifier), REFUSED("trust/signature-invalid"));
  const cleared = receiveMetadata(poisoned, next, new Uint8Array(0), interest(1));
  t.deepEqual(verifyRepository(trusted, cleared, NOW_MS, verifier), { kind: "current" });
  t.is(receiveMetadata(cleared, { role: "targets" }, new Uint8Array(0), interest(1)).targets, undefined);
});

test("what lies there already is nothing new", async (t) => {
  const { received } = await scene();
  const { targets } = received;
  if (targets === undefined) throw new Error("the scene has targets");
  t.is(receiveMetadata(received, { role: "targets" }, Buffer.from(targets), interest(1)), received);
  t.is(receiveMetadata(received, { role: "root", version: 9 }, new Uint8Array(0), interest(1)), received);
  t.is(receiveMetadata(received, { role: "root", version: 1 }, Uint8Array.of(1), interest(1)), received);
});

test("a root expires a year on: the fixed time decides, not the clock", async (t) => {
  const { verifier, trusted, received } = await scene();
  t.deepEqual(verifyRepository(trusted, received, NEXT_YEAR_MS - 1, verifier), { kind: "current" });
  t.throws(() => verifyRepository(trusted, received, NEXT_YEAR_MS, verifier), REFUSED("trust/freeze-attack"));
});

test("endless data attack: files of delegated roles are kept up to 64 and 1 MiB, and those of no interest not at all", (t) => {
  const fill = (count: number, sizeBytes: number, of: Interest) => {
    let received = NOTHING_RECEIVED;
    for (let number = 0; number < count; number += 1) {
      received = receiveMetadata(received, { role: `role-${number}` }, new Uint8Array(sizeBytes).fill(1), of);
    }
    return received.delegated;
  };
  t.is(fill(500, 1, interest(1)).size, MAX_DELEGATED_FILES);
  const large = fill(500, 65_536, interest(1));
  t.is(large.size * 65_536, MAX_DELEGATED_BYTES);
  const known = { ...interest(1), delegatedRoles: new Set(["role-400"]) };
  t.deepEqual([...fill(500, 65_536, known).keys()], ["role-400"]);
});
