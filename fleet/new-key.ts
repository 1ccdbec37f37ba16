/** The key that `skerry keys add` and `rotate` list: somebody else's public half, or one that is made. */

import {
  type CommandCall,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
} from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { Keyring } from "./keyring.ts";
import { createKey, isKeyName, keyFile, type NamedKey, readPublicKey } from "./keys.ts";
import type { Repository } from "./repository.ts";
import type { RootContent } from "./root-changes.ts";

export const NEW_KEY_USAGE = `  --public FILE          somebody else's key, as \`skerry keys new\` wrote it; without it a key is made here
  --name NAME            of the key that is made; default the role's or the old key's name with the next number
  --plain                leave the key that is made in the clear, for a timer that runs skerry refresh
  --threshold N          how many root keys have to sign from then on
${REPOSITORY_USAGE}${KEY_USAGE}`;
export const NEW_KEY_OPTIONS = {
  public: { type: "string" },
  name: { type: "string" },
  plain: { type: "boolean" },
  threshold: { type: "string" },
  ...REPOSITORY_OPTIONS,
  ...KEY_OPTIONS,
} as const;

/** The key that --public names, or a new one beside the others. */
export async function newKey(
  call: CommandCall,
  repository: Repository,
  stem: string,
  content: Pick<RootContent, "names">,
  firstName?: string,
): Promise<NamedKey> {
  const file = call.text("public");
  if (file !== undefined) {
    if (call.text("name") !== undefined)
      throw new FleetError("fleet/usage", "--name goes without --public: the file says it");
    return refuseKnownName(await readPublicKey(file), content);
  }
  const keyring = await Keyring.open(repository);
  const taken = new Set([...content.names.values(), ...keyring.files.map((each) => each.name)]);
  const isFirst = firstName !== undefined && !taken.has(firstName);
  const name = call.text("name") ?? (isFirst ? firstName : nextName(stem, taken));
  if (!isKeyName(name))
    throw new FleetError("fleet/usage", `"${name}" is no key's name: a-z, 0-9 and -, at most 64`);
  const folder = repository.keyAccess?.furtherFolders[0] ?? repository.settings.keysFolder;
  const passphrase = call.flag("plain")
    ? undefined
    : await repository.keyAccess?.passphrases.choose(`the new key ${name}`, "--plain");
  if (passphrase === undefined && !call.flag("plain")) {
    const path = keyFile(folder, name);
    call.io.stderr.write(`warning: ${path} lies in the clear; \`skerry keys passphrase\` encrypts it\n`);
  }
  const { key } = await createKey(folder, name, passphrase);
  call.io.stdout.write(`Made ${keyFile(folder, name)}\n`);
  return { name, key };
}

/** Two keys of one name could not be told apart. */
function refuseKnownName(key: NamedKey, { names }: Pick<RootContent, "names">): NamedKey {
  if (![...names.values()].includes(key.name)) return key;
  throw new FleetError("fleet/usage", `the root names another key ${key.name}: make one with another name`);
}

function nextName(stem: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number++) {
    if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`;
  }
}
