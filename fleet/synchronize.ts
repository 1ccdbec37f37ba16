/** The folder onto the broker: plan, connect, sync, and one line that says what it came to. */

import { type BrokerAddress, connectBroker } from "./broker.ts";
import { brokerAddressOf, type CommandCall, count, type TextOutput } from "./command-line.ts";
import { FleetError, type FleetErrorCode } from "./errors.ts";
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

/** Failures of the broker and the way to it, which pass: what is in the folder reaches it with the next sync. */
const PASSING: ReadonlySet<FleetErrorCode> = new Set([
  "fleet/usage",
  "fleet/io",
  "fleet/broker-unreachable",
  "fleet/broker-refused",
  "fleet/broker-tls",
  "fleet/broker-denied",
  "fleet/broker-lost",
  "fleet/broker-timeout",
  "fleet/broker-not-retaining",
]);

/** Brings a change that was made in the folder to the broker, and tells what that came to. Throws FleetError, which says what sends it later. Gives the broker's address. */
export async function sendChange(
  call: CommandCall,
  repository: Repository,
  options: PlanOptions & SyncOptions,
): Promise<BrokerAddress> {
  try {
    const address = await brokerAddressOf(call, repository);
    printSyncReport(call.io.stdout, address, await syncRepository(repository, address, options));
    return address;
  } catch (error) {
    if (!(error instanceof FleetError) || !PASSING.has(error.code)) throw error;
    const message = `${error.message}. The folder is up to date: \`skerry sync\` sends what it has, when that is mended`;
    throw new FleetError(error.code, message, { cause: error });
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
