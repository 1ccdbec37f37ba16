/** Key files and `skerry keys`: passphrases, and roots that several people sign. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { assignRelease } from "../../fleet/assign.ts";
import { describeRoot } from "../../fleet/describe-root.ts";
import { FleetError, type FleetErrorCode } from "../../fleet/errors.ts";
import { initRepository } from "../../fleet/init.ts";
import { encryptSeed } from "../../fleet/key-encryption.ts";
import { createKey, keyFile, openKey, readKeyFile } from "../../fleet/keys.ts";
import { loadMetadata } from "../../fleet/metadata-store.ts";
import { Passphrases } from "../../fleet/passphrases.ts";
import { refreshRepository } from "../../fleet/refresh.ts";
import { openRepository, type Repository, rootFile } from "../../fleet/repository.ts";
import { keyNamesOf } from "../../fleet/root-changes.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import type { RepositoryName, RoleName } from "../../ota/metadata.ts";
import { requireTool, toolPath } from "../support/tools.ts";
import { newRepository, publish, temporaryFolder } from "./fixture.ts";
import { type Outcome, run } from "./run-command.ts";

const PASSPHRASE = "correct horse battery";

function code(expected: FleetErrorCode): { instanceOf: typeof FleetError; code: string } {
  return { instanceOf: FleetError, code: expected };
}

/** A repository with three root keys, of which two sign. */
async function ceremony(t: ExecutionContext): Promise<Repository> {
  const folder = join(await temporaryFolder(t), "fleet");
  return (await initRepository({ folder, rootKeys: 3, threshold: 2 })).repository;
}

/** Who signs a role, by the newest root's names. */
async function keysOf(
  repository: Repository,
  name: RepositoryName,
  role: RoleName,
): Promise<readonly unknown[]> {
  const root = (await loadMetadata(repository, name)).roots.at(-1);
  if (root === undefined) return [];
  return root.metadata.roles[role].keyIds.map((keyId) => keyNamesOf(root).get(keyId));
}

/** Keys that it makes lie in the clear: scrypt takes its time, and is not what is tried here. */
async function keys(repository: Repository, ...argv: readonly string[]): Promise<Outcome> {
  const [command = ""] = argv;
  const plain = ["add", "rotate"].includes(command) ? ["--plain"] : [];
  return run(["keys", ...argv, ...plain], { env: { SKERRY_REPO: repository.folder } });
}

async function succeed(
  t: ExecutionContext,
  repository: Repository,
  ...argv: readonly string[]
): Promise<string> {
  const { exitCode, out, err } = await keys(repository, ...argv);
  t.is(exitCode, 0, `${argv.join(" ")}: ${err}`);
  return out;
}

test("an encrypted key opens with its passphrase alone, and holds no seed in the clear", async (t) => {
  const folder = await temporaryFolder(t);
  const signer = await createKey(folder, "image-root", PASSPHRASE);
  const path = keyFile(folder, "image-root");
  const text = await readFile(path, "utf8");
  t.notRegex(text, /"seed"/);
  t.is((await stat(path)).mode & 0o777, 0o600);
  const file = await readKeyFile(path);
  t.is((await openKey(file, new Passphrases([PASSPHRASE]))).key.keyId, signer.key.keyId);
  const message = Buffer.from("message");
  t.deepEqual(
    await (await openKey(file, new Passphrases([PASSPHRASE]))).sign(message),
    await signer.sign(message),
  );
  await t.throwsAsync(openKey(file, new Passphrases(["another passphrase"])), code("fleet/passphrase-wrong"));
  await t.throwsAsync(openKey(file, new Passphrases()), code("fleet/passphrase-missing"));
  await t.throwsAsync(openKey(file, undefined), code("fleet/passphrase-missing"));
});

test("a passphrase is the same however its accents are typed", async (t) => {
  const folder = await temporaryFolder(t);
  await createKey(folder, "image-root", "p\u00e4ssw\u00f6rter");
  const file = await readKeyFile(keyFile(folder, "image-root"));
  await t.notThrowsAsync(openKey(file, new Passphrases(["pa\u0308sswo\u0308rter"])));
});

test("a damaged encrypted key is refused: other bytes in the box, parameters that would take all memory", async (t) => {
  const folder = await temporaryFolder(t);
  await createKey(folder, "image-root", PASSPHRASE);
  const path = keyFile(folder, "image-root");
  const content: Record<string, unknown> = JSON.parse(await readFile(path, "utf8"));
  const write = (change: object): Promise<void> => writeFile(path, JSON.stringify({ ...content, ...change }));
  await write({ box: `00${String(content["box"]).slice(2)}` });
  await t.throwsAsync(
    openKey(await readKeyFile(path), new Passphrases([PASSPHRASE])),
    code("fleet/passphrase-wrong"),
  );
  for (const change of [
    { box: "00" },
    { scrypt: { ...(content["scrypt"] as object), n: 2 ** 30 } },
    { scrypt: { ...(content["scrypt"] as object), n: 1000 } },
    { scrypt: null },
    { encryption: "rot13" },
  ]) {
    await write(change);
    await t.throwsAsync(readKeyFile(path), code("fleet/key"), JSON.stringify(change));
  }
  // Another key's box under this key's public half.
  await write(await encryptSeed(new Uint8Array(32), PASSPHRASE, 16_384));
  await t.throwsAsync(openKey(await readKeyFile(path), new Passphrases([PASSPHRASE])), code("fleet/key"));
});

test("at a terminal a passphrase is typed twice, unseen, corrected, and asked for again when the two differ", async (t) => {
  const folder = join(await temporaryFolder(t), "fleet");
  const typed = `short\r${PASSPHRASE}\rsomething else\r${PASSPHRASE}\r\u0015${PASSPHRASE}x\u007f\r`;
  const { exitCode, out, err } = await run(["keys", "init", folder, "--plain-online"], { typed });
  t.is(exitCode, 0, err);
  t.regex(err, /8 to 1024 characters/);
  t.regex(err, /They differ/);
  t.false(`${out}${err}`.includes(PASSPHRASE));
  const access = { furtherFolders: [], passphrases: new Passphrases([PASSPHRASE]), opened: new Map() };
  await t.notThrowsAsync(publish(await openRepository(folder, access)));
  await t.throwsAsync(
    publish(await openRepository(folder), { version: "2.0.0" }),
    code("fleet/passphrase-missing"),
  );
});

test("a terminal shows nothing of what is typed as soon as the question stands", async (t) => {
  if (!requireTool(t, "script")) return;
  const folder = join(await temporaryFolder(t), "fleet");
  const skerry = fileURLToPath(new URL("../../skerry.js", import.meta.url));
  const command = `"${process.execPath}" "${skerry}" keys init "${folder}"`;
  const child = spawn(toolPath("script"), ["-qec", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = new Map([
    ["none): ", `${PASSPHRASE}\r`],
    ["again: ", `${PASSPHRASE}\r`],
  ]);
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    for (const [question, answer] of answers) {
      if (!shown.includes(question)) continue;
      answers.delete(question);
      child.stdin.write(answer);
    }
  });
  await once(child, "close");
  t.is(child.exitCode, 0, shown);
  t.regex(shown, /Created /);
  t.notRegex(shown, /correct|horse|battery/);
  const file = await readKeyFile(keyFile(join(folder, "keys"), "image-root"));
  await t.notThrowsAsync(openKey(file, new Passphrases([PASSPHRASE])));
});

test("Ctrl-C while a passphrase is asked for changes nothing; so does its end", async (t) => {
  for (const [typed, hangsUp] of [
    [`${PASSPHRASE}\r\u0003`, false],
    [PASSPHRASE, true],
  ] as const) {
    const folder = join(await temporaryFolder(t), "fleet");
    const { exitCode, err } = await run(["keys", "init", folder], { typed, hangsUp });
    t.is(exitCode, 1);
    t.regex(err, /fleet\/cancelled/);
    await t.throwsAsync(stat(folder), { code: "ENOENT" });
  }
});

test("three wrong passphrases end it; one that opened a key is not asked for again for the next", async (t) => {
  const folder = join(await temporaryFolder(t), "fleet");
  await initRepository({ folder, passphrase: PASSPHRASE, onlinePassphrase: PASSPHRASE });
  const argv = ["refresh", "--force", "--no-sync", "--repo", folder];
  const wrong = await run(argv, { typed: "wrong\rwrong\rwrong\rwrong\r" });
  t.is(wrong.exitCode, 1);
  t.regex(wrong.err, /3 wrong passphrases \(fleet\/passphrase-wrong\)/);
  const right = await run(argv, { typed: `wrong\r${PASSPHRASE}\r` });
  t.is(right.exitCode, 0, right.err);
  t.is(right.err.match(/Passphrase of/g)?.length, 2);
});

test("several keys with passphrases of their own are asked for one after the other", async (t) => {
  const repository = await ceremony(t);
  const { keysFolder } = repository.settings;
  const words = ["first passphrase", "second passphrase", "third passphrase"];
  for (const [index, word] of words.entries()) {
    const file = join(keysFolder, `word-${index}`);
    await writeFile(file, word);
    const key = keyFile(keysFolder, `image-root-${index + 1}`);
    t.is((await run(["keys", "passphrase", key, "--new-passphrase-file", file])).exitCode, 0);
  }
  await succeed(t, repository, "renew", "--repository", "image");
  const argv = ["keys", "sign", "--repo", repository.folder];
  const { exitCode, out, err } = await run(argv, { typed: words.map((word) => `${word}\r`).join("") });
  t.is(exitCode, 0, err);
  t.is(err.match(/Passphrase of .*image-root-[123]\.json: /g)?.length, 3);
  t.regex(out, /Taken: image root 2/);
});

test("without a terminal the passphrase comes from a file or the environment; with neither the command says so", async (t) => {
  const folder = await temporaryFolder(t);
  const passphraseFile = join(folder, "passphrase");
  await writeFile(passphraseFile, `${PASSPHRASE}\n`);
  const fleet = join(folder, "fleet");
  const made = await run(["keys", "init", fleet, "--passphrase-file", passphraseFile]);
  t.is(made.exitCode, 0, made.err);
  t.is(made.err, "");
  const argv = ["refresh", "--force", "--no-sync", "--repo", fleet];
  const nothing = await run(argv);
  t.is(nothing.exitCode, 1);
  t.regex(
    nothing.err,
    /is encrypted: .*--passphrase-file or SKERRY_KEY_PASSPHRASE \(fleet\/passphrase-missing\)/,
  );
  t.is((await run([...argv, "--passphrase-file", passphraseFile])).exitCode, 0);
  t.is((await run(argv, { env: { SKERRY_KEY_PASSPHRASE: PASSPHRASE } })).exitCode, 0);
  t.is((await run(argv, { env: { SKERRY_KEY_PASSPHRASE: "another one" } })).exitCode, 1);
});

test("no key is made in the clear unless somebody says so: by an option, or at the terminal, which warns", async (t) => {
  const folder = await temporaryFolder(t);
  const fleet = join(folder, "fleet");
  const refused = await run(["keys", "init", fleet]);
  t.is(refused.exitCode, 1);
  t.regex(refused.err, /no passphrase for the keys: .*--no-passphrase .*\(fleet\/passphrase-missing\)/);
  await t.throwsAsync(readdir(fleet), { code: "ENOENT" });
  t.like(await run(["keys", "init", fleet, "--no-passphrase"]), { exitCode: 0, err: "" });

  const out = join(folder, "out");
  for (const argv of [
    ["new", "acme", "--out", out],
    ["rotate", "image-online", "--repo", fleet],
    ["add", "--role", "acme", "--paths", "acme/*", "--repo", fleet],
  ]) {
    const { exitCode, err } = await run(["keys", ...argv]);
    t.is(exitCode, 1, err);
    t.regex(err, /--plain leaves what is made in the clear \(fleet\/passphrase-missing\)/);
    t.like(await run(["keys", ...argv, "--plain"]), { exitCode: 0, err: "" });
  }

  const typed = await run(["keys", "init", join(folder, "typed")], { typed: "\r" });
  t.is(typed.exitCode, 0);
  t.regex(typed.err, /warning: the keys lie in the clear/);
  t.is(
    (await run(["keys", "init", join(folder, "c"), "--passphrase-file", join(folder, "none")])).exitCode,
    1,
  );
});

test("a key's passphrase is changed, taken off and given, and the key stays the same", async (t) => {
  const folder = await temporaryFolder(t);
  const { key } = await createKey(folder, "image-root");
  const path = keyFile(folder, "image-root");
  const [old, next] = [join(folder, "old"), join(folder, "next")];
  await writeFile(old, PASSPHRASE);
  await writeFile(next, "another passphrase");
  const change = async (...argv: readonly string[]): Promise<number> =>
    (await run(["keys", "passphrase", path, ...argv])).exitCode;
  t.is(await change("--new-passphrase-file", old), 0);
  t.is(await change("--new-passphrase-file", next), 1);
  t.is(await change("--passphrase-file", old, "--new-passphrase-file", next), 0);
  t.is(
    (await openKey(await readKeyFile(path), new Passphrases(["another passphrase"]))).key.keyId,
    key.keyId,
  );
  t.is(await change("--passphrase-file", next, "--none"), 0);
  t.is((await openKey(await readKeyFile(path), undefined)).key.keyId, key.keyId);
  t.is((await stat(path)).mode & 0o777, 0o600);
});

test("a passphrase that is given with the environment is not taken for the new one", async (t) => {
  const folder = await temporaryFolder(t);
  await createKey(folder, "image-root", PASSPHRASE);
  const path = keyFile(folder, "image-root");
  const { exitCode, err } = await run(["keys", "passphrase", path], {
    env: { SKERRY_KEY_PASSPHRASE: PASSPHRASE },
  });
  t.is(exitCode, 2);
  t.regex(err, /new passphrase is missing/);
});

test("a new repository asks for as many root signatures as it was told", async (t) => {
  const repository = await ceremony(t);
  for (const name of ["image", "director"] as const) {
    const [root] = (await loadMetadata(repository, name)).roots;
    t.is(root?.metadata.roles.root.threshold, 2);
    t.deepEqual(await keysOf(repository, name, "root"), [
      `${name}-root-1`,
      `${name}-root-2`,
      `${name}-root-3`,
    ]);
  }
  await t.notThrowsAsync(planSync(repository));
  const folder = await temporaryFolder(t);
  for (const [rootKeys, threshold] of [
    ["0", "1"],
    ["3", "4"],
    ["2", "0"],
    ["17", "2"],
    ["two", "1"],
  ] as const) {
    const counts = ["--root-keys", rootKeys, "--threshold", threshold];
    const argv = ["keys", "init", join(folder, "no"), "--no-passphrase", ...counts];
    t.is((await run(argv)).exitCode, 2, `${threshold} of ${rootKeys}`);
  }
});

test("each key is exchanged in one root: the old one signs nothing that devices take, the new one does", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  for (const old of ["image-online", "image-targets", "director-online", "image-root", "director-root"]) {
    await succeed(t, repository, "rotate", old);
    t.regex(await succeed(t, repository, "sign"), /Taken: (image|director) root [0-9]/);
    await rm(keyFile(repository.settings.keysFolder, old));
  }
  t.deepEqual(await keysOf(repository, "image", "snapshot"), ["image-online-2"]);
  t.deepEqual(await keysOf(repository, "image", "targets"), ["image-targets-2"]);
  t.deepEqual(await keysOf(repository, "director", "targets"), ["director-online-2"]);
  t.deepEqual(await keysOf(repository, "image", "root"), ["image-root-2"]);
  await t.notThrowsAsync(planSync(repository));
  await publish(repository, { version: "1.1.0" });
  await t.notThrowsAsync(planSync(repository));
  t.deepEqual(await readdir(join(repository.folder, "pending")), []);
});

test("a root that was prepared changes nothing before enough keys signed it, on machines that never meet", async (t) => {
  const repository = await ceremony(t);
  const away = await temporaryFolder(t);
  const { keysFolder } = repository.settings;
  for (const number of [1, 2, 3]) {
    await mkdir(join(away, `${number}`));
    await rename(
      keyFile(keysFolder, `image-root-${number}`),
      join(away, `${number}`, `image-root-${number}.json`),
    );
  }
  await succeed(t, repository, "rotate", "image-online");
  const pending = join(repository.folder, "pending", "image-2.root.json");
  t.regex(await succeed(t, repository, "sign"), /Still missing: 2 more/);
  t.is((await loadMetadata(repository, "image")).roots.length, 1);

  const stick = join(away, "image-2.root.json");
  await copyFile(pending, stick);
  const sign = (number: number): Promise<Outcome> =>
    run(["keys", "sign", stick, "--key", join(away, `${number}`, `image-root-${number}.json`)]);
  const first = await sign(1);
  t.is(first.exitCode, 0, first.err);
  t.regex(first.out, /Signed with image-root-1/);
  t.regex(await succeed(t, repository, "sign", stick), /Still missing: 1 more/);
  t.is((await loadMetadata(repository, "image")).roots.length, 1);
  t.is((await sign(3)).exitCode, 0);
  t.regex(await succeed(t, repository, "sign", stick), /Taken: image root 2/);
  t.deepEqual(await keysOf(repository, "image", "snapshot"), ["image-online-2"]);
  await t.notThrowsAsync(planSync(repository));
  t.deepEqual(await readdir(join(repository.folder, "pending")), []);
});

test("two copies that were signed at the same time come together", async (t) => {
  const repository = await ceremony(t);
  const away = await temporaryFolder(t);
  const { keysFolder } = repository.settings;
  await succeed(t, repository, "renew", "--repository", "director");
  for (const number of [1, 2]) {
    await mkdir(join(away, `${number}`));
    await copyFile(
      join(repository.folder, "pending", "director-2.root.json"),
      join(away, `${number}`, "director-2.root.json"),
    );
    const key = join(away, `director-root-${number}.json`);
    await rename(keyFile(keysFolder, `director-root-${number}`), key);
    const argv = ["keys", "sign", join(away, `${number}`, "director-2.root.json"), "--key", key];
    t.is((await run(argv)).exitCode, 0);
  }
  await rm(keyFile(keysFolder, "director-root-3"));
  t.regex(
    await succeed(t, repository, "sign", join(away, "1", "director-2.root.json")),
    /Still missing: 1 more/,
  );
  t.regex(
    await succeed(t, repository, "sign", join(away, "2", "director-2.root.json")),
    /Taken: director root 2/,
  );
});

test("a new key shows by its whole id, whatever name it has and however its id begins", async (t) => {
  const repository = await newRepository(t);
  const [previous] = (await loadMetadata(repository, "image")).roots;
  if (previous === undefined) return t.fail();
  const { keys: before, roles } = previous.metadata;
  const oldId = roles.root.keyIds[0] ?? "";
  const old = before.get(oldId);
  if (old === undefined) return t.fail();
  // A thief's key whose id was searched for until it begins like the keeper's.
  const keyId = `${oldId.slice(0, 8)}${"6".repeat(56)}`;
  const keys = new Map([...before, [keyId, { ...old, keyId }]]);
  const swapped = { keyIds: [keyId], threshold: 1 };
  const root = {
    ...previous,
    metadata: { ...previous.metadata, version: 2, keys, roles: { ...roles, root: swapped } },
    signedJson: { skerry: { keyNames: { [keyId]: "image-root", [oldId]: "thief" } } },
  };
  const told = describeRoot("image", root, { root: previous }, { signedBy: [], missing: [] }).join("\n");
  t.regex(told, /before: 1 of image-root \(/);
  t.true(told.includes(`new key    image-root, id ${keyId}`), told);
  t.notRegex(told, /thief/);
  const unknown = describeRoot("image", root, { root: undefined }, { signedBy: [], missing: [] }).join("\n");
  t.regex(unknown, /WARNING +what this root changes is not known: root 1 is not here/);
  for (const each of [keyId, ...roles.targets.keyIds]) t.true(unknown.includes(`id ${each}`), unknown);
});

test("a false signature under a keeper's name does not take the place of the keeper's own", async (t) => {
  const repository = await ceremony(t);
  const away = await temporaryFolder(t);
  const { keysFolder } = repository.settings;
  await succeed(t, repository, "renew", "--repository", "image");
  const pending = join(repository.folder, "pending", "image-2.root.json");
  const [forged, bo] = [join(away, "image-2.root.json"), join(away, "image-root-2.json")];
  await copyFile(pending, forged);
  await rename(keyFile(keysFolder, "image-root-2"), bo);
  await rm(keyFile(keysFolder, "image-root-3"));
  t.regex(await succeed(t, repository, "sign"), /Still missing: 1 more/);
  await rm(keyFile(keysFolder, "image-root-1"));
  const anna = (await loadMetadata(repository, "image")).roots[0]?.metadata.roles.root.keyIds[0];
  const root = JSON.parse(await readFile(forged, "utf8"));
  await writeFile(forged, JSON.stringify({ ...root, signatures: [{ keyid: anna, sig: "00".repeat(64) }] }));
  t.regex(await succeed(t, repository, "sign", forged), /Still missing: 1 more/);
  t.regex(await succeed(t, repository, "sign", "--key", bo), /Taken: image root 2/);
});

test("further changes join the root that is prepared, and its signatures go: they were for another", async (t) => {
  const repository = await ceremony(t);
  await rm(keyFile(repository.settings.keysFolder, "image-root-2"));
  await rm(keyFile(repository.settings.keysFolder, "image-root-3"));
  await succeed(t, repository, "rotate", "image-online");
  const pending = join(repository.folder, "pending", "image-2.root.json");
  await succeed(t, repository, "sign");
  const stale = join(await temporaryFolder(t), "image-2.root.json");
  await copyFile(pending, stale);
  const out = await succeed(t, repository, "rotate", "image-targets");
  t.regex(out, /signed by +nobody/);
  t.regex(out, /image-online-2/);
  t.regex(out, /image-targets-2/);
  const { exitCode, err } = await keys(repository, "sign", stale);
  t.is(exitCode, 1);
  t.regex(err, /another root.*fleet\/pending-root/);
});

test("a root that does not follow the newest one is refused, as is a key that may not sign it", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, "renew");
  const stale = join(await temporaryFolder(t), "image-2.root.json");
  await copyFile(join(repository.folder, "pending", "image-2.root.json"), stale);
  const wrongKey = await keys(
    repository,
    "sign",
    stale,
    "--key",
    keyFile(repository.settings.keysFolder, "director-root"),
  );
  t.is(wrongKey.exitCode, 1);
  t.regex(wrongKey.err, /not among the root keys.*fleet\/pending-root/);
  await succeed(t, repository, "sign");
  const again = await keys(repository, "sign", stale);
  t.is(again.exitCode, 1);
  t.regex(again.err, /at root 2: prepare the change again \(fleet\/pending-root\)/);
  const noRoot = join(await temporaryFolder(t), "image-3.root.json");
  await writeFile(noRoot, "{}");
  t.is((await keys(repository, "sign", noRoot)).exitCode, 1);
});

test("revoking below the threshold is refused, and goes with a lower one", async (t) => {
  const repository = await ceremony(t);
  await succeed(t, repository, "revoke", "image-root-1");
  const refused = await keys(repository, "revoke", "image-root-2");
  t.is(refused.exitCode, 2);
  t.regex(refused.err, /root would have 1 key and a threshold of 2/);
  await succeed(t, repository, "revoke", "image-root-2", "--threshold", "1");
  await succeed(t, repository, "sign");
  t.deepEqual(await keysOf(repository, "image", "root"), ["image-root-3"]);
  t.is((await keys(repository, "revoke", "image-online")).exitCode, 2);
  t.is((await keys(repository, "revoke", "no-such-key")).exitCode, 2);
});

test("a key that was made elsewhere joins by its public half alone", async (t) => {
  const repository = await newRepository(t);
  const away = await temporaryFolder(t);
  const made = await run(["keys", "new", "image-root-bo", "--out", away], { typed: "\r" });
  t.is(made.exitCode, 0, made.err);
  const publicFile = join(away, "image-root-bo.pub.json");
  t.notRegex(await readFile(publicFile, "utf8"), /seed|box/);
  await succeed(
    t,
    repository,
    "add",
    "--repository",
    "image",
    "--role",
    "root",
    "--public",
    publicFile,
    "--threshold",
    "2",
  );
  // A key that is to sign alone from now on has to sign the root that says so.
  t.regex(await succeed(t, repository, "sign"), /Still missing: 1 more for root 2's threshold/);
  const pending = join(repository.folder, "pending", "image-2.root.json");
  t.is((await run(["keys", "sign", pending, "--key", keyFile(away, "image-root-bo")])).exitCode, 0);
  t.regex(await succeed(t, repository, "sign"), /Taken/);
  t.deepEqual(await keysOf(repository, "image", "root"), ["image-root", "image-root-bo"]);
  const twice = await keys(
    repository,
    "add",
    "--repository",
    "image",
    "--role",
    "root",
    "--public",
    publicFile,
  );
  t.is(twice.exitCode, 2);
});

test("offline keys on a stick sign with --keys, and a new key is made beside them", async (t) => {
  const repository = await newRepository(t);
  const stick = await temporaryFolder(t);
  for (const name of ["image-root", "image-targets"]) {
    await rename(keyFile(repository.settings.keysFolder, name), keyFile(stick, name));
  }
  t.is((await keys(repository, "rotate", "image-targets", "--keys", stick)).exitCode, 0);
  await t.notThrowsAsync(stat(keyFile(stick, "image-targets-2")));
  const without = await keys(repository, "sign");
  t.regex(without.out, /Still missing/);
  t.regex(await succeed(t, repository, "sign", "--keys", stick), /Taken/);
  await t.throwsAsync(publish(repository), code("fleet/key"));
  await t.notThrowsAsync(planSync(repository));
});

test("a root whose online key is not here is not taken: devices would be cut off", async (t) => {
  const repository = await newRepository(t);
  await succeed(t, repository, "rotate", "image-targets");
  const away = join(await temporaryFolder(t), "image-targets-2.json");
  await rename(keyFile(repository.settings.keysFolder, "image-targets-2"), away);
  const { exitCode, err } = await keys(repository, "sign");
  t.is(exitCode, 1);
  t.regex(
    err,
    /image\/targets\.json is signed by 1 of image-targets-2 \([0-9a-f]{8}\), and none of them is in/,
  );
  t.is((await loadMetadata(repository, "image")).roots.length, 1);
  await rename(away, keyFile(repository.settings.keysFolder, "image-targets-2"));
  t.regex(await succeed(t, repository, "sign"), /Taken/);
});

test("after a power cut between the new root and what it asks to be signed again, refresh does the rest", async (t) => {
  for (const [old, role] of [
    ["image-targets", "targets"],
    ["image-online", "snapshot"],
  ] as const) {
    const repository = await newRepository(t);
    await publish(repository);
    const files = ["targets", "snapshot", "timestamp"].map((each) =>
      join(repository.folder, "image", `${each}.json`),
    );
    const before = await Promise.all(files.map((path) => readFile(path)));
    await succeed(t, repository, "rotate", old);
    await succeed(t, repository, "sign");
    for (const [index, path] of files.entries()) await writeFile(path, before[index] ?? "");
    await t.throwsAsync(planSync(repository), code("fleet/repository-damaged"));
    const { signed } = await refreshRepository(repository);
    t.is(signed[0]?.role, role);
    await t.notThrowsAsync(planSync(repository));
  }
});

test("refresh signs with online keys in the clear where offline ones are encrypted, and warns of what it cannot", async (t) => {
  const folder = join(await temporaryFolder(t), "fleet");
  const nowMs = Date.parse("2030-01-01T00:00:00Z");
  const { repository } = await initRepository({ folder, passphrase: PASSPHRASE, nowMs });
  const { signed, warnings } = await refreshRepository(repository, { nowMs: nowMs + 340 * 86_400_000 });
  t.deepEqual(
    signed.map(({ repository: name, role }) => `${name}/${role}`),
    ["image/snapshot", "image/timestamp", "director/targets", "director/snapshot", "director/timestamp"],
  );
  t.regex(warnings.join("\n"), /image targets expire at .*image-targets \([0-9a-f]{8}\) cannot sign here/);
  t.regex(warnings.join("\n"), /director root expires at .*skerry keys renew --repository director/);
});

test("renew gives both roots a later expiry and asks nothing else", async (t) => {
  const repository = await newRepository(t, { nowMs: Date.now() - 200 * 86_400_000 });
  const before = await loadMetadata(repository, "image");
  await succeed(t, repository, "renew");
  await succeed(t, repository, "sign");
  const after = await loadMetadata(repository, "image");
  t.is(after.roots.length, 2);
  t.true((after.roots[1]?.metadata.expiresMs ?? 0) > (before.roots[0]?.metadata.expiresMs ?? 0));
  t.deepEqual(after.targets.bytes, before.targets.bytes);
  t.is((await loadMetadata(repository, "director")).roots.length, 2);
});

test("list and show tell who signs what, where the files are and who signed", async (t) => {
  const repository = await ceremony(t);
  await rm(keyFile(repository.settings.keysFolder, "image-root-2"));
  const listed = JSON.parse(await succeed(t, repository, "list", "--json")) as {
    key: string;
    file: string | null;
  }[];
  t.is(listed.length, 9);
  t.is(listed.find(({ key }) => key === "image-root-2")?.file, null);
  t.regex(await succeed(t, repository, "list"), /image-root-2 .* elsewhere/);
  await succeed(t, repository, "revoke", "image-root-2");
  t.regex(
    await succeed(t, repository, "list"),
    /2 of 3 root keys sign the next one; root 2 waits for signatures/,
  );
  const shown = await succeed(t, repository, "show", join(repository.folder, "pending", "image-2.root.json"));
  t.regex(shown, /root +2 of image-root-1 .*\n +before: 2 of image-root-1/);
  t.regex(shown, /missing/);
  const first = await succeed(t, repository, "show", rootFile(repository.folder, "image", 1));
  t.regex(first, /signed by +image-root-1 .*image-root-2 .*image-root-3/);
  const neither = join(repository.folder, "skerry.toml");
  t.regex((await keys(repository, "show", neither)).err, /skerry\.toml is damaged: no JSON \(fleet\/key\)/);
  const key = keyFile(repository.settings.keysFolder, "image-root-1");
  t.regex(await succeed(t, repository, "show", key), /^key image-root-1, id [0-9a-f]{64}/);
});

test("a key is meant by its name or the start of its id; a repository of before roots named keys has its files' names", async (t) => {
  const repository = await newRepository(t);
  const path = rootFile(repository.folder, "image", 1);
  const [root] = (await loadMetadata(repository, "image")).roots;
  const keyId = root?.metadata.roles.snapshot.keyIds[0] ?? "";
  t.is((await keys(repository, "rotate", keyId.slice(0, 8))).exitCode, 0);
  await rm(join(repository.folder, "pending"), { recursive: true });
  // As an earlier version wrote it.
  const { skerry: _names, ...signed } = { ...root?.signedJson };
  const { signMetadata } = await import("../../ota/sign-metadata.ts");
  const signer = await openKey(
    await readKeyFile(keyFile(repository.settings.keysFolder, "image-root")),
    undefined,
  );
  await writeFile(path, await signMetadata(signed, [signer]));
  t.regex(await succeed(t, repository, "show", path), /^image root 1/);
  await succeed(t, repository, "rotate", "image-targets");
  t.regex(await succeed(t, repository, "sign"), /Taken: image root 2/);
});

test("key files that others can read, or that are called otherwise, are refused by name", async (t) => {
  const repository = await newRepository(t);
  const path = keyFile(repository.settings.keysFolder, "image-root");
  await chmod(path, 0o644);
  t.regex((await keys(repository, "list")).err, /chmod 600/);
  await chmod(path, 0o600);
  await copyFile(path, keyFile(repository.settings.keysFolder, "backup"));
  const { err } = await keys(repository, "list");
  t.true(err.includes(`backup.json holds the key "${basename(path, ".json")}"`));
});

test("init --from: a new repository with other keys goes on with settings, releases, counters and assignments", async (t) => {
  const old = await newRepository(t);
  await publish(old);
  await publish(old, { version: "1.1.0" });
  await succeed(t, old, "list");
  const audience = { kind: "group", group: "default", percent: 25 } as const;
  await assignRelease(old, { module: "acme/thermo", version: "1.1.0", audience });
  const folder = join(await temporaryFolder(t), "next");
  const made = await run([
    "keys",
    "init",
    folder,
    "--from",
    old.folder,
    "--root-keys",
    "3",
    "--no-passphrase",
  ]);
  t.is(made.exitCode, 0, made.err);
  const repository = await openRepository(folder);
  t.deepEqual(repository.settings.broker, old.settings.broker);
  for (const name of ["image", "director"] as const) {
    const [before, after] = [await loadMetadata(old, name), await loadMetadata(repository, name)];
    t.deepEqual(after.targets.metadata.targets, before.targets.metadata.targets);
    t.true(after.timestamp.metadata.version > before.timestamp.metadata.version);
    const ids = [before, after].map(({ roots }) => [...(roots[0]?.metadata.keys.keys() ?? [])]);
    t.deepEqual(
      ids[0]?.filter((keyId) => ids[1]?.includes(keyId)),
      [],
    );
  }
  const { blobs } = await planSync(repository);
  const digests = (plan: typeof blobs): readonly string[] => plan.map(({ sha256 }) => sha256);
  t.deepEqual(digests(blobs), digests((await planSync(old)).blobs));
  t.true((await Promise.all(blobs.map((blob) => blob.load()))).length > 0);
  t.is((await publish(repository, { version: "1.2.0" })).release, 3);
  const both = await run(["keys", "init", `${folder}-2`, "--from", old.folder, "--fleet", "north"]);
  t.is(both.exitCode, 2);
});
