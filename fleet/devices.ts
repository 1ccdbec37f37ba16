/** Who runs what, from the retained status and state of every device. */

import { isDeviceId } from "../ota/names.ts";
import { type BrokerAddress, connectBroker } from "./broker.ts";
import { type DeviceStatus, type ModuleState, parseState, parseStatus } from "./device-messages.ts";
import { MAX_DEVICES } from "./limits.ts";
import type { Repository } from "./repository.ts";
import { readRetained } from "./retained.ts";
import { FleetTopics } from "./topics.ts";

/** One device; `status` is null if it never said anything that we understand. */
export interface DeviceRow {
  readonly device: string;
  readonly status: DeviceStatus | null;
  readonly modules: readonly ModuleState[];
}

/** Reads the table, sorted by device, or a part of it: whether `only` has ever said anything. Throws FleetError "fleet/broker-…". */
export async function readDevices(
  repository: Repository,
  address: BrokerAddress,
  only?: string,
): Promise<readonly DeviceRow[]> {
  const topics = new FleetTopics(repository.settings.fleet);
  const rows = new Map<string, DeviceRow>();
  const connection = await connectBroker(address);
  try {
    const request = {
      filters: [topics.devices("status", only), topics.devices("state", only)],
      ...(only === undefined ? {} : { expected: 1 }),
      marker: topics.metadata("image", "1.root"),
    };
    await readRetained(connection, request, (topic, payload) => {
      const source = topics.parseDeviceTopic(topic);
      if (source === undefined || !isDeviceId(source.device)) return;
      const row = rows.get(source.device) ?? { device: source.device, status: null, modules: [] };
      if (rows.size >= MAX_DEVICES && !rows.has(source.device)) return;
      rows.set(source.device, withMessage(row, source.kind, payload));
    });
  } finally {
    await connection.end();
  }
  return [...rows.values()].toSorted((left, right) => (left.device < right.device ? -1 : 1));
}

function withMessage(row: DeviceRow, kind: string, payload: Uint8Array): DeviceRow {
  if (kind === "status") return { ...row, status: parseStatus(payload) ?? row.status };
  return { ...row, modules: parseState(payload)?.modules ?? row.modules };
}
