/**
 * A pin for a device that nobody has heard of: mistyped, or meant for one that is not there yet. Nobody can tell, so it is made, and told.
 */

import { nearestName } from "../ota/nearest-name.ts";
import type { BrokerAddress } from "./broker.ts";
import { readDevices } from "./devices.ts";
import { FleetError } from "./errors.ts";
import type { Repository } from "./repository.ts";

/** What is known of a pin, and where more can be learned. */
export interface Pin {
  readonly module: string;
  readonly device: string;
  /** Devices that anything was pinned to before. */
  readonly pinnedUntilNow: readonly string[];
  /** Undefined if the broker is not to be asked: then only what resembles a known name is told. */
  readonly address: BrokerAddress | undefined;
}

/** What to tell a person of it; undefined if the device is known, or nothing can be said. */
export async function unknownDeviceNote(repository: Repository, pin: Pin): Promise<string | undefined> {
  const { module, device, pinnedUntilNow, address } = pin;
  if (pinnedUntilNow.includes(device)) return undefined;
  const heard = address === undefined ? [] : await heardDevices(repository, address, device);
  if (heard === undefined || heard.includes(device)) return undefined;
  const nearest = nearestName(device, [...heard, ...pinnedUntilNow]);
  if (nearest === undefined && address === undefined) return undefined;
  const meant = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  const unheard = address === undefined ? "nothing was pinned to it before" : "it has never reported";
  return (
    `note: no device ${device} is known: ${unheard}.${meant} If it is one to come, it gets the release when it connects; ` +
    `\`skerry assign ${module} --device ${device} --unpin\` takes the pin back`
  );
}

/** The device alone if the broker knows it, otherwise all that it knows; undefined where that is not for us to read. */
async function heardDevices(
  repository: Repository,
  address: BrokerAddress,
  device: string,
): Promise<readonly string[] | undefined> {
  try {
    const found = await readDevices(repository, address, device);
    const rows = found.length > 0 ? found : await readDevices(repository, address);
    return rows.map((row) => row.device);
  } catch (error) {
    // The pin is made: a broker that shows an operator no devices, or goes away now, makes no failure of it.
    if (error instanceof FleetError) return undefined;
    throw error;
  }
}
