/** What a guest says when it opens a file (`wasi:filesystem/types`, WASI 0.2), and what `open(2)` is told for it. */

import { constants } from "node:fs";
import type { LastLink } from "./resolve.ts";

export interface PathFlags {
  readonly symlinkFollow?: boolean;
}

export interface OpenFlags {
  readonly create?: boolean;
  readonly directory?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
}

export interface DescriptorFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly fileIntegritySync?: boolean;
  readonly dataIntegritySync?: boolean;
  readonly requestedWriteSync?: boolean;
  readonly mutateDirectory?: boolean;
}

/** Whether the last name of a path may be a link that leads on. */
export function following(flags: PathFlags): LastLink {
  return flags.symlinkFollow === true ? "always" : "before-slash";
}

/** @param wantsFolder the path ends with a slash */
export function systemFlags(
  wantsFolder: boolean,
  { create, exclusive, truncate, directory }: OpenFlags,
  flags: DescriptorFlags,
): number {
  const access = flags.write ? (flags.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return (
    access |
    // A named pipe in the folder must not make the module wait for its other end.
    (constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY) |
    (create ? constants.O_CREAT : 0) |
    (exclusive ? constants.O_EXCL : 0) |
    (truncate ? constants.O_TRUNC : 0) |
    (directory || wantsFolder ? constants.O_DIRECTORY : 0) |
    (flags.fileIntegritySync ? constants.O_SYNC : 0) |
    (flags.dataIntegritySync ? constants.O_DSYNC : 0)
  );
}
