/** `skerry keys new` and `skerry keys passphrase`: key files, without a repository. */

import { resolve } from "node:path";
import { type CommandCall, type FleetCommand, passphrasesOf } from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { makeFolder } from "./files.ts";
import { isEncrypted } from "./keyring.ts";
import {
  changePassphrase,
  createKey,
  isKeyName,
  keyFile,
  publicKeyFile,
  readKeyFile,
  writePublicKey,
} from "./keys.ts";

export const keysNewCommand: FleetCommand = {
  usage: `usage: skerry keys new NAME [--out DIR] [options]

Makes a key on the machine of whoever keeps it: NAME.json, which stays there, and NAME.pub.json for
\`skerry keys add --public\` or \`skerry keys rotate --public\`.

  --out DIR              default the current folder
  --passphrase-file FILE encrypts it; else SKERRY_KEY_PASSPHRASE, else it is asked for at the terminal
  --plain                leave the key in the clear
`,
  options: { out: { type: "string" }, "passphrase-file": { type: "string" }, plain: { type: "boolean" } },
  positionals: ["the key's name, such as image-root-4"],
  run: runNew,
};

export const keysPassphraseCommand: FleetCommand = {
  usage: `usage: skerry keys passphrase KEYFILE [options]

Changes the passphrase of a key file, or gives it one.

  --passphrase-file FILE the old one; else SKERRY_KEY_PASSPHRASE, else it is asked for at the terminal
  --new-passphrase-file FILE
                         the new one; else it is asked for at the terminal
  --none                 leave the key in the clear, for a timer that has nobody to ask
`,
  options: {
    "passphrase-file": { type: "string" },
    "new-passphrase-file": { type: "string" },
    none: { type: "boolean" },
  },
  positionals: ["the key file"],
  run: runPassphrase,
};

async function runNew(call: CommandCall): Promise<number> {
  const [name = ""] = call.positionals;
  if (!isKeyName(name))
    throw new FleetError("fleet/usage", `"${name}" is no key's name: a-z, 0-9 and -, at most 64`);
  const folder = resolve(call.text("out") ?? ".");
  const passphrase = await choosePassphrase(call, name);
  await makeFolder(folder, 0o700);
  const { key } = await createKey(folder, name, passphrase);
  await writePublicKey(publicKeyFile(folder, name), { name, key });
  const secret = `${keyFile(folder, name)}${passphrase === undefined ? " (in the clear)" : ""}`;
  call.io.stdout.write(
    `Made ${name}, id ${key.keyId}\n  keep:     ${secret}\n  hand out: ${publicKeyFile(folder, name)}\n`,
  );
  return 0;
}

async function choosePassphrase(call: CommandCall, name: string): Promise<string | undefined> {
  if (!call.flag("plain")) return (await passphrasesOf(call)).choose(`the key ${name}`, "--plain");
  if (call.text("passphrase-file") === undefined) return undefined;
  throw new FleetError("fleet/usage", "--plain goes without --passphrase-file");
}

async function runPassphrase(call: CommandCall): Promise<number> {
  const [path = ""] = call.positionals;
  const file = await readKeyFile(resolve(path));
  const old = await passphrasesOf(call);
  const isPlain = call.flag("none");
  if (isPlain && call.text("new-passphrase-file") !== undefined) {
    throw new FleetError("fleet/usage", "--none goes without --new-passphrase-file");
  }
  const passphrase = isPlain ? undefined : await newPassphrase(call, file.name);
  await changePassphrase(file, old, passphrase);
  call.io.stdout.write(
    isPlain ? `${file.path} lies in the clear now\n` : `${file.path} is encrypted with the new passphrase\n`,
  );
  if (isPlain && !isEncrypted(file)) call.io.stdout.write("It was so before, too\n");
  return 0;
}

async function newPassphrase(call: CommandCall, name: string): Promise<string> {
  const withoutOld = { ...call, io: { ...call.io, env: {} } };
  const passphrases = await passphrasesOf(withoutOld, "new-passphrase-file");
  const passphrase = passphrases.isAvailable
    ? await passphrases.choose(`the key ${name}`, "--none")
    : undefined;
  if (passphrase !== undefined) return passphrase;
  throw new FleetError(
    "fleet/usage",
    "the new passphrase is missing: --new-passphrase-file, or --none for a key in the clear",
  );
}
