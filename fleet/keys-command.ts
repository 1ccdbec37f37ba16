/** `skerry keys`: who may decide what the devices run. */

import type { FleetCommand } from "./command-line.ts";
import { FleetError } from "./errors.ts";

export const keysCommand: FleetCommand = {
  usage: `usage: skerry keys <command> [options]

  init        create the repository folder of a fleet, with its keys
  list        the keys of both repositories: who may sign what, and which key files are here
  show        tell what a root or a key file is:  skerry keys show image-2.root.json

A root lists the keys. It changes in two steps, a next root that is prepared, and signatures on it:

  add         prepare a root with one more key:  skerry keys add --repository image --role root
  rotate      prepare a root with a new key in the place of one:  skerry keys rotate image-online
  revoke      prepare a root without a key:  skerry keys revoke image-root-2
  renew       prepare the same root with a later expiry
  sign        sign what was prepared; with enough signatures the repository takes it

A team of publishers has a role of its own in the image repository; these are signed with the image targets' key, at once:

  add         delegate modules to a team:  skerry keys add --role acme --paths 'acme/*'
  bins        spread the releases over several files:  skerry keys bins 16

  new         make a key for somebody else's root, on a machine of its own:  skerry keys new image-root-4
  passphrase  change the passphrase of a key file

skerry keys <command> --help tells its options.
`,
  options: {},
  positionals: [],
  subcommands: {
    init: async () => (await import("./keys-init-command.ts")).keysInitCommand,
    list: async () => (await import("./keys-show-commands.ts")).keysListCommand,
    show: async () => (await import("./keys-show-commands.ts")).keysShowCommand,
    add: async () => (await import("./keys-change-commands.ts")).keysAddCommand,
    rotate: async () => (await import("./keys-change-commands.ts")).keysRotateCommand,
    revoke: async () => (await import("./keys-change-commands.ts")).keysRevokeCommand,
    renew: async () => (await import("./keys-change-commands.ts")).keysRenewCommand,
    bins: async () => (await import("./keys-bins-command.ts")).keysBinsCommand,
    sign: async () => (await import("./keys-sign-command.ts")).keysSignCommand,
    new: async () => (await import("./keys-file-commands.ts")).keysNewCommand,
    passphrase: async () => (await import("./keys-file-commands.ts")).keysPassphraseCommand,
  },
  run: async () => {
    throw new FleetError("fleet/usage", "the command is missing: init, list, show, add, rotate …");
  },
};
