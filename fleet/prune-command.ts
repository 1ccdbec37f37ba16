/** `skerry prune` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  brokerAddressOf,
  type CommandCall,
  count,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { type PruneReport, pruneRepository } from "./prune.ts";
import { nameOf } from "./prune-plan.ts";

/** Releases in one call. */
const MAX_NAMED = 64;

export const pruneCommand: FleetCommand = {
  usage: `usage: skerry prune [MODULE@VERSION ...] [--keep N] [options]

Withdraws what no device needs: unpublishes the releases that are named, and clears the chunks of unpublished releases from the broker.
A release stays that is assigned or pinned to anybody, or that a device has or should have. A bad release that is not may be withdrawn by its name,
the newest of its module as well.

  --keep N               unpublishes all but the N newest releases of each module
  --files                removes the folders of unpublished releases as well
  --dry-run              says what would go, and changes nothing
${REPOSITORY_USAGE}${KEY_USAGE}${BROKER_USAGE}`,
  options: {
    keep: { type: "string" },
    files: { type: "boolean" },
    "dry-run": { type: "boolean" },
    ...REPOSITORY_OPTIONS,
    ...KEY_OPTIONS,
    ...BROKER_OPTIONS,
  },
  positionals: [],
  optionalPositionals: MAX_NAMED,
  run: runPrune,
};

async function runPrune(call: CommandCall): Promise<number> {
  const keep = keepOf(call.text("keep"));
  const repository = await repositoryOf(call);
  const address = await brokerAddressOf(call, repository);
  const options = { named: call.positionals, keep, files: call.flag("files"), dryRun: call.flag("dry-run") };
  const report = await pruneRepository(repository, address, options);
  call.io.stdout.write(reportText(report, options, address.url));
  return 0;
}

function keepOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new FleetError("fleet/usage", `--keep ${text}: a number from 1 up is expected`);
  }
  return Number(text);
}

function reportText(
  report: PruneReport,
  { files, dryRun }: { readonly files: boolean; readonly dryRun: boolean },
  url: string,
): string {
  const would = dryRun ? "would be " : "";
  const lines = [
    ...report.unpublish.map((release) => `${nameOf(release)}: ${would}unpublished`),
    ...report.needed.map(({ release, reason }) => `${nameOf(release)}: stays, ${reason}`),
  ];
  const { blobs, blobBytes, blobsShared, folders } = report;
  const shared =
    blobsShared === 0 ? "" : `; ${count(blobsShared, "blob")} of theirs that other releases have stay`;
  lines.push(
    blobs === 0
      ? `${url}: holds nothing of unpublished releases${shared}`
      : `${url}: ${count(blobs, "blob")} ${would}withdrawn, ${count(blobBytes, "byte")} freed${shared}`,
  );
  if (folders.length > 0) {
    const what = files ? `${would}removed` : "left in the folder, --files removes them";
    lines.push(`${count(folders.length, "unpublished release")} ${what}: ${folders.join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}
