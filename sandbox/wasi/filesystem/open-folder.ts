/** What the descriptors of one granted folder have in common. */

import { closeSync, constants, openSync } from "node:fs";
import { formatSize } from "../../component/sizes.ts";
import { SandboxError } from "../../errors.ts";
import { MAX_FOLDER_DEPTH_LEVELS, MAX_OPEN_FILES, WRITTEN_BURST_BYTES } from "../../limits.ts";
import type { ModuleSession } from "../../module-session.ts";
import type { ModuleFolder } from "../../module-spec.ts";
import { monotonicMs } from "../../monotonic-time.ts";
import { TokenBucket } from "../../token-bucket.ts";
import type { Polling } from "../poll.ts";
import { depthBelow } from "./depth.ts";
import { attempt, FilesystemError } from "./error-code.ts";
import { ExactTimes } from "./metadata.ts";
import { Quota } from "./quota.ts";

/** What all folders of a module have in common. */
export class FilesystemContext {
  readonly session: ModuleSession;
  readonly polling: Polling;
  readonly exactTimes = new ExactTimes();
  readonly #writtenBytes: TokenBucket;
  readonly #writtenBytesPerSecond: number;
  #open = 0;

  constructor(session: ModuleSession, polling: Polling, writtenBytesPerSecond: number) {
    this.session = session;
    this.polling = polling;
    this.#writtenBytesPerSecond = writtenBytesPerSecond;
    this.#writtenBytes = new TokenBucket(writtenBytesPerSecond, WRITTEN_BURST_BYTES, monotonicMs());
  }

  /** Does one call of the guest's. @throws FilesystemError for what the system refuses */
  call<Result>(work: () => Result): Result {
    this.session.enterHost();
    return attempt(work);
  }

  /** Counts what `open` opens, up to the limit. */
  opening<Result>(open: () => Result): Result {
    if (this.#open >= MAX_OPEN_FILES) {
      this.session.limited(
        "limit/handles",
        `the module holds ${MAX_OPEN_FILES} files and folders open, which is the most: further ones fail`,
      );
      throw new FilesystemError("insufficient-memory");
    }
    const opened = open();
    this.#open += 1;
    return opened;
  }

  closed(): void {
    this.#open -= 1;
  }

  /** Waits until as many bytes may be written; a stop meanwhile ends the guest. */
  waitToWrite(bytes: number): void {
    const nowMs = monotonicMs();
    const waitMs = this.#writtenBytes.reserve(bytes, nowMs);
    if (waitMs === 0) return;
    this.session.limited(
      "limit/write-rate",
      `more than ${formatSize(this.#writtenBytesPerSecond)} per second are written to the module's files: the calls wait`,
    );
    this.session.waitToWriteUntil(nowMs + waitMs);
  }
}

/** A granted folder, open as long as the module runs. */
export class OpenFolder {
  readonly context: FilesystemContext;
  readonly guestPath: string;
  readonly root: number;
  readonly openFiles = new Set<number>();
  readonly quota: Quota | undefined;

  /** @throws SandboxError `sandbox/folder-unusable` */
  constructor(context: FilesystemContext, folder: ModuleFolder) {
    this.context = context;
    this.guestPath = folder.guestPath;
    this.root = openRoot(folder.hostPath);
    this.quota = folder.quota && new Quota(folder.quota, this.root, this.openFiles);
  }

  /** Takes room for bytes that are about to be written. @throws FilesystemError `quota` */
  take(bytes: number): void {
    this.#reported(() => this.quota?.take(bytes));
  }

  /** Takes room for the name that an entry is about to get, which is one more or moves. @throws FilesystemError `quota` */
  takeName(nameBytes: number, entries: 0 | 1): void {
    this.#reported(() => this.quota?.takeName(nameBytes, entries));
  }

  /** Before a write, or a change that costs the flash memory as much. Without a quota nobody counts. */
  waitToWrite(bytes: number): void {
    if (this.quota !== undefined) this.context.waitToWrite(bytes);
  }

  /**
   * Before a folder is put into the one open as `parent`.
   *
   * @param height its own levels of folders
   * @throws FilesystemError `quota` when it would lie too deep
   */
  requireDepth(parent: number, height: number): void {
    if (this.quota === undefined) return;
    this.#reported(() => {
      if (depthBelow(this.root, parent) + 1 + height > MAX_FOLDER_DEPTH_LEVELS) {
        throw new FilesystemError("quota");
      }
    });
  }

  #reported(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (error instanceof FilesystemError && error.payload === "quota") {
        const message =
          "the module's files would exceed what it may keep, in bytes, number or depth: the calls fail";
        this.context.session.limited("limit/storage", message);
      }
      throw error;
    }
  }

  close(descriptor: number): void {
    this.openFiles.delete(descriptor);
    this.context.closed();
    closeSync(descriptor);
  }
}

function openRoot(hostPath: string): number {
  if (process.platform !== "linux") {
    throw new SandboxError(
      "sandbox/folder-unusable",
      `the folder ${hostPath} can't be given to a module: that needs Linux, on ${process.platform} modules have no files`,
    );
  }
  try {
    return openSync(hostPath, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError("sandbox/folder-unusable", `the folder ${hostPath} can't be opened: ${reason}`, {
      cause: error,
    });
  }
}
