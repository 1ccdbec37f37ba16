/** `wasi:filesystem` (WASI 0.2) for one module: its folders, and the types that lead on from them. */

import type { WorkerStart } from "../../channel.ts";
import type { ModuleSession } from "../../module-session.ts";
import type { Polling } from "../poll.ts";
import { Descriptor } from "./descriptor.ts";
import { DirectoryEntryStream } from "./directory-entries.ts";
import { FilesystemContext, OpenFolder } from "./open-folder.ts";
import { filesystemErrorCode } from "./streams.ts";

export interface Filesystem {
  readonly types: object;
  readonly preopens: { getDirectories(): [Descriptor, string][] };
  /** The folder with a quota, which the agent keeps for the module; undefined if it has none. */
  readonly privateFolder: Descriptor | undefined;
}

/** Opens the folders. @throws SandboxError `sandbox/folder-unusable` */
export function createFilesystem(
  session: ModuleSession,
  polling: Polling,
  { folders, writtenBytesPerSecond }: Pick<WorkerStart, "folders" | "writtenBytesPerSecond">,
): Filesystem {
  const context = new FilesystemContext(session, polling, writtenBytesPerSecond);
  const open = folders.map((folder) => new OpenFolder(context, folder));
  const privateIndex = folders.findIndex(({ quota }) => quota !== undefined);
  const kept = open[privateIndex];
  return {
    privateFolder: kept && Descriptor.ofRoot(kept),
    types: { Descriptor, DirectoryEntryStream, filesystemErrorCode },
    preopens: {
      getDirectories: () => open.map((folder) => [Descriptor.ofRoot(folder), folder.guestPath]),
    },
  };
}
