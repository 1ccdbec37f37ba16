/**
 * How much of the disk versions and downloads may take, where the device's owner set a bound. Modules' private data is not counted: it
 * has quotas of its own.
 */

import { OtaError } from "./errors.ts";
import { type ReleaseRecord, releaseName } from "./release.ts";
import type { Store } from "./store.ts";
import { formatSize } from "./units.ts";

/**
 * Whether a release fits beside what is there; what of it lies in `incoming` already is counted once. Nothing is asked of one that is
 * there already. `listBytes` is the chunk list with its parts, once its head has told them.
 *
 * @throws OtaError "store/over-budget"
 */
export async function checkBudget(
  store: Store,
  release: ReleaseRecord,
  budgetBytes: number | undefined,
  listBytes: number = release.chunks.length,
): Promise<void> {
  if (budgetBytes === undefined || (await store.hasVersion(release))) {
    return;
  }
  const neededBytes = release.component.length + listBytes + release.manifest.length;
  const usedBytes = await store.usedBytes(release);
  if (usedBytes + neededBytes > budgetBytes) {
    throw new OtaError(
      "store/over-budget",
      `${releaseName(release)} has ${formatSize(neededBytes)}, and ${formatSize(usedBytes)} of the ${formatSize(budgetBytes)} that versions may ` +
        "take are taken: raise storage_budget in device.toml, or assign this device less; the agent tries again",
    );
  }
}

/** Whether room would help: then what nobody needs any more goes first. */
export function isShortOfRoom(error: unknown): boolean {
  return (
    error instanceof OtaError && (error.code === "store/disk-full" || error.code === "store/over-budget")
  );
}
