/** `skerry refresh` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  type CommandCall,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { refreshRepository } from "./refresh.ts";
import { sendChange } from "./synchronize.ts";

export const refreshCommand: FleetCommand = {
  usage: `usage: skerry refresh [options]

Signs again what comes near its expiry, as far as the keys are here, and makes the broker hold it. For a
daily timer.

  --force                sign snapshot and timestamp whatever time is left
  --no-sync              change the folder only
${REPOSITORY_USAGE}${KEY_USAGE}${BROKER_USAGE}`,
  options: {
    force: { type: "boolean" },
    "no-sync": { type: "boolean" },
    ...REPOSITORY_OPTIONS,
    ...KEY_OPTIONS,
    ...BROKER_OPTIONS,
  },
  positionals: [],
  run: runRefresh,
};

async function runRefresh(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const { signed, warnings } = await refreshRepository(repository, { force: call.flag("force") });
  for (const warning of warnings) call.io.stderr.write(`warning: ${warning}\n`);
  for (const { repository: name, role } of signed) call.io.stdout.write(`signed ${name}/${role}.json\n`);
  if (signed.length === 0) call.io.stdout.write("nothing is near its expiry\n");
  if (call.flag("no-sync")) return 0;
  // Metadata only: `skerry sync` compares the chunks too.
  await sendChange(call, repository, { withBlobs: false });
  return 0;
}
