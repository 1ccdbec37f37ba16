/**
 * Paths below a folder, with no way out of it: by `..`, by an absolute path, or by a symbolic link, even one that is
 * put there while the path is resolved.
 *
 * WASI 0.2, wasi:filesystem "path resolution". A path is walked one name at a time. Each folder on the way is opened
 * without following links, and the next name is looked up in the open folder, not in the path again
 * (`/proc/self/fd/N/name`, Linux's way of saying `openat`); `..` goes back to the folder that the walk came from.
 * Links are read and walked by the same rules. The kernel is thus never given anything to resolve but one name.
 */

import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { MAX_PATH_BYTES, MAX_PATH_DEPTH_LEVELS, MAX_SYMBOLIC_LINKS } from "../../limits.ts";
import { FilesystemError, unless } from "./error-code.ts";

/** Linux's O_PATH, which node:fs does not name: a folder only to look things up in, with no permission but to enter. */
const O_PATH = 0o10000000;

/** What to do about a symbolic link that is the path's last name. */
export type LastLink =
  /** Take the link itself. */
  | "never"
  /** Take the link itself, unless a slash at the end says that a folder is meant. */
  | "before-slash"
  | "always";

/** The end of a walk: a name in an open folder. */
export interface Place {
  /** How node:fs reaches it: the folder by its descriptor, then one name. Valid until the walk is over. */
  readonly systemPath: string;
  /** The descriptor of the folder that the name is in. */
  readonly folder: number;
  /** A slash stands behind the name: only a folder will do. */
  readonly wantsFolder: boolean;
}

/**
 * Walks `path` from the folder open as `root` and gives `use` the place it leads to, which need not exist.
 *
 * @throws FilesystemError `not-permitted` when it leads out of the folder, `loop`, `not-directory`, `name-too-long`,
 *   `invalid`; system errors as they are
 */
export function withPlace<Result>(
  root: number,
  path: string,
  lastLink: LastLink,
  use: (place: Place) => Result,
): Result {
  const walk = new Walk(root, path, lastLink);
  try {
    return use(walk.run());
  } finally {
    walk.close();
  }
}

/** The name of an entry of an open folder, for node:fs. */
export function entryOf(folder: number, name: string): string {
  return `/proc/self/fd/${folder}/${name}`;
}

class Walk {
  readonly #root: number;
  readonly #lastLink: LastLink;
  /** The folders on the way, opened here. */
  readonly #folders: number[] = [];
  /** Names still to walk, the next one at the end. */
  readonly #names: string[] = [];
  #endsWithSlash = false;
  #links = 0;

  constructor(root: number, path: string, lastLink: LastLink) {
    this.#root = root;
    this.#lastLink = lastLink;
    this.#prepend(path);
  }

  run(): Place {
    for (let name = this.#names.pop(); name !== undefined; name = this.#names.pop()) {
      if (name === "..") {
        this.#leave();
      } else if (name !== ".") {
        const isLast = this.#names.length === 0;
        if (!isLast) {
          this.#enter(name);
        } else if (!(this.#followsLast() && this.#followLink(name))) {
          return this.#place(name, this.#endsWithSlash);
        }
      }
    }
    // A folder anyway: what can't be done with one of this name the system says by itself.
    return this.#place(".", false);
  }

  close(): void {
    for (const folder of this.#folders) {
      closeSync(folder);
    }
  }

  #place(name: string, wantsFolder: boolean): Place {
    return { systemPath: entryOf(this.#current, name), folder: this.#current, wantsFolder };
  }

  get #current(): number {
    return this.#folders.at(-1) ?? this.#root;
  }

  #followsLast(): boolean {
    return this.#lastLink === "always" || (this.#lastLink === "before-slash" && this.#endsWithSlash);
  }

  #leave(): void {
    const folder = this.#folders.pop();
    if (folder === undefined) {
      throw new FilesystemError("not-permitted");
    }
    closeSync(folder);
  }

  #enter(name: string): void {
    if (this.#folders.length >= MAX_PATH_DEPTH_LEVELS) {
      throw new FilesystemError("name-too-long");
    }
    const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    const folder = unless(["ENOTDIR", "ELOOP"], () => openSync(entryOf(this.#current, name), flags));
    if (folder !== undefined) {
      this.#folders.push(folder);
    } else if (!this.#followLink(name)) {
      throw new FilesystemError("not-directory");
    }
  }

  /** Puts what a symbolic link says in the place of its name; false if it is none. */
  #followLink(name: string): boolean {
    const target = unless(["EINVAL", "ENOENT"], () => readLink(entryOf(this.#current, name)));
    if (target === undefined) {
      return false;
    }
    this.#links += 1;
    if (this.#links > MAX_SYMBOLIC_LINKS) {
      throw new FilesystemError("loop");
    }
    this.#prepend(target);
    return true;
  }

  #prepend(path: string): void {
    if (path.startsWith("/")) {
      throw new FilesystemError("not-permitted");
    }
    checkPath(path);
    if (this.#names.length === 0 && path.endsWith("/")) {
      this.#endsWithSlash = true;
    }
    const names = path.split("/").filter((name) => name !== "");
    for (const name of names.reverse()) {
      this.#names.push(name);
    }
  }
}

function checkPath(path: string): void {
  if (path === "") {
    throw new FilesystemError("no-entry");
  }
  if (path.includes("\0")) {
    throw new FilesystemError("invalid");
  }
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new FilesystemError("name-too-long");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of a name or a link as a string; WASI has no other names. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    // TextDecoder's TypeError would be taken for a defect of the host.
    throw new FilesystemError("illegal-byte-sequence", { cause: error });
  }
}

/** What a symbolic link says. System errors as they are: `EINVAL` if it is none. */
export function readLink(systemPath: string): string {
  return decodeName(readlinkSync(systemPath, { encoding: "buffer" }));
}
