/** `skerry keys add`, `rotate`, `revoke` and `renew`: each prepares a repository's next root. */

import { relative } from "node:path";
import type { RepositoryName, RoleName } from "../ota/metadata.ts";
import { createVerifier } from "../ota/signature.ts";
import {
  type CommandCall,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
  wholeNumber,
} from "./command-line.ts";
import { describeRoot } from "./describe-root.ts";
import { FleetError } from "./errors.ts";
import { Keyring } from "./keyring.ts";
import { createKey, isKeyName, keyFile, type NamedKey, readPublicKey } from "./keys.ts";
import { loadMetadata, newestRoot } from "./metadata-store.ts";
import { judgeSignatures, prepareRoot, type RootOnFile, readPendingRoot } from "./pending-root.ts";
import { REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { contentOf, findKey, keyNamesOf, type RootChange, type RootContent } from "./root-changes.ts";

const NEW_KEY_USAGE = `  --public FILE          somebody else's key, as \`skerry keys new\` wrote it; without it a key is made here
  --name NAME            of the key that is made; default the role's or the old key's name with the next number
  --plain                leave the key that is made in the clear, for a timer that runs skerry refresh
  --threshold N          how many root keys have to sign from then on
${REPOSITORY_USAGE}${KEY_USAGE}`;
const NEW_KEY_OPTIONS = {
  public: { type: "string" },
  name: { type: "string" },
  plain: { type: "boolean" },
  threshold: { type: "string" },
  ...REPOSITORY_OPTIONS,
  ...KEY_OPTIONS,
} as const;

export const keysAddCommand: FleetCommand = {
  usage: `usage: skerry keys add --repository image|director --role ROLE [options]

Prepares a root that lists one more key.

  --role ROLE            root, targets, or online (snapshot and timestamp; the director's targets, too)
${NEW_KEY_USAGE}`,
  options: { repository: { type: "string" }, role: { type: "string" }, ...NEW_KEY_OPTIONS },
  positionals: [],
  run: runAdd,
};

export const keysRotateCommand: FleetCommand = {
  usage: `usage: skerry keys rotate KEY [options]

Prepares a root with a new key in the place of KEY (its name, or eight digits of its id), in each role that it signs.

${NEW_KEY_USAGE}`,
  options: NEW_KEY_OPTIONS,
  positionals: ["the key"],
  run: runRotate,
};

export const keysRevokeCommand: FleetCommand = {
  usage: `usage: skerry keys revoke KEY [--threshold N] [options]

Prepares a root without KEY (its name, or eight digits of its id).

  --threshold N          how many root keys have to sign from then on
${REPOSITORY_USAGE}${KEY_USAGE}`,
  options: { threshold: { type: "string" }, ...REPOSITORY_OPTIONS, ...KEY_OPTIONS },
  positionals: ["the key"],
  run: runRevoke,
};

export const keysRenewCommand: FleetCommand = {
  usage: `usage: skerry keys renew [--repository image|director] [--threshold N] [options]

Prepares the same root with a later expiry; by default those of both repositories.

  --threshold N          how many root keys have to sign from then on
${REPOSITORY_USAGE}`,
  options: { repository: { type: "string" }, threshold: { type: "string" }, ...REPOSITORY_OPTIONS },
  positionals: [],
  run: runRenew,
};

async function runAdd(call: CommandCall): Promise<number> {
  const name = repositoryName(call);
  if (name === undefined)
    throw new FleetError("fleet/usage", "--repository image or --repository director is missing");
  const roles = rolesNamed(call.text("role"), name);
  const repository = await repositoryOf(call);
  const content = await currentContent(repository, name);
  const [role = "root"] = roles;
  const stem = role === "root" || role === "targets" ? `${name}-${role}` : `${name}-online`;
  const key = await newKey(call, repository, stem, content);
  return prepare(call, repository, name, [{ kind: "add", roles, key }, ...thresholdChange(call)]);
}

async function runRotate(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const { name, content, keyId } = await locateKey(call, repository);
  const stem = (content.names.get(keyId) ?? `${name}-key`).replace(/-[0-9]+$/, "");
  const key = await newKey(call, repository, stem, content);
  return prepare(call, repository, name, [{ kind: "replace", keyId, key }, ...thresholdChange(call)]);
}

async function runRevoke(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const { name, keyId } = await locateKey(call, repository);
  // The lower threshold first: with the key gone the old one may be out of reach.
  return prepare(call, repository, name, [...thresholdChange(call), { kind: "remove", keyId }]);
}

async function runRenew(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const only = repositoryName(call);
  for (const name of only === undefined ? REPOSITORY_NAMES : [only]) {
    await prepare(call, repository, name, thresholdChange(call));
  }
  return 0;
}

async function prepare(
  call: CommandCall,
  repository: Repository,
  name: RepositoryName,
  changes: readonly RootChange[],
): Promise<number> {
  const prepared = await prepareRoot(repository, name, changes);
  const { roots } = await loadMetadata(repository, name);
  const previous = roots.at(-1);
  const signatures = judgeSignatures(prepared.root, previous, await createVerifier());
  const lines = describeRoot(name, prepared.root, previous, signatures);
  call.io.stdout.write(`Prepared ${lines.join("\n")}\n\n${nextStep(prepared)}\n`);
  return 0;
}

function nextStep({ path }: RootOnFile): string {
  const file = relative(process.cwd(), path);
  return `Nothing is changed until it is signed: \`skerry keys sign\` here, or \`skerry keys sign FILE --key KEYFILE\` elsewhere with\n  ${file}\nTo give it up, delete that file.`;
}

/** The key that --public names, or a new one beside the others. */
async function newKey(
  call: CommandCall,
  repository: Repository,
  stem: string,
  content: RootContent,
): Promise<NamedKey> {
  const file = call.text("public");
  if (file !== undefined) {
    if (call.text("name") !== undefined)
      throw new FleetError("fleet/usage", "--name goes without --public: the file says it");
    return refuseKnownName(await readPublicKey(file), content);
  }
  const keyring = await Keyring.open(repository);
  const taken = new Set([...content.names.values(), ...keyring.files.map((each) => each.name)]);
  const name = call.text("name") ?? nextName(stem, taken);
  if (!isKeyName(name))
    throw new FleetError("fleet/usage", `"${name}" is no key's name: a-z, 0-9 and -, at most 64`);
  const folder = repository.keyAccess?.furtherFolders[0] ?? repository.settings.keysFolder;
  const passphrase = call.flag("plain")
    ? undefined
    : await repository.keyAccess?.passphrases.choose(`the new key ${name}`);
  if (passphrase === undefined && !call.flag("plain")) {
    const path = keyFile(folder, name);
    call.io.stderr.write(`warning: ${path} lies in the clear; \`skerry keys passphrase\` encrypts it\n`);
  }
  const { key } = await createKey(folder, name, passphrase);
  call.io.stdout.write(`Made ${keyFile(folder, name)}\n`);
  return { name, key };
}

/** Two keys of one name could not be told apart. */
function refuseKnownName(key: NamedKey, { names }: RootContent): NamedKey {
  if (![...names.values()].includes(key.name)) return key;
  throw new FleetError("fleet/usage", `the root names another key ${key.name}: make one with another name`);
}

function nextName(stem: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number++) {
    if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`;
  }
}

interface LocatedKey {
  readonly name: RepositoryName;
  readonly content: RootContent;
  readonly keyId: string;
}

async function locateKey(call: CommandCall, repository: Repository): Promise<LocatedKey> {
  const [text = ""] = call.positionals;
  const found: LocatedKey[] = [];
  for (const name of REPOSITORY_NAMES) {
    const content = await currentContent(repository, name);
    const keyId = findKey(content, text);
    if (keyId !== undefined) found.push({ name, content, keyId });
  }
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new FleetError(
    "fleet/usage",
    first === undefined
      ? `"${text}" is no key of either root: \`skerry keys list\` tells them`
      : `"${text}" stands in both roots: give the digits of its id`,
  );
}

/** The keys of the root that is being prepared, otherwise of the newest one; named as the root or the key files name them. */
async function currentContent(repository: Repository, name: RepositoryName): Promise<RootContent> {
  const stored = await loadMetadata(repository, name);
  const root = (await readPendingRoot(repository, stored))?.root ?? newestRoot(stored);
  const { files } = await Keyring.open(repository);
  const fromFiles = files.map((file) => [file.key.keyId, file.name] as const);
  return { ...contentOf(root), names: new Map([...fromFiles, ...keyNamesOf(root)]) };
}

function repositoryName(call: CommandCall): RepositoryName | undefined {
  const name = call.text("repository");
  if (name === undefined || name === "image" || name === "director") return name;
  throw new FleetError("fleet/usage", `--repository ${name}: image or director is expected`);
}

function rolesNamed(role: string | undefined, name: RepositoryName): readonly RoleName[] {
  switch (role) {
    case "root":
      return ["root"];
    case "targets":
      return ["targets"];
    case "online":
      return name === "image" ? ["snapshot", "timestamp"] : ["targets", "snapshot", "timestamp"];
    default:
      throw new FleetError(
        "fleet/usage",
        `--role ${role ?? "is missing"}: root, targets or online is expected`,
      );
  }
}

function thresholdChange(call: CommandCall): readonly RootChange[] {
  const threshold = wholeNumber(call, "threshold");
  return threshold === undefined ? [] : [{ kind: "threshold", role: "root", threshold }];
}
