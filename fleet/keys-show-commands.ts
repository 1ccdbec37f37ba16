/** `skerry keys list` and `skerry keys show` */

import type { ParsedFile, RepositoryName, Root, Targets } from "../ota/metadata.ts";
import { createVerifier } from "../ota/signature.ts";
import {
  type CommandCall,
  type FleetCommand,
  isRepositoryNamed,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryIfAny,
  repositoryOf,
} from "./command-line.ts";
import { isBin } from "./delegations.ts";
import { describeRoot } from "./describe-root.ts";
import { FleetError } from "./errors.ts";
import { isEncrypted, type KeyNames, Keyring } from "./keyring.ts";
import { readPublicKey } from "./keys.ts";
import { loadMetadata, newestRoot } from "./metadata-store.ts";
import { judgeSignatures, type RootOnFile, readPendingRoot, readRoot } from "./pending-root.ts";
import { REPOSITORY_NAMES } from "./repository.ts";
import { rootBefore } from "./root-before.ts";
import { contentOf, keyNamesOf, listingRoles } from "./root-changes.ts";
import { formatTable } from "./table.ts";

const FOLDER_OPTIONS = { keys: { type: "string" }, ...REPOSITORY_OPTIONS } as const;
const FOLDER_USAGE = `  --keys DIR             a folder with further keys, such as a stick with the offline ones
${REPOSITORY_USAGE}`;

export const keysListCommand: FleetCommand = {
  usage: `usage: skerry keys list [--json] [options]

Lists the keys of both repositories: the roles that each signs, and where its file is.

  --json                 an array of keys instead of the table
${FOLDER_USAGE}`,
  options: { json: { type: "boolean" }, ...FOLDER_OPTIONS },
  positionals: [],
  run: runList,
};

export const keysShowCommand: FleetCommand = {
  usage: `usage: skerry keys show FILE [--previous FILE] [options]

Tells what a root is (who may sign what, what it changes, who signed it) or whose key a key file is.

  --previous FILE        the root before it, where there is no repository folder
${FOLDER_USAGE}`,
  options: { previous: { type: "string" }, ...FOLDER_OPTIONS },
  positionals: ["the file of a root or a key"],
  run: runShow,
};

interface ListedKey {
  readonly repository: RepositoryName;
  readonly key: string | null;
  readonly keyId: string;
  readonly roles: readonly string[];
  /** Null if it is not here. */
  readonly file: string | null;
  readonly encrypted: boolean | null;
}

async function runList(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const keyring = await Keyring.open(repository);
  const keys: ListedKey[] = [];
  const notes: string[] = [];
  for (const name of REPOSITORY_NAMES) {
    const stored = await loadMetadata(repository, name);
    const root = newestRoot(stored);
    keys.push(...listKeys(name, root, keyring));
    if (name === "image") keys.push(...listDelegatedKeys(stored.targets, keyring));
    const { threshold, keyIds } = root.metadata.roles.root;
    const pending = await readPendingRoot(repository, stored);
    const waits = pending === undefined ? "" : `; root ${root.metadata.version + 1} waits for signatures`;
    notes.push(
      `${name} root ${root.metadata.version}, valid until ${root.metadata.expires}: ${threshold} of ${keyIds.length} root keys sign the next one${waits}`,
    );
  }
  if (call.flag("json")) {
    call.io.stdout.write(`${JSON.stringify(keys, null, 2)}\n`);
    return 0;
  }
  const rows = keys.map(({ repository: name, key, keyId, roles, file, encrypted }) => [
    key ?? "-",
    keyId.slice(0, 8),
    name,
    roles.join(","),
    encrypted === null ? "-" : encrypted ? "yes" : "no",
    file ?? "elsewhere",
  ]);
  call.io.stdout.write(formatTable(["KEY", "ID", "REPOSITORY", "SIGNS", "ENCRYPTED", "FILE"], rows));
  call.io.stdout.write(`\n${notes.join("\n")}\n`);
  return 0;
}

/** The keys of teams; the bins have those of the targets. */
function listDelegatedKeys(targets: ParsedFile<Targets>, keyring: Keyring): readonly ListedKey[] {
  const { delegations } = targets.metadata;
  const teams = delegations?.roles.filter((role) => !isBin(role)) ?? [];
  const names = keyNamesOf(targets);
  return [...(delegations?.keys.keys() ?? [])].flatMap((keyId) => {
    const signed = teams.filter(({ keyIds }) => keyIds.includes(keyId)).map(({ name }) => name);
    return signed.length === 0 ? [] : [listKey("image", keyId, names, signed, keyring)];
  });
}

function listKeys(
  repository: RepositoryName,
  root: ParsedFile<Root>,
  keyring: Keyring,
): readonly ListedKey[] {
  const { keys, roles, names } = contentOf(root);
  return [...keys.keys()].map((keyId) =>
    listKey(repository, keyId, names, listingRoles(roles, keyId), keyring),
  );
}

function listKey(
  repository: RepositoryName,
  keyId: string,
  names: KeyNames,
  roles: readonly string[],
  keyring: Keyring,
): ListedKey {
  const file = keyring.find(keyId);
  return {
    repository,
    key: names.get(keyId) ?? file?.name ?? null,
    keyId,
    roles,
    file: file?.path ?? null,
    encrypted: file === undefined ? null : isEncrypted(file),
  };
}

async function runShow(call: CommandCall): Promise<number> {
  const [path = ""] = call.positionals;
  const onFile = await rootUnlessOther(path);
  if (onFile === undefined) {
    const { name, key } = await readPublicKey(path);
    call.io.stdout.write(`key ${name}, id ${key.keyId}, Ed25519 ${key.public}\n`);
    return 0;
  }
  const { name, root } = onFile;
  const verifier = await createVerifier();
  const before = await rootBefore(onFile, {
    named: call.text("previous"),
    repository: await repositoryIfAny(call),
    isRepositoryNamed: isRepositoryNamed(call),
    isFileNamed: true,
    verifier,
  });
  const signatures = judgeSignatures(root, before.root, verifier);
  call.io.stdout.write(`${describeRoot(name, root, before, signatures).join("\n")}\n`);
  return 0;
}

/** The root in a file; undefined if it holds something else. */
async function rootUnlessOther(path: string): Promise<RootOnFile | undefined> {
  try {
    return await readRoot(path);
  } catch (error) {
    if (error instanceof FleetError && error.code === "fleet/pending-root") return undefined;
    throw error;
  }
}
