/** RSA and ECDSA keys, as repositories of other tools carry them: TUF 1.0.31 §4.2. */

import { constants, createSign, ECDH, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import test from "ava";
import { keyIdOf, type PublicKey } from "../../ota/keys.ts";
import type { SignatureVerifier } from "../../ota/signature.ts";
import { verifySignature } from "../../ota/signature-schemes.ts";

const MESSAGE = new TextEncoder().encode("a message");
const REFUSES: SignatureVerifier = { verify: () => false };

function keyOf(keyType: string, scheme: string, text: string): PublicKey {
  const json = { keytype: keyType, scheme, keyval: { public: text } };
  return { keyId: keyIdOf(json), keyType, scheme, public: text, json };
}

const pemOf = (key: KeyObject): string => key.export({ format: "pem", type: "spki" }).toString();
const isValid = (key: PublicKey, signature: Uint8Array, message = MESSAGE): boolean =>
  verifySignature(key, message, Buffer.from(signature).toString("hex"), REFUSES) !== undefined;

const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const RSA = keyOf("rsa", "rsassa-pss-sha256", pemOf(rsa.publicKey));
const P256 = keyOf("ecdsa", "ecdsa-sha2-nistp256", pemOf(p256.publicKey));

const pss = (saltLength: number, key = rsa.privateKey): Uint8Array =>
  sign("sha256", MESSAGE, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
const ecdsa = (): Uint8Array => createSign("sha256").update(MESSAGE).sign(p256.privateKey);

test("rsassa-pss-sha256 with a salt as long as the digest is verified, other salts and paddings are not", (t) => {
  t.true(isValid(RSA, pss(32)));
  t.false(isValid(RSA, pss(0)));
  t.false(isValid(RSA, pss(222)));
  t.false(isValid(RSA, sign("sha256", MESSAGE, rsa.privateKey)));
  t.false(isValid(RSA, pss(32), new TextEncoder().encode("another")));
});

test("ecdsa-sha2-nistp256 is verified under both names of its key type, in DER only", (t) => {
  t.true(isValid(P256, ecdsa()));
  t.true(isValid({ ...P256, keyType: "ecdsa-sha2-nistp256" }, ecdsa()));
  const flat = sign("sha256", MESSAGE, { key: p256.privateKey, dsaEncoding: "ieee-p1363" });
  t.false(isValid(P256, flat));
  t.false(isValid(P256, ecdsa(), new TextEncoder().encode("another")));
});

for (const [what, key, signature] of [
  ["a small RSA key", () => generateKeyPairSync("rsa", { modulusLength: 1_024 }), "rsa"],
  ["another curve", () => generateKeyPairSync("ec", { namedCurve: "P-384" }), "ec"],
] as const) {
  test(`${what} verifies nothing`, (t) => {
    const { publicKey, privateKey } = key();
    const template = signature === "rsa" ? RSA : P256;
    const made = signature === "rsa" ? pss(32, privateKey) : sign("sha256", MESSAGE, privateKey);
    t.false(isValid({ ...template, public: pemOf(publicKey) }, made));
  });
}

test("a key under another type's name, a private key, a certificate's header or garbage verifies nothing and is not thrown at", (t) => {
  t.false(isValid({ ...P256, public: RSA.public }, ecdsa()));
  t.false(isValid({ ...RSA, public: P256.public }, pss(32)));
  t.false(isValid({ ...RSA, scheme: "rsassa-pss-sha1" }, pss(32)));
  t.false(isValid({ ...P256, keyType: "constructor", scheme: "constructor" }, ecdsa()));
  const secret = rsa.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  for (const text of [secret, "", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nMIIB\n"]) {
    t.false(isValid({ ...RSA, public: text }, pss(32)), text.slice(0, 30));
  }
  t.is(verifySignature(RSA, MESSAGE, "zz", REFUSES), undefined);
  t.is(verifySignature(RSA, MESSAGE, "", REFUSES), undefined);
});

test("one key in two PEMs is one key", (t) => {
  const wrapped = RSA.public.replace(/\n$/, "");
  const signature = Buffer.from(pss(32)).toString("hex");
  const one = verifySignature(RSA, MESSAGE, signature, REFUSES);
  const other = verifySignature({ ...RSA, public: wrapped }, MESSAGE, signature, REFUSES);
  t.truthy(one);
  t.is(one, other);
});

test("one point in each form that an SPKI has for it is one key, and counts once for a threshold", (t) => {
  const spki = p256.publicKey.export({ format: "der", type: "spki" });
  const point = spki.subarray(-65);
  const compressed = Buffer.from(ECDH.convertKey(point, "prime256v1", undefined, undefined, "compressed"));
  const hybrid = Buffer.from([6 + ((point[64] ?? 0) & 1), ...point.subarray(1)]);
  const signature = Buffer.from(ecdsa()).toString("hex");
  const identities = [point, compressed, hybrid].map((form) => {
    // SubjectPublicKeyInfo: a sequence of the algorithm (21 bytes) and a bit string.
    const body = Buffer.concat([spki.subarray(2, 23), Buffer.from([3, form.length + 1, 0]), form]);
    const der = Buffer.concat([Buffer.from([0x30, body.length]), body]);
    const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString("base64")}\n-----END PUBLIC KEY-----\n`;
    return verifySignature(keyOf("ecdsa", "ecdsa-sha2-nistp256", pem), MESSAGE, signature, REFUSES);
  });
  t.truthy(identities[0]);
  t.is(new Set(identities).size, 1);
});
