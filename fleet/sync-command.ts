/** `skerry sync` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  brokerAddressOf,
  type CommandCall,
  type FleetCommand,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { printSyncReport, syncRepository } from "./synchronize.ts";

export const syncCommand: FleetCommand = {
  usage: `usage: skerry sync [options]

Makes the broker hold what the folder says: compares every message, publishes what is missing or different, reads
back. A broker that lost everything is refilled.

  --force                replace metadata on the broker that was signed with the fleet's keys and is newer than the folder's
${REPOSITORY_USAGE}${BROKER_USAGE}`,
  options: { force: { type: "boolean" }, ...REPOSITORY_OPTIONS, ...BROKER_OPTIONS },
  positionals: [],
  run: runSync,
};

async function runSync(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const address = await brokerAddressOf(call, repository);
  const report = await syncRepository(repository, address, { force: call.flag("force") });
  printSyncReport(call.io.stdout, address, report);
  return 0;
}
