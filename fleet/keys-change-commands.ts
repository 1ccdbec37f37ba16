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
import { loadMetadata, newestRoot } from "./metadata-store.ts";
import { NEW_KEY_OPTIONS, NEW_KEY_USAGE, newKey } from "./new-key.ts";
import { judgeSignatures, prepareRoot, type RootOnFile, readPendingRoot } from "./pending-root.ts";
import { REPOSITORY_NAMES, type Repository } from "./repository.ts";
import { contentOf, findKey, keyNamesOf, type RootChange, type RootContent } from "./root-changes.ts";
import { revokeDelegated, rotateDelegated, runAddTeam } from "./team-keys.ts";

export const keysAddCommand: FleetCommand = {
  usage: `usage: skerry keys add --repository image|director --role ROLE [options]
       skerry keys add --role NAME --paths PATTERN[,PATTERN] [options]

Prepares a root that lists one more key. With --paths: delegates modules to a team's role with a key of its own, signed at
once with the image targets' key.

  --role ROLE            root, targets, or online (snapshot and timestamp; the director's targets, too); or the team's name
  --paths PATTERNS       modules as publisher/name, with * and ? within either, such as 'acme/*'
${NEW_KEY_USAGE}`,
  options: {
    repository: { type: "string" },
    role: { type: "string" },
    paths: { type: "string" },
    ...NEW_KEY_OPTIONS,
  },
  positionals: [],
  run: runAdd,
};

export const keysRotateCommand: FleetCommand = {
  usage: `usage: skerry keys rotate KEY [options]

Prepares a root with a new key in the place of KEY (its name, or eight digits of its id), in each role that it signs.
A team's key is exchanged at once, with the image targets' key.

${NEW_KEY_USAGE}`,
  options: NEW_KEY_OPTIONS,
  positionals: ["the key"],
  run: runRotate,
};

export const keysRevokeCommand: FleetCommand = {
  usage: `usage: skerry keys revoke KEY [--threshold N] [options]

Prepares a root without KEY (its name, or eight digits of its id). A team's key is taken away at once, with the image
targets' key; with its last key a team's role goes.

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
  const paths = call.text("paths");
  if (paths !== undefined) return runAddTeam(call, paths);
  const name = repositoryName(call);
  if (name === undefined) {
    throw new FleetError(
      "fleet/usage",
      "--repository image or --repository director is missing (or, for a team's role, --paths)",
    );
  }
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
  const delegated = await rotateDelegated(call, repository);
  if (delegated !== undefined) return delegated;
  const { name, content, keyId } = await locateKey(call, repository);
  const stem = (content.names.get(keyId) ?? `${name}-key`).replace(/-[0-9]+$/, "");
  const key = await newKey(call, repository, stem, content);
  return prepare(call, repository, name, [{ kind: "replace", keyId, key }, ...thresholdChange(call)]);
}

async function runRevoke(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const delegated = await revokeDelegated(call, repository);
  if (delegated !== undefined) return delegated;
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
  const lines = describeRoot(name, prepared.root, { root: previous }, signatures);
  call.io.stdout.write(`Prepared ${lines.join("\n")}\n\n${nextStep(prepared)}\n`);
  return 0;
}

function nextStep({ path }: RootOnFile): string {
  const file = relative(process.cwd(), path);
  return `Nothing is changed until it is signed: \`skerry keys sign\` here, or \`skerry keys sign FILE --key KEYFILE\` elsewhere with\n  ${file}\nTo give it up, delete that file.`;
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
