/** `skerry keys init` */

import { type CommandCall, type FleetCommand, passphrasesOf, wholeNumber } from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { type InitResult, initRepository } from "./init.ts";
import { openRepository, REPOSITORY_NAMES } from "./repository.ts";

export const keysInitCommand: FleetCommand = {
  usage: `usage: skerry keys init [DIR] [--fleet NAME] [--broker URL] [options]

Creates the repository folder of a fleet (default: the current folder) with its keys. Nothing is
ever overwritten.

  --fleet NAME           name of the fleet; default demo
  --broker URL           default mqtt://127.0.0.1:1883
  --from DIR             take over the settings, releases and assignments of another repository folder, under new keys: for
                         when its root keys were stolen or lost. Devices need the new roots, by hand
  --root-keys N          root keys of each repository; default 1
  --threshold M          how many of them have to sign a next root; default more than half
  --passphrase-file FILE the keys are encrypted; else with SKERRY_KEY_PASSPHRASE, else with what is typed at the terminal
  --plain-online         leave the online keys in the clear, for a timer that runs skerry refresh
  --no-passphrase        leave all keys in the clear; without it and without a passphrase no key is made
`,
  options: {
    fleet: { type: "string" },
    broker: { type: "string" },
    from: { type: "string" },
    "root-keys": { type: "string" },
    threshold: { type: "string" },
    "passphrase-file": { type: "string" },
    "plain-online": { type: "boolean" },
    "no-passphrase": { type: "boolean" },
  },
  positionals: [],
  optionalPositionals: 1,
  run: runInit,
};

async function runInit(call: CommandCall): Promise<number> {
  const [folder = "."] = call.positionals;
  const fleet = call.text("fleet");
  const brokerUrl = call.text("broker");
  const rootKeys = wholeNumber(call, "root-keys");
  const threshold = wholeNumber(call, "threshold");
  const from = call.text("from");
  if (from !== undefined && (fleet !== undefined || brokerUrl !== undefined)) {
    throw new FleetError("fleet/usage", "--from goes without --fleet and --broker: they are taken over");
  }
  const passphrase = await choosePassphrase(call);
  const onlinePassphrase = call.flag("plain-online") ? undefined : passphrase;
  const result = await initRepository({
    folder,
    ...(fleet === undefined ? {} : { fleet }),
    ...(brokerUrl === undefined ? {} : { brokerUrl }),
    ...(from === undefined ? {} : { from: await openRepository(from) }),
    ...(rootKeys === undefined ? {} : { rootKeys }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(onlinePassphrase === undefined ? {} : { onlinePassphrase }),
  });
  call.io.stdout.write(`${reportLines(result, passphrase !== undefined).join("\n")}\n`);
  return 0;
}

async function choosePassphrase(call: CommandCall): Promise<string | undefined> {
  if (call.flag("no-passphrase")) {
    if (call.text("passphrase-file") === undefined) return undefined;
    throw new FleetError("fleet/usage", "--no-passphrase goes without --passphrase-file");
  }
  const passphrase = await (await passphrasesOf(call)).choose("the keys", "--no-passphrase");
  if (passphrase === undefined) {
    call.io.stderr.write(
      "warning: the keys lie in the clear: whoever reads the folder can sign. `skerry keys passphrase` encrypts a key; --no-passphrase says that it is meant so\n",
    );
  }
  return passphrase;
}

function reportLines({ repository, roots, offlineKeyFiles }: InitResult, isEncrypted: boolean): string[] {
  const { folder, settings } = repository;
  return [
    `Created ${folder} for fleet "${settings.fleet}" (broker ${settings.broker.url}).`,
    "",
    "Copy to every device, as [trust] image_root and director_root:",
    ...REPOSITORY_NAMES.map((name) => `  ${roots[name]}`),
    "",
    `Keep offline, with a copy in another place${isEncrypted ? " and the passphrase in a third" : ""} (who has them decides what your devices run):`,
    ...offlineKeyFiles.map((path) => `  ${path}`),
    "",
    "Next: skerry publish <component.wasm> --manifest module.toml",
  ];
}
