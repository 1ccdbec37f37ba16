/** `skerry keys sign` */

import { createVerifier, type Signer } from "../ota/signature.ts";
import {
  type CommandCall,
  type FleetCommand,
  isRepositoryNamed,
  KEY_OPTIONS,
  KEY_USAGE,
  passphrasesOf,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryIfAny,
} from "./command-line.ts";
import { describeRoot } from "./describe-root.ts";
import { FleetError } from "./errors.ts";
import { Keyring } from "./keyring.ts";
import { type KeyFile, openKey, readKeyFile } from "./keys.ts";
import { loadMetadata } from "./metadata-store.ts";
import {
  addSignatures,
  judgeSignatures,
  type RootOnFile,
  type RootSignatures,
  readPendingRoot,
  readRoot,
  takeRoot,
} from "./pending-root.ts";
import { REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { rootBefore } from "./root-before.ts";

export const keysSignCommand: FleetCommand = {
  usage: `usage: skerry keys sign [FILE] [--key KEYFILE] [options]

Signs a root that was prepared: FILE, by default what waits in the repository folder. With enough signatures the
repository takes it, and signs again what it has to. Elsewhere than in the repository the file gets the signature, to
be carried on.

  --key KEYFILE          the key to sign with; default each root key in the folders of keys
  --previous FILE        the root before it, your own copy: shows what changes, where there is no repository folder
${REPOSITORY_USAGE}${KEY_USAGE}`,
  options: { key: { type: "string" }, previous: { type: "string" }, ...REPOSITORY_OPTIONS, ...KEY_OPTIONS },
  positionals: [],
  optionalPositionals: 1,
  run: runSign,
};

async function runSign(call: CommandCall): Promise<number> {
  const [path] = call.positionals;
  const repository = await repositoryIfAny(call);
  const roots = path === undefined ? await pendingRoots(repository) : [await readRoot(path)];
  if (roots.length === 0) {
    call.io.stdout.write(
      "No root waits for signatures: `skerry keys rotate`, `add`, `revoke` or `renew` prepares one\n",
    );
    return 0;
  }
  for (const root of roots) await signRoot(call, repository, root);
  return 0;
}

async function pendingRoots(repository: Repository | undefined): Promise<readonly RootOnFile[]> {
  if (repository === undefined) {
    throw new FleetError(
      "fleet/usage",
      "the file of the root is missing, and here is no repository folder with one",
    );
  }
  const roots: RootOnFile[] = [];
  for (const name of REPOSITORY_NAMES) {
    const pending = await readPendingRoot(repository, await loadMetadata(repository, name));
    if (pending !== undefined) roots.push(pending);
  }
  return roots;
}

async function signRoot(
  call: CommandCall,
  repository: Repository | undefined,
  unsigned: RootOnFile,
): Promise<void> {
  const { stdout } = call.io;
  const { name } = unsigned;
  const verifier = await createVerifier();
  const own = call.text("key");
  const ownFile = own === undefined ? undefined : await readKeyFile(own);
  const before = await rootBefore(unsigned, {
    named: call.text("previous"),
    repository,
    isRepositoryNamed: isRepositoryNamed(call),
    isFileNamed: call.positionals.length > 0,
    ownKey: ownFile?.key,
    verifier,
  });
  const { root: previous } = before;
  const pending = repository === undefined ? undefined : await samePending(repository, unsigned);
  const judge = ({ root }: RootOnFile): RootSignatures => judgeSignatures(root, previous, verifier);
  const judged = judge(unsigned);
  // What is signed is shown first: whoever types a passphrase agrees to it.
  stdout.write(`${describeRoot(name, unsigned.root, before, judged).join("\n")}\n`);
  const allowed = new Set(
    [unsigned.root, ...(previous === undefined ? [] : [previous])].flatMap(
      (root) => root.metadata.roles.root.keyIds,
    ),
  );
  const files = await keyFiles(ownFile, repository, allowed, judged);
  const passphrases = repository?.keyAccess?.passphrases ?? (await passphrasesOf(call));
  const signers: Signer[] = [];
  // One after the other: a person is asked one question at a time.
  for (const file of files) signers.push(await openKey(file, passphrases));
  const signed = await addSignatures(unsigned, signers, { other: pending, previous, verifier });
  for (const file of files) stdout.write(`Signed with ${file.name}\n`);
  const isTaken = repository !== undefined && (await takeRoot(repository, signed));
  stdout.write(
    isTaken
      ? `Taken: ${name} root ${signed.root.metadata.version}. Next: skerry sync\n\n`
      : `${nextStep(judge(signed))}\n  ${signed.path}\n\n`,
  );
}

function nextStep({ missing }: RootSignatures): string {
  if (missing.length === 0) {
    return "Complete as far as can be told here. Bring it to the repository folder, `skerry keys sign` there takes it:";
  }
  const still = missing.map(({ count, version }) => `${count} more for root ${version}'s threshold`);
  return `Still missing: ${still.join(", ")}. Pass it on:`;
}

/** What waits in the repository for the same version, to bring the signatures together. */
async function samePending(
  repository: Repository,
  { name, path }: RootOnFile,
): Promise<RootOnFile | undefined> {
  const pending = await readPendingRoot(repository, await loadMetadata(repository, name));
  return pending?.path === path ? undefined : pending;
}

async function keyFiles(
  own: KeyFile | undefined,
  repository: Repository | undefined,
  allowed: ReadonlySet<string>,
  { signedBy }: RootSignatures,
): Promise<readonly KeyFile[]> {
  if (own !== undefined) {
    if (allowed.has(own.key.keyId)) return [own];
    throw new FleetError(
      "fleet/pending-root",
      `${own.path} (${own.name}) is not among the root keys that may sign this; if the root before it lists the key, name that one's file with --previous`,
    );
  }
  if (repository === undefined) throw new FleetError("fleet/usage", "--key KEYFILE is missing");
  const { files } = await Keyring.open(repository);
  return files.filter(({ key }) => allowed.has(key.keyId) && !signedBy.includes(key.keyId));
}
