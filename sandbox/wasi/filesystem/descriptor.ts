/**
 * `wasi:filesystem/types.descriptor` and `directory-entry-stream` (WASI 0.2), on Linux.
 *
 * Each descriptor holds one of the system's, and what a call means is the system's: POSIX's `openat` and its kin, with
 * its error codes. Paths go through `resolve.ts`. A folder that was opened below another may be changed as that one may:
 * libc does not ask for `mutate-directory` when it opens one. Every call returns at once; nothing here waits.
 */

import {
  type BigIntStats,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { basename } from "node:path";
import { MAX_FOLDER_DEPTH_LEVELS, WRITTEN_PAGE_BYTES } from "../../limits.ts";
import type { InputStream, OutputStream } from "../streams.ts";
import { heightOf } from "./depth.ts";
import { DirectoryEntryStream } from "./directory-entries.ts";
import { FilesystemError, unless } from "./error-code.ts";
import { checkedOffset, FileContent } from "./file-content.ts";
import {
  type DescriptorStat,
  type DescriptorType,
  descriptorStat,
  identity,
  metadataHash,
  type NewTimestamp,
  newTimes,
  secondsOf,
  typeOf,
} from "./metadata.ts";
import {
  type DescriptorFlags,
  following,
  type OpenFlags,
  type PathFlags,
  systemFlags,
} from "./open-flags.ts";
import { OpenFolder } from "./open-folder.ts";
import { type LastLink, type Place, readLink, withPlace } from "./resolve.ts";
import { fileInput, fileOutput } from "./streams.ts";

/** What `open` makes a descriptor of. */
interface Opened {
  readonly folder: OpenFolder;
  readonly file: number;
  readonly type: DescriptorType;
  readonly flags: DescriptorFlags;
}

export class Descriptor {
  readonly #folder: OpenFolder;
  readonly #file: number;
  readonly #content: FileContent;
  readonly #type: DescriptorType;
  readonly #flags: DescriptorFlags;

  constructor({ folder, file, type, flags }: Opened) {
    // A component may reach this by itself, as `[constructor]descriptor`, with a record of its own and any number for a file.
    if (!(folder instanceof OpenFolder)) throw new TypeError("a descriptor is opened in a granted folder");
    this.#folder = folder;
    this.#file = file;
    const { fileIntegritySync = false, dataIntegritySync = false } = flags;
    this.#content = new FileContent(folder, file, fileIntegritySync || dataIntegritySync);
    this.#type = type;
    this.#flags = flags;
  }

  /** A granted folder itself. Any number of them share the one that is open. */
  static ofRoot(folder: OpenFolder): Descriptor {
    return new Descriptor({
      folder,
      file: folder.root,
      type: "directory",
      flags: { read: true, mutateDirectory: true },
    });
  }

  readViaStream(offset: bigint): InputStream {
    return this.#call(() => {
      this.#requireReadable();
      return fileInput(this.#folder.context, this.#content, checkedOffset(offset));
    });
  }

  writeViaStream(offset: bigint): OutputStream {
    return this.#call(() => {
      this.#requireWritable();
      return fileOutput(this.#folder.context, this.#content, checkedOffset(offset));
    });
  }

  appendViaStream(): OutputStream {
    return this.#call(() => {
      this.#requireWritable();
      return fileOutput(this.#folder.context, this.#content, undefined);
    });
  }

  /** Advice is taken, and not acted on. */
  advise(offset: bigint, length: bigint, _advice: string): void {
    this.#call(() => {
      if (this.#type === "directory") throw new FilesystemError("bad-descriptor");
      checkedOffset(offset);
      checkedOffset(length);
    });
  }

  syncData(): void {
    this.#call(() => this.#content.sync("data"));
  }

  sync(): void {
    this.#call(() => this.#content.sync("all"));
  }

  getFlags(): DescriptorFlags {
    return this.#call(() => this.#flags);
  }

  getType(): DescriptorType {
    return this.#call(() => this.#type);
  }

  setSize(size: bigint): void {
    this.#call(() => {
      this.#requireWritable();
      this.#content.resize(size);
    });
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): void {
    this.#call(() => {
      const { exactTimes } = this.#folder.context;
      const times = newTimes(exactTimes.of(this.#content.stats()), access, modification);
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      futimesSync(this.#file, secondsOf(times.accessNs), secondsOf(times.modificationNs));
      exactTimes.remember(this.#content.stats(), times);
    });
  }

  read(length: bigint, offset: bigint): [Uint8Array, boolean] {
    return this.#call(() => {
      this.#requireReadable();
      const bytes = this.#content.readAt(length, checkedOffset(offset));
      // Of no bytes, too: preview 1's adapter takes nothing without the end for an interruption.
      return [bytes, bytes.byteLength === 0];
    });
  }

  write(buffer: Uint8Array, offset: bigint): bigint {
    return this.#call(() => {
      this.#requireWritable();
      return BigInt(this.#content.write(buffer, checkedOffset(offset)));
    });
  }

  readDirectory(): DirectoryEntryStream {
    return this.#call(() => {
      this.#requireDirectory();
      return new DirectoryEntryStream(this.#folder.context, this.#file);
    });
  }

  createDirectoryAt(path: string): void {
    this.#at(path, "never", ({ systemPath, folder }) => {
      this.#folder.requireDepth(folder, 0);
      this.#takeName(systemPath, 1);
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      mkdirSync(systemPath);
    });
  }

  stat(): DescriptorStat {
    return this.#call(() => this.#describe(this.#content.stats()));
  }

  statAt(pathFlags: PathFlags, path: string): DescriptorStat {
    return this.#at(path, following(pathFlags), (place) => this.#describe(statsOf(place)));
  }

  setTimesAt(pathFlags: PathFlags, path: string, access: NewTimestamp, modification: NewTimestamp): void {
    this.#at(path, following(pathFlags), (place) => {
      const { exactTimes } = this.#folder.context;
      const times = newTimes(exactTimes.of(statsOf(place)), access, modification);
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      lutimesSync(place.systemPath, secondsOf(times.accessNs), secondsOf(times.modificationNs));
      exactTimes.remember(statsOf(place), times);
    });
  }

  linkAt(oldPathFlags: PathFlags, oldPath: string, newDescriptor: Descriptor, newPath: string): void {
    // Other hosts do not follow here either; nobody's libc asks for it.
    if (oldPathFlags.symlinkFollow === true) throw new FilesystemError("invalid");
    this.#between(oldPath, "before-slash", newDescriptor, newPath, (from, to) => {
      const stats = statsOf(from);
      requireNameForFile(to);
      newDescriptor.#takeName(to.systemPath, 1);
      // The agent copies the folder name by name: each has the file's bytes again, or the link's text.
      if (!stats.isDirectory()) newDescriptor.#folder.take(Number(stats.size));
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      linkSync(from.systemPath, to.systemPath);
    });
  }

  openAt(pathFlags: PathFlags, path: string, openFlags: OpenFlags, flags: DescriptorFlags): Descriptor {
    const { create = false, exclusive = false, truncate = false, directory = false } = openFlags;
    if (directory && (create || exclusive || truncate)) throw new FilesystemError("invalid");
    // With both of them a link that stands there already is in the way, wherever it leads.
    const lastLink = create && exclusive ? "before-slash" : following(pathFlags);
    return this.#at(path, lastLink, (place) => {
      if (place.wantsFolder && create) throw new FilesystemError("is-directory");
      if (create) this.#takeName(place.systemPath, 1);
      if (create || truncate) this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      const system = systemFlags(place.wantsFolder, openFlags, flags);
      const file = this.#folder.context.opening(() => openSync(place.systemPath, system));
      this.#folder.openFiles.add(file);
      const type = this.#typeOfOpened(file);
      const kept = type === "directory" ? { ...flags, mutateDirectory: true } : flags;
      return new Descriptor({ folder: this.#folder, file, type, flags: kept });
    });
  }

  readlinkAt(path: string): string {
    return this.#at(path, "before-slash", (place) => {
      if (place.wantsFolder) statsOf(place);
      const target = readLink(place.systemPath);
      if (target.startsWith("/")) throw new FilesystemError("not-permitted");
      return target;
    });
  }

  removeDirectoryAt(path: string): void {
    this.#at(path, "never", ({ systemPath }) => {
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      rmdirSync(systemPath);
    });
  }

  renameAt(oldPath: string, newDescriptor: Descriptor, newPath: string): void {
    this.#between(oldPath, "never", newDescriptor, newPath, (from, to) => {
      const isFolder = lstatSync(from.systemPath).isDirectory();
      if (!isFolder && (from.wantsFolder || to.wantsFolder)) throw new FilesystemError("not-directory");
      if (isFolder && this.#folder.quota !== undefined) {
        this.#folder.requireDepth(to.folder, heightOf(from.systemPath, MAX_FOLDER_DEPTH_LEVELS));
      }
      newDescriptor.#takeName(to.systemPath, 0);
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      renameSync(from.systemPath, to.systemPath);
    });
  }

  symlinkAt(oldPath: string, newPath: string): void {
    if (oldPath.startsWith("/")) throw new FilesystemError("not-permitted");
    if (oldPath.includes("\0")) throw new FilesystemError("invalid");
    this.#at(newPath, "never", (place) => {
      requireNameForFile(place);
      this.#takeName(place.systemPath, 1);
      this.#folder.take(Buffer.byteLength(oldPath));
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      symlinkSync(oldPath, place.systemPath);
    });
  }

  unlinkFileAt(path: string): void {
    this.#at(path, "never", ({ systemPath, wantsFolder }) => {
      if (wantsFolder && !lstatSync(systemPath).isDirectory()) throw new FilesystemError("not-directory");
      this.#folder.waitToWrite(WRITTEN_PAGE_BYTES);
      unlinkSync(systemPath);
    });
  }

  isSameObject(other: Descriptor): boolean {
    return this.#call(() => identity(this.#content.stats()) === identity(other.#content.stats()));
  }

  metadataHash(): { lower: bigint; upper: bigint } {
    return this.#call(() => this.#hash(this.#content.stats()));
  }

  metadataHashAt(pathFlags: PathFlags, path: string): { lower: bigint; upper: bigint } {
    return this.#at(path, following(pathFlags), (place) => this.#hash(statsOf(place)));
  }

  [Symbol.dispose](): void {
    // The folder's own stays open: the module may ask for it again.
    if (this.#file !== this.#folder.root) this.#content.release();
  }

  #call<Result>(work: () => Result): Result {
    return this.#folder.context.call(work);
  }

  #at<Result>(path: string, lastLink: LastLink, work: (place: Place) => Result): Result {
    return this.#call(() => {
      this.#requireDirectory();
      return withPlace(this.#file, path, lastLink, work);
    });
  }

  /** Walks both paths, for what moves or links from one to the other. */
  #between(
    oldPath: string,
    lastLink: LastLink,
    newDescriptor: Descriptor,
    newPath: string,
    work: (from: Place, to: Place) => void,
  ): void {
    const [mine, others] = [this.#folder, newDescriptor.#folder];
    // What comes in by another door would not be counted.
    if (mine !== others && (mine.quota ?? others.quota) !== undefined)
      throw new FilesystemError("cross-device");
    this.#at(oldPath, lastLink, (from) => newDescriptor.#at(newPath, "never", (to) => work(from, to)));
  }

  #describe(stats: BigIntStats): DescriptorStat {
    return descriptorStat(stats, this.#folder.context.exactTimes.of(stats));
  }

  #hash(stats: BigIntStats): { lower: bigint; upper: bigint } {
    return metadataHash(stats, this.#folder.context.exactTimes.of(stats));
  }

  /** Takes the room of a name, of one entry more or of one that moves, unless there is one of this name: the system says then what becomes of it. */
  #takeName(systemPath: string, entries: 0 | 1): void {
    if (this.#folder.quota === undefined) return;
    if (unless(["ENOENT"], () => lstatSync(systemPath)) !== undefined) return;
    this.#folder.takeName(Buffer.byteLength(basename(systemPath)), entries);
  }

  #typeOfOpened(file: number): DescriptorType {
    try {
      return typeOf(fstatSync(file, { bigint: true }));
    } catch (error) {
      this.#folder.close(file);
      throw error;
    }
  }

  #requireDirectory(): void {
    if (this.#type !== "directory") throw new FilesystemError("not-directory");
  }

  #requireReadable(): void {
    if (this.#type === "directory") throw new FilesystemError("is-directory");
    if (this.#flags.read !== true) throw new FilesystemError("bad-descriptor");
  }

  #requireWritable(): void {
    if (this.#flags.write !== true) throw new FilesystemError("bad-descriptor");
  }
}

function statsOf({ systemPath, wantsFolder }: Place): BigIntStats {
  const stats = lstatSync(systemPath, { bigint: true });
  if (wantsFolder && !stats.isDirectory()) throw new FilesystemError("not-directory");
  return stats;
}

/** A new name for something that is no folder must not end with a slash. */
function requireNameForFile({ systemPath, wantsFolder }: Place): void {
  if (!wantsFolder) return;
  const exists = unless(["ENOENT"], () => lstatSync(systemPath)) !== undefined;
  throw new FilesystemError(exists ? "exist" : "no-entry");
}
