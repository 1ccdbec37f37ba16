/**
 * All that the OTA side does to a disk, and nothing else: every durable step goes through here, so that a test can cut
 * the power at each of them.
 *
 * What a call promises is what POSIX promises, no more. A write is durable after the file's `sync`, a new name or a
 * removal after `syncDirectory` of the folder that holds it, a rename after that of the folder it went to; a rename is
 * atomic, nothing else is. Without a sync, what was done may be on the medium all the same, in any order and in part.
 * test/support/volatile-disk.ts is a disk that keeps exactly these promises.
 * Every method throws OtaError "store/disk-full" for want of space and "store/io" for anything else.
 */

/** An open file. Close it in a `finally`. */
export interface DiskFile {
  /** Fills `target` from a position; gives the bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` at a position; a gap before it reads as zeros. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** Returns once contents and size are on the medium. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** `read`: must exist. `create`: empty, whatever was there. `update`: kept as it is, made if absent; both read and write. */
export type OpenMode = "read" | "create" | "update";

/** What stands under a name; links and special files are `other` and are never followed. */
export type DiskEntry = { readonly kind: "file" | "directory" | "other"; readonly sizeBytes: number };

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** What stands at a path, undefined if nothing does. */
  entry(path: string): Promise<DiskEntry | undefined>;
  /** Names in a folder, unordered; none if the folder is not there. */
  list(path: string): Promise<string[]>;
  /** Makes one folder, private to the agent; one that is there is fine. The folder above must exist. */
  makeDirectory(path: string): Promise<void>;
  /** Atomic; replaces a file at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; nothing there is fine. */
  remove(path: string): Promise<void>;
  /** Makes the folder's names durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that an unprivileged process may still write where `path` lies. */
  freeBytes(path: string): Promise<number>;
}
