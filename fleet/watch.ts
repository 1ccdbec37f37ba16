/** Follows the fleet: every event and every coming and going of a device, as it happens. */

import { setTimeout as delay } from "node:timers/promises";
import { isDeviceId } from "../ota/names.ts";
import { type BrokerAddress, type BrokerConnection, connectBroker } from "./broker.ts";
import { type DeviceEvent, type DeviceStatus, parseEvent, parseStatus } from "./device-messages.ts";
import { FleetError } from "./errors.ts";
import { RECONNECT_DELAY_MS } from "./limits.ts";
import type { Repository } from "./repository.ts";
import { FleetTopics } from "./topics.ts";

/** Whose message it is says the topic, which the broker guards, not the message. */
export type FleetNews =
  | { readonly kind: "event"; readonly device: string; readonly event: DeviceEvent }
  | { readonly kind: "status"; readonly device: string; readonly status: DeviceStatus };

export interface WatchOptions {
  readonly onNews: (news: FleetNews) => void;
  /** The subscription stands: what happens from now on is told. */
  readonly onConnected?: () => void;
  /** The connection broke; it is made again. */
  readonly onDisconnected?: (error: FleetError) => void;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the signal is aborted. Throws FleetError if the first connection fails; later ones are tried
 * again.
 */
export async function watchFleet(
  repository: Repository,
  address: BrokerAddress,
  options: WatchOptions,
): Promise<void> {
  let connection = await connectBroker(address);
  while (!options.signal.aborted) {
    try {
      await followUntilAborted(repository, connection, options);
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      options.onDisconnected?.(error);
    } finally {
      await connection.end();
    }
    const next = await reconnect(address, options.signal);
    if (next === undefined) return;
    connection = next;
  }
  await connection.end();
}

async function followUntilAborted(
  repository: Repository,
  connection: BrokerConnection,
  { onNews, onConnected, signal }: WatchOptions,
): Promise<void> {
  const topics = new FleetTopics(repository.settings.fleet);
  const filters = [topics.devices("event"), topics.devices("status")];
  await connection.subscribe(filters, (topic, payload, retained) => {
    const source = topics.parseDeviceTopic(topic);
    // What was retained is the past; `skerry devices` shows it.
    if (source === undefined || retained || !isDeviceId(source.device)) return;
    const news = parseNews(source.device, source.kind, payload);
    if (news !== undefined) onNews(news);
  });
  onConnected?.();
  await connection.whileConnected(aborted(signal));
}

function parseNews(device: string, kind: string, payload: Uint8Array): FleetNews | undefined {
  if (kind === "status") {
    const status = parseStatus(payload);
    return status && { kind, device, status };
  }
  const event = parseEvent(payload);
  return event && { kind: "event", device, event };
}

/** Tries until there is a connection; undefined when the signal is aborted first. */
async function reconnect(address: BrokerAddress, signal: AbortSignal): Promise<BrokerConnection | undefined> {
  while (!signal.aborted) {
    try {
      await delay(RECONNECT_DELAY_MS, undefined, { signal });
      return await connectBroker(address);
    } catch (error) {
      // Aborted while waiting, or the broker is not back yet.
      if (!signal.aborted && !(error instanceof FleetError)) throw error;
    }
  }
  return undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
