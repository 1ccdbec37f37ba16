/** Signing a root that travelled: what is shown as changed can't be made up by whoever carried it. */

import { copyFile, cp, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { initRepository } from "../../fleet/init.ts";
import { keyFile, readKeyFile } from "../../fleet/keys.ts";
import { readRoot } from "../../fleet/pending-root.ts";
import { openRepository, pendingRootFile, type Repository, rootFile } from "../../fleet/repository.ts";
import { rootBefore } from "../../fleet/root-before.ts";
import { createVerifier } from "../../ota/signature.ts";
import { temporaryFolder } from "./fixture.ts";
import { type Outcome, run } from "./run-command.ts";

interface Setting {
  readonly repository: Repository;
  /** The stick, and the root on it that is to be signed: it exchanges `image-online`. */
  readonly stick: string;
  readonly file: string;
  /** The keeper's own key, at home. */
  readonly key: string;
  /** Another repository, whose roots a thief has made up. */
  readonly thief: Repository;
}

async function setting(t: ExecutionContext): Promise<Setting> {
  const away = await temporaryFolder(t);
  const init = (name: string) => initRepository({ folder: join(away, name), rootKeys: 3, threshold: 2 });
  const { repository } = await init("fleet");
  const { repository: thief } = await init("thief");
  await run(["keys", "rotate", "image-online", "--plain"], { env: { SKERRY_REPO: repository.folder } });
  const [stick, key] = [join(away, "stick"), join(away, "image-root-2.json")];
  await mkdir(stick);
  await rename(keyFile(repository.settings.keysFolder, "image-root-2"), key);
  const file = join(stick, "image-2.root.json");
  await copyFile(pendingRootFile(repository.folder, "image", 2), file);
  return { repository, stick, file, key, thief };
}

function sign({ file, key }: Setting, ...argv: readonly string[]): Promise<Outcome> {
  return run(["keys", "sign", file, "--key", key, ...argv]);
}

test("what lies beside the file is gone by if the keeper's own key signed it", async (t) => {
  const here = await setting(t);
  await copyFile(rootFile(here.repository.folder, "image", 1), join(here.stick, "1.root.json"));
  const { exitCode, out, err } = await sign(here);
  t.is(exitCode, 0, err);
  t.regex(out, /snapshot +1 of image-online-2 .*\n +before: 1 of image-online \(/);
  t.notRegex(out, /WARNING/);
});

test("a root before it that the keeper never signed shows no difference: a warning, and every id to compare", async (t) => {
  const here = await setting(t);
  await copyFile(rootFile(here.thief.folder, "image", 1), join(here.stick, "1.root.json"));
  const { exitCode, out } = await sign(here);
  t.is(exitCode, 0);
  t.regex(out, /WARNING +what this root changes is not known: .*1\.root\.json .*whoever carried it/);
  t.notRegex(out, /before:/);
  const { root } = await readRoot(here.file);
  for (const { keyIds } of Object.values(root.metadata.roles)) {
    for (const keyId of keyIds) t.true(out.includes(`id ${keyId}`), out);
  }
});

test("without any root before it the warning says so; the keeper's own copy, by --previous, shows what changes", async (t) => {
  const here = await setting(t);
  t.regex((await sign(here)).out, /WARNING +what this root changes is not known: root 1 is not here/);
  const copy = rootFile(here.repository.folder, "image", 1);
  const { out } = await sign(here, "--previous", copy);
  t.regex(out, /before: 1 of image-online \(/);
  t.notRegex(out, /WARNING/);
});

test("keys show knows no key of the keeper's, and believes nothing that lies beside the file", async (t) => {
  const here = await setting(t);
  await copyFile(rootFile(here.repository.folder, "image", 1), join(here.stick, "1.root.json"));
  const { out } = await run(["keys", "show", here.file]);
  t.regex(out, /WARNING/);
  t.notRegex(out, /before:/);
});

test("a repository folder that was found around the file may have come with it; one that was named is the operator's", async (t) => {
  const here = await setting(t);
  await cp(here.thief.folder, here.stick, { recursive: true });
  const planted = await openRepository(here.stick);
  const onFile = await readRoot(here.file);
  const sources = { named: undefined, isFileNamed: true, verifier: await createVerifier() };
  const found = await rootBefore(onFile, { ...sources, repository: planted, isRepositoryNamed: false });
  t.deepEqual(found, { root: undefined, unproven: rootFile(here.stick, "image", 1) });
  const named = await rootBefore(onFile, { ...sources, repository: planted, isRepositoryNamed: true });
  t.is(named.root?.metadata.version, 1);
  const elsewhere = { ...sources, repository: here.repository, isRepositoryNamed: false };
  t.is((await rootBefore(onFile, elsewhere)).root?.metadata.version, 1);
});

test("what waits in a folder that was found is the operator's if neither file nor key is named; else the folder may have come by stick", async (t) => {
  const here = await setting(t);
  const { key: ownKey } = await readKeyFile(here.key);
  const sources = { named: undefined, isRepositoryNamed: false, verifier: await createVerifier() };
  await cp(here.thief.folder, here.stick, { recursive: true });
  const planted = await openRepository(here.stick);
  await mkdir(join(here.stick, "pending"));
  await rename(here.file, pendingRootFile(here.stick, "image", 2));
  const cases = [
    { repository: planted, isFileNamed: true, ownKey, isBelieved: false },
    { repository: planted, isFileNamed: true, ownKey: undefined, isBelieved: false },
    { repository: planted, isFileNamed: false, ownKey, isBelieved: false },
    { repository: here.repository, isFileNamed: true, ownKey, isBelieved: true },
    { repository: here.repository, isFileNamed: false, ownKey, isBelieved: true },
    { repository: here.repository, isFileNamed: false, ownKey: undefined, isBelieved: true },
  ];
  for (const { isBelieved, ...each } of cases) {
    const { folder } = each.repository;
    const waiting = await readRoot(pendingRootFile(folder, "image", 2));
    const { root, unproven } = await rootBefore(waiting, { ...sources, ...each });
    t.is(root?.metadata.version, isBelieved ? 1 : undefined);
    t.is(unproven, isBelieved ? undefined : rootFile(folder, "image", 1));
  }
});
