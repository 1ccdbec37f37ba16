import { createHash } from "node:crypto";

import test from "ava";
import nacl from "tweetnacl";

import { ed25519PublicKey } from "../../ota/keys.ts";
import {
  createSigner,
  createVerifier,
  generateSeed,
  nodeCryptoVerifier,
  tweetnaclVerifier,
} from "../../ota/signature.ts";
import { add, BASE, encode, multiply, pointOfOrder8 } from "../support/edwards.ts";

/** RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature. */
const VECTORS = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
] as const;

const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD_PRIME = 2n ** 255n - 19n;
const SIGN_BIT = 2n ** 255n;
const BASE_POINT = 46316835694926478169428394003475163141307993866256225615783033603165251855960n;

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function toLittleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** What tweetnacl says without the strict check in front. (What OpenSSL says differs between its versions.) */
function isLaxlyValid(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return nacl.sign.detached.verify(message, signature, key);
}

/** The verdicts of both verifiers, which have to agree in every test. */
async function verdicts(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<readonly boolean[]> {
  const verifiers = [nodeCryptoVerifier(), await tweetnaclVerifier()];
  return verifiers.map((verifier) => verifier.verify(key, message, signature));
}

test("RFC 8032 §7.1: the vectors are signed and verified, by both verifiers", async (t) => {
  for (const [seed, key, message, signature] of VECTORS) {
    const signer = await createSigner(hex(seed));
    t.is(signer.key.public, key);
    t.is(Buffer.from(await signer.sign(hex(message))).toString("hex"), signature);
    t.deepEqual(await verdicts(hex(key), hex(message), hex(signature)), [true, true]);
  }
});

test("one flipped bit anywhere in key, message or signature is refused by both", async (t) => {
  const [, key, message, signature] = VECTORS[2];
  for (let bit = 0; bit < (32 + 2 + 64) * 8; bit += 5) {
    const all = concat(hex(key), hex(message), hex(signature));
    const index = bit >> 3;
    all[index] = (all[index] ?? 0) ^ (1 << (bit & 7));
    const given = [all.slice(0, 32), all.slice(32, 34), all.slice(34)] as const;
    t.deepEqual(await verdicts(...given), [false, false], `bit ${bit}`);
  }
});

test("keys and signatures of a wrong length are refused, not thrown at", async (t) => {
  const [, key, message, signature] = VECTORS[1];
  for (const length of [0, 31, 33]) {
    t.deepEqual(await verdicts(new Uint8Array(length), hex(message), hex(signature)), [false, false]);
  }
  for (const length of [0, 63, 65]) {
    t.deepEqual(await verdicts(hex(key), hex(message), new Uint8Array(length)), [false, false]);
  }
});

test("malleability: S + L, which tweetnacl alone would take, is refused by both", async (t) => {
  const [, key, message, signature] = VECTORS[1];
  const s = fromLittleEndian(hex(signature).subarray(32));
  const malleable = concat(hex(signature).subarray(0, 32), toLittleEndian(s + GROUP_ORDER));
  t.true(isLaxlyValid(hex(key), hex(message), malleable), "the check is needed");
  t.deepEqual(await verdicts(hex(key), hex(message), malleable), [false, false]);
});

/** y of the points of small order, each with either sign, and the encodings of y = 0 and 1 that exceed the prime. */
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_ORDER_ENCODINGS = [
  0n,
  1n,
  FIELD_PRIME - 1n,
  ORDER_8_Y,
  FIELD_PRIME - ORDER_8_Y,
  FIELD_PRIME,
  FIELD_PRIME + 1n,
].flatMap((y) => [toLittleEndian(y), toLittleEndian(y + SIGN_BIT)]);

test("a public key of small order, under which S = 1 and R = B fit one message in eight, is refused by both", async (t) => {
  const signature = concat(toLittleEndian(BASE_POINT), toLittleEndian(1n));
  let laxlyTaken = 0;
  for (const key of SMALL_ORDER_ENCODINGS) {
    for (let nonce = 0; nonce < 64; nonce += 1) {
      laxlyTaken += Number(isLaxlyValid(key, new Uint8Array([nonce]), signature));
    }
    t.deepEqual(await verdicts(key, new Uint8Array([0]), signature), [false, false]);
  }
  t.true(laxlyTaken > 64, "the check is needed");
});

test("an R of small order is refused by both", async (t) => {
  const [seed, key, message] = VECTORS[2];
  const scalar = fromLittleEndian(createHash("sha512").update(hex(seed)).digest().subarray(0, 32));
  const clamped = (scalar & (2n ** 254n - 8n)) | (2n ** 254n);
  const r = toLittleEndian(1n);
  const digest = createHash("sha512")
    .update(concat(r, hex(key), hex(message)))
    .digest();
  const s = ((fromLittleEndian(digest) % GROUP_ORDER) * clamped) % GROUP_ORDER;
  const signature = concat(r, toLittleEndian(s));
  t.true(isLaxlyValid(hex(key), hex(message), signature), "the check is needed");
  t.deepEqual(await verdicts(hex(key), hex(message), signature), [false, false]);
});

/** What signs a message with scalar and nonce for an encoded key and R, which need not fit: R, S and the hash k. */
function signAs(
  scalar: bigint,
  nonce: bigint,
  key: Uint8Array,
  r: Uint8Array,
  message: Uint8Array,
): { signature: Uint8Array; k: bigint } {
  const k =
    fromLittleEndian(
      createHash("sha512")
        .update(concat(r, key, message))
        .digest(),
    ) % GROUP_ORDER;
  return { signature: concat(r, toLittleEndian((nonce + k * scalar) % GROUP_ORDER)), k };
}

test("mixed order: what holds only with the cofactor multiplied away is refused by both", async (t) => {
  const torsion = pointOfOrder8();
  const scalar = 1_234_567n;
  const nonce = 7_654_321n;
  const mixedKey = encode(add(multiply(BASE, scalar), torsion));
  const r = encode(multiply(BASE, nonce));
  let taken = 0;
  for (let byte = 0; byte < 40; byte += 1) {
    const message = Uint8Array.of(byte);
    const { signature, k } = signAs(scalar, nonce, mixedKey, r, message);
    // Without the cofactor it holds only where the hash happens to make the torsion vanish.
    const expected = k % 8n === 0n;
    taken += Number(expected);
    t.deepEqual(await verdicts(mixedKey, message, signature), [expected, expected], `message ${byte}`);
  }
  t.true(taken > 0 && taken < 20);
  const key = encode(multiply(BASE, scalar));
  const mixedR = encode(add(multiply(BASE, nonce), torsion));
  const { signature } = signAs(scalar, nonce, key, mixedR, Uint8Array.of(1));
  t.deepEqual(await verdicts(key, Uint8Array.of(1), signature), [false, false]);
  const honest = signAs(scalar, nonce, key, r, Uint8Array.of(1));
  t.deepEqual(await verdicts(key, Uint8Array.of(1), honest.signature), [true, true]);
});

test("fresh keys differ, and what they sign verifies with this machine's verifier", async (t) => {
  const verifier = await createVerifier();
  const signers = [await createSigner(await generateSeed()), await createSigner(await generateSeed())];
  const message = new TextEncoder().encode("a message");
  const keys = signers.map(({ key }) => key.public);
  t.not(keys[0], keys[1]);
  for (const signer of signers) {
    const signature = await signer.sign(message);
    const verifying = keys.map((key) => verifier.verify(hex(key), message, signature));
    t.deepEqual(
      verifying,
      keys.map((key) => key === signer.key.public),
    );
  }
});

test("a key id is the SHA-256 of the key's canonical JSON", (t) => {
  const key = ed25519PublicKey(hex(VECTORS[0][1]));
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${VECTORS[0][1]}"},"scheme":"ed25519"}`;
  t.is(key.keyId, createHash("sha256").update(canonical).digest("hex"));
});
