/** The folder onto the broker: plan, connect, sync, and one line that says what it came to. */

import { type BrokerAddress, connectBroker } from "./broker.ts";
import { count, type TextOutput } from "./command-line.ts";
import type { Repository } from "./repository.ts";
import { type SyncOptions, type SyncReport, syncBroker } from "./sync.ts";
import { type PlanOptions, planSync } from "./sync-plan.ts";

/** Makes the broker hold what the folder says, or the part of it that `options` names. Throws FleetError. */
export async function syncRepository(
  repository: Repository,
  address: BrokerAddress,
  options: PlanOptions & SyncOptions = {},
): Promise<SyncReport> {
  const plan = await planSync(repository, options);
  const connection = await connectBroker(address);
  try {
    return await syncBroker(connection, plan, options);
  } finally {
    await connection.end();
  }
}

/** Tells a person what a sync did. */
export function printSyncReport(output: TextOutput, address: BrokerAddress, report: SyncReport): void {
  const { blobsTotal, blobsPublished, blobBytesPublished, metadataPublished, rootsCleared } = report;
  if (blobsPublished + metadataPublished.length + rootsCleared.length === 0) {
    const what = blobsTotal === 0 ? "the metadata" : `the metadata and ${count(blobsTotal, "blob")}`;
    output.write(`${address.url}: nothing to publish, it holds ${what}; verified by reading back\n`);
    return;
  }
  const blobs =
    blobsTotal === 0
      ? ""
      : `${blobsPublished} of ${count(blobsTotal, "blob")} new to it (${count(blobBytesPublished, "byte")}), `;
  const metadata =
    metadataPublished.length === 0 ? "no metadata" : count(metadataPublished.length, "metadata file");
  const cleared =
    rootsCleared.length === 0 ? "" : `, ${count(rootsCleared.length, "forged root")} taken away`;
  output.write(`${address.url}: ${blobs}${metadata} published${cleared}; verified by reading back\n`);
}
