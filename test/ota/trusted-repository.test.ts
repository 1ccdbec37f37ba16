import test, { type ExecutionContext } from "ava";

import { OtaError, type OtaErrorCode } from "../../ota/errors.ts";
import type { JsonObject } from "../../ota/json.ts";
import { loadTrustedRepository } from "../../ota/load-trusted.ts";
import type { RoleName } from "../../ota/metadata.ts";
import { createVerifier, type SignatureVerifier } from "../../ota/signature.ts";
import {
  NOTHING_RECEIVED,
  type ReceivedMetadata,
  receiveMetadata,
  type TrustedRepository,
} from "../../ota/trust-state.ts";
import { type Verdict, verifyRepository } from "../../ota/trusted-repository.ts";
import {
  metadataSet,
  NEXT_YEAR_MS,
  NOW_MS,
  type RepositorySigners,
  repositorySigners,
  rootFile,
  testSigner,
  testTarget,
} from "../support/signed-repository.ts";

const COMPONENT = "acme/thermo/1.0.0/component.wasm";

/** A director repository with root 1 provisioned, and version 5 of the others trusted. */
interface Scene {
  readonly roles: RepositorySigners;
  readonly verifier: SignatureVerifier;
  readonly fresh: TrustedRepository;
  readonly trusted: TrustedRepository;
  readonly received: ReceivedMetadata;
}

async function scene(): Promise<Scene> {
  const roles = await repositorySigners("director");
  const verifier = await createVerifier();
  const { trusted: fresh } = loadTrustedRepository("director", await rootFile(roles), {}, verifier);
  const received = {
    ...NOTHING_RECEIVED,
    ...(await metadataSet(roles, { version: 5, targets: [testTarget(COMPONENT)] })),
  };
  const verdict = verifyRepository(fresh, received, NOW_MS, verifier);
  if (verdict.kind !== "updated") throw new Error(verdict.kind);
  return { roles, verifier, fresh, trusted: verdict.trusted, received };
}

function judge({ trusted, verifier }: Scene, received: Partial<ReceivedMetadata>, nowMs = NOW_MS): Verdict {
  return verifyRepository(trusted, { ...NOTHING_RECEIVED, ...received }, nowMs, verifier);
}

function refuses(
  t: ExecutionContext,
  code: OtaErrorCode,
  role: RoleName,
  run: () => unknown,
): OtaError | undefined {
  const error = t.throws(run, { instanceOf: OtaError, code });
  t.like(error?.details, { repository: "director", role });
  return error;
}

function awaits(t: ExecutionContext, verdict: Verdict, waitingFor: RoleName, code: OtaErrorCode): void {
  t.like(verdict, { kind: "incomplete", waitingFor, error: { code } });
}

test("§5.4 to §5.6: a set that was signed as the root says becomes trusted, and is current when it comes again", async (t) => {
  const { fresh, trusted, received, verifier } = await scene();
  t.like(verifyRepository(fresh, received, NOW_MS, verifier), {
    kind: "updated",
    changedRoles: ["targets", "snapshot", "timestamp"],
  });
  t.true(trusted.targets?.metadata.targets.has(COMPONENT));
  t.deepEqual(verifyRepository(trusted, received, NOW_MS, verifier), { kind: "current" });
});

test("§5.4: a timestamp that is signed anew with the same snapshot changes nothing else", async (t) => {
  const place = await scene();
  const { timestamp } = await metadataSet(place.roles, {
    version: 6,
    change: {
      timestamp: (signed) => ({ ...signed, meta: place.trusted.timestamp?.signedJson["meta"] ?? {} }),
    },
  });
  const verdict = judge(place, { ...place.received, timestamp });
  t.like(verdict, { kind: "updated", changedRoles: ["timestamp"] });
});

test("the three files may arrive in any order: what is missing is awaited, nothing is refused, the old set stays", async (t) => {
  const place = await scene();
  const { timestamp, snapshot, targets } = await metadataSet(place.roles, { version: 6 });
  awaits(t, judge(place, { ...place.received, targets }), "snapshot", "trust/mix-and-match-attack");
  awaits(
    t,
    judge(place, { ...place.received, targets, snapshot }),
    "timestamp",
    "trust/mix-and-match-attack",
  );
  awaits(t, judge(place, { ...place.received, timestamp }), "snapshot", "trust/mix-and-match-attack");
  awaits(
    t,
    judge(place, { ...place.received, timestamp, snapshot }),
    "targets",
    "trust/mix-and-match-attack",
  );
  t.like(judge(place, { timestamp, snapshot, targets }), { kind: "updated" });
});

test("before anything arrived the timestamp is awaited", async (t) => {
  const place = await scene();
  awaits(t, judge(place, {}), "timestamp", "trust/incomplete");
  awaits(
    t,
    judge({ ...place, trusted: place.fresh }, { timestamp: place.received.timestamp }),
    "snapshot",
    "trust/incomplete",
  );
});

for (const role of ["timestamp", "snapshot", "targets"] as const) {
  test(`arbitrary software attack: ${role} with a false signature under a rightful key id is refused at once`, async (t) => {
    const place = await scene();
    const rightful = place.roles[role].signers[0];
    const attacker = await testSigner("attacker");
    if (rightful === undefined) return t.fail();
    const set = await metadataSet(place.roles, {
      version: 6,
      signedBy: { [role]: [{ key: rightful.key, sign: attacker.sign }] },
    });
    refuses(t, "trust/signature-invalid", role, () => judge(place, set));
  });

  test(`arbitrary software attack: ${role} signed by an unknown key waits for a root that lists it, and changes nothing`, async (t) => {
    const place = await scene();
    const set = await metadataSet(place.roles, {
      version: 6,
      signedBy: { [role]: [await testSigner("attacker")] },
    });
    awaits(t, judge(place, set), "root", "trust/signature-invalid");
  });

  test(`arbitrary software attack: ${role} without a signature is refused`, async (t) => {
    const place = await scene();
    const set = await metadataSet(place.roles, { version: 6, signedBy: { [role]: [] } });
    refuses(t, "trust/signature-invalid", role, () => judge(place, set));
  });

  test(`arbitrary software attack: ${role} signed with another role's key is not taken`, async (t) => {
    const place = await scene();
    const set = await metadataSet(place.roles, {
      version: 6,
      signedBy: { [role]: place.roles.root.signers },
    });
    awaits(t, judge(place, set), "root", "trust/signature-invalid");
  });

  test(`freeze attack: ${role} that has expired is refused, on the second of its expiry too`, async (t) => {
    const place = await scene();
    const set = await metadataSet(place.roles, { version: 6, expiresMs: { [role]: NOW_MS } });
    refuses(t, "trust/freeze-attack", role, () => judge(place, set));
    t.like(judge(place, set, NOW_MS - 1), { kind: "updated" });
  });

  test(`wrong role: another role's metadata on the topic of ${role} is refused`, async (t) => {
    const place = await scene();
    const other = role === "targets" ? "snapshot" : "targets";
    refuses(t, "trust/wrong-role", role, () =>
      judge(place, { ...place.received, [role]: place.received[other] }),
    );
  });

  test(`endless data attack: ${role} over 65,536 bytes is refused unread`, async (t) => {
    const place = await scene();
    const received = receiveMetadata(place.received, { role }, new Uint8Array(1_000_000), {
      root: place.trusted.root.metadata,
      delegatedRoles: undefined,
    });
    t.is(received[role]?.byteLength, 65_537);
    refuses(t, "trust/endless-data-attack", role, () => judge(place, received));
  });

  test(`malformed: ${role} that is no JSON is refused`, async (t) => {
    const place = await scene();
    const received = { ...place.received, [role]: new TextEncoder().encode("{not json") };
    refuses(t, "trust/malformed", role, () => judge(place, received));
  });
}

test("freeze attack: what is trusted expires as well, when nothing newer comes", async (t) => {
  const place = await scene();
  const inTwoYearsMs = NOW_MS + 2 * 365 * 86_400_000;
  refuses(t, "trust/freeze-attack", "root", () => judge(place, place.received, inTwoYearsMs));
});

test("rollback attack: an older timestamp is refused (§5.4.3.1)", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, { version: 4 });
  refuses(t, "trust/rollback-attack", "timestamp", () => judge(place, set));
});

test("§5.4.3.1: another timestamp of the trusted version is not taken, and is no error", async (t) => {
  const place = await scene();
  const { timestamp } = await metadataSet(place.roles, {
    version: 5,
    change: { timestamp: (signed) => ({ ...signed, meta: { "snapshot.json": { version: 6 } } }) },
  });
  t.deepEqual(judge(place, { ...place.received, timestamp }), { kind: "current" });
});

test("rollback attack: a newer timestamp that names an older snapshot is refused (§5.4.3.2)", async (t) => {
  const place = await scene();
  const old = await metadataSet(place.roles, { version: 4 });
  const set = await metadataSet(place.roles, {
    version: 6,
    change: { timestamp: (signed) => ({ ...signed, meta: { "snapshot.json": { version: 4 } } }) },
  });
  refuses(t, "trust/rollback-attack", "timestamp", () => judge(place, { ...old, timestamp: set.timestamp }));
});

test("rollback attack: a newer snapshot that names older targets is refused (§5.5.5)", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, {
    version: 6,
    change: { snapshot: (signed) => ({ ...signed, meta: { "targets.json": { version: 4 } } }) },
  });
  refuses(t, "trust/rollback-attack", "snapshot", () => judge(place, set));
});

test("rollback attack: a newer snapshot that no longer names a targets file is refused (§5.5.5)", async (t) => {
  const place = await scene();
  const withDelegated = await metadataSet(place.roles, {
    version: 6,
    change: { snapshot: (signed) => withFile(signed, "acme.json", { version: 1 }) },
  });
  const verdict = judge(place, withDelegated);
  if (verdict.kind !== "updated") return t.fail();
  const without = await metadataSet(place.roles, { version: 7 });
  refuses(t, "trust/rollback-attack", "snapshot", () =>
    judge({ ...place, trusted: verdict.trusted }, without),
  );
});

test("rollback attack: older targets beside a current set are reported as such if they stay", async (t) => {
  const place = await scene();
  const { targets } = await metadataSet(place.roles, { version: 4 });
  awaits(t, judge(place, { ...place.received, targets }), "targets", "trust/rollback-attack");
});

test("mix-and-match attack: targets newer than the snapshot names are not taken", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, { version: 6 });
  const { targets } = await metadataSet(place.roles, { version: 7 });
  awaits(t, judge(place, { ...set, targets }), "snapshot", "trust/mix-and-match-attack");
});

test("mix-and-match attack: a snapshot of another time than the timestamp names is not taken", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, { version: 6 });
  const later = await metadataSet(place.roles, { version: 7 });
  awaits(t, judge(place, { ...later, timestamp: set.timestamp }), "timestamp", "trust/mix-and-match-attack");
});

test("hash mismatch: targets of the named version and length with other bytes are refused (§5.6.2)", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, {
    version: 6,
    targets: [testTarget("acme/thermo/1.1.0/component.wasm")],
  });
  const other = await metadataSet(place.roles, {
    version: 6,
    targets: [testTarget("acme/thermo/1.2.0/component.wasm")],
  });
  refuses(t, "trust/hash-mismatch", "targets", () => judge(place, { ...set, targets: other.targets }));
});

test("length mismatch: a snapshot of the named version with another length is refused (§5.5.1)", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, {
    version: 6,
    change: {
      timestamp: (signed) => changeFile(signed, "snapshot.json", (file) => ({ ...file, length: 1 })),
    },
  });
  refuses(t, "trust/length-mismatch", "snapshot", () => judge(place, set));
});

test("hashes and lengths are optional: the version alone names the file then (§4.4)", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, {
    version: 6,
    change: { timestamp: (signed) => ({ ...signed, meta: { "snapshot.json": { version: 6 } } }) },
  });
  t.like(judge(place, set), { kind: "updated" });
});

test("a forged targets file is reported with the components that it claims beyond the trusted ones", async (t) => {
  const place = await scene();
  const rightful = place.roles.targets.signers[0];
  const attacker = await testSigner("attacker");
  if (rightful === undefined) return t.fail();
  const { targets } = await metadataSet(place.roles, {
    version: 6,
    targets: [
      testTarget(COMPONENT),
      testTarget("acme/thermo/9.9.9/component.wasm"),
      testTarget("../../etc/passwd"),
    ],
    signedBy: { targets: [{ key: rightful.key, sign: attacker.sign }] },
  });
  const error = refuses(t, "trust/signature-invalid", "targets", () =>
    judge(place, { ...place.received, targets }),
  );
  t.deepEqual(error?.details["claims"], ["acme/thermo/9.9.9/component.wasm"]);
  t.regex(error?.message ?? "", /acme\/thermo\/9\.9\.9/);
});

test("a forged targets file beside a set that is complete without it does not keep that set from being taken", async (t) => {
  const place = await scene();
  const { timestamp } = await metadataSet(place.roles, {
    version: 6,
    change: {
      timestamp: (signed) => ({ ...signed, meta: place.trusted.timestamp?.signedJson["meta"] ?? {} }),
    },
  });
  const targets = new TextEncoder().encode("forged");
  const verdict = judge(place, { ...place.received, timestamp, targets });
  if (verdict.kind !== "updated") return t.fail();
  refuses(t, "trust/malformed", "targets", () =>
    judge({ ...place, trusted: verdict.trusted }, { ...place.received, timestamp, targets }),
  );
});

test("wrong repository: image metadata on the director's topics is named as such", async (t) => {
  const place = await scene();
  const image = await repositorySigners("image");
  const { trusted } = loadTrustedRepository("image", await rootFile(image), {}, place.verifier);
  const received = { ...NOTHING_RECEIVED, ...(await metadataSet(image, { version: 9 })) };
  refuses(t, "trust/wrong-repository", "timestamp", () =>
    verifyRepository(place.trusted, received, NOW_MS, place.verifier, trusted.root.metadata),
  );
});

test("an unknown member of signed metadata is covered by the signature", async (t) => {
  const place = await scene();
  const set = await metadataSet(place.roles, {
    version: 6,
    change: { targets: (signed) => ({ ...signed, "x-note": "kept" }) },
  });
  t.like(judge(place, set), { kind: "updated" });
  const text = new TextDecoder().decode(set.targets).replace('"kept"', '"gone"');
  refuses(t, "trust/signature-invalid", "targets", () =>
    judge(place, { ...set, targets: new TextEncoder().encode(text) }),
  );
});

test("the trusted state is not changed by a refusal", async (t) => {
  const place = await scene();
  const before = structuredClone(place.trusted.timestamp?.metadata);
  t.throws(() => judge(place, { ...place.received, timestamp: new Uint8Array([0x7b]) }));
  t.deepEqual(place.trusted.timestamp?.metadata, before);
  t.deepEqual(judge(place, place.received), { kind: "current" });
});

function withFile(signed: JsonObject, name: string, file: JsonObject): JsonObject {
  return { ...signed, meta: { ...(signed["meta"] as JsonObject), [name]: file } };
}

function changeFile(signed: JsonObject, name: string, change: (file: JsonObject) => JsonObject): JsonObject {
  return withFile(signed, name, change((signed["meta"] as JsonObject)[name] as JsonObject));
}

test("freeze attack: what expired before the timestamp was issued is refused, whatever the clock says", async (t) => {
  const place = await scene();
  const issued = (time: string) => (signed: JsonObject) => ({ ...signed, skerry: { issued: time } });
  const judgeSet = async (targetsExpireMs: number, time: string) =>
    judge(place, {
      ...NOTHING_RECEIVED,
      ...(await metadataSet(place.roles, {
        version: 9,
        expiresMs: { targets: targetsExpireMs },
        change: { timestamp: issued(time) },
      })),
    });
  const soonMs = NOW_MS + 3_600_000;
  t.like(await judgeSet(soonMs, "2030-06-01T00:59:59Z"), { kind: "updated" });
  const error = await t.throwsAsync(judgeSet(soonMs, "2030-06-01T01:00:00Z"), { instanceOf: OtaError });
  t.like(error, { code: "trust/freeze-attack", details: { role: "targets" } });
  // Issued after its own expiry: a slip at signing, or worse.
  const late = await t.throwsAsync(judgeSet(NEXT_YEAR_MS, "2031-06-01T00:00:00Z"), { instanceOf: OtaError });
  t.like(late, { code: "trust/freeze-attack", details: { role: "timestamp" } });
});

test("Uptane: a director that delegates is refused, an image repository that does is not", async (t) => {
  const verifier = await createVerifier();
  const key = (await testSigner("acme")).key;
  const delegations = {
    keys: { [key.keyId]: key.json },
    roles: [{ name: "acme", keyids: [key.keyId], threshold: 1, paths: ["acme/*/*/*"], terminating: true }],
  };
  for (const repository of ["image", "director"] as const) {
    const roles = await repositorySigners(repository);
    const { trusted } = loadTrustedRepository(repository, await rootFile(roles), {}, verifier);
    const set = await metadataSet(roles, { change: { targets: (signed) => ({ ...signed, delegations }) } });
    const verdict = () => verifyRepository(trusted, { ...NOTHING_RECEIVED, ...set }, NOW_MS, verifier);
    if (repository === "image") t.like(verdict(), { kind: "updated" });
    else t.throws(verdict, { instanceOf: OtaError, code: "trust/unsupported" });
  }
});
