/** A module's private folder, as the sandbox is told of it. */
import type { ModuleFolder } from "../sandbox/module-spec.ts";
import { MAX_DATA_ENTRIES } from "./limits.ts";

/** What a module calls its private folder. */
export const DATA_FOLDER = "/data";

/** @param storageBytes what was requested and granted */
export function dataFolder(hostPath: string, storageBytes: number): ModuleFolder {
  return {
    hostPath,
    guestPath: DATA_FOLDER,
    quota: { maxBytes: storageBytes, maxEntries: MAX_DATA_ENTRIES },
  };
}
