/**
 * `wasi:keyvalue` (0.2.0-draft: store, atomics, batch): one bucket, kept in the module's private folder. So its quota, its share of the flash
 * memory's wear and the copy that a rollback brings back are those of the module's files.
 *
 * A value is a file of its own below `.keyvalue`, called by its key in hexadecimal digits. It is written under another name, synced and
 * renamed, so that a power cut leaves the old value or the new one. The module may find these files by wasi:filesystem: they are its own.
 */

import {
  KEYVALUE_KEYS_PER_PAGE,
  MAX_KEYVALUE_BATCH_BYTES,
  MAX_KEYVALUE_BYTES,
  MAX_KEYVALUE_KEY_BYTES,
} from "../limits.ts";
import { Descriptor } from "./filesystem/descriptor.ts";
import { FilesystemError } from "./filesystem/error-code.ts";

const FOLDER = ".keyvalue";
/** What a value is called until it is whole: no key's name. */
const UNFINISHED = "new";
const FILE_NAME = /^k((?:[0-9a-f]{2})*)$/;
/** What `open` takes: hosts differ in what they call the one that is always there. */
const BUCKET_NAMES = ["", "default"];
const MAX_COUNT = 2n ** 64n - 1n;

type ErrorPayload = { readonly tag: "no-such-store" } | { readonly tag: "other"; readonly val: string };

/** Thrown as jco's convention has it: the guest sees `payload` as the error case of its `result`. */
class KeyvalueError extends Error {
  override readonly name = "KeyvalueError";
  readonly payload: ErrorPayload;

  constructor(payload: ErrorPayload, options?: ErrorOptions) {
    super(payload.tag === "other" ? payload.val : payload.tag, options);
    this.payload = payload;
  }
}

class Bucket {
  readonly #root: Descriptor;
  #folder: Descriptor | undefined;

  constructor(root: Descriptor) {
    // A component may reach this by itself, as `[constructor]bucket`, with anything for a folder.
    if (!(root instanceof Descriptor)) throw new TypeError("a bucket lies in the module's private folder");
    this.#root = root;
  }

  get(key: string): Uint8Array | undefined {
    return answered(() => {
      const file = present(() => this.#values().openAt({}, nameOf(key), {}, { read: true }));
      if (file === undefined) return undefined;
      try {
        return readWhole(file);
      } finally {
        file[Symbol.dispose]();
      }
    });
  }

  set(key: string, value: Uint8Array): void {
    answered(() => {
      const name = nameOf(key);
      if (value.byteLength > MAX_KEYVALUE_BYTES) {
        throw other(`a value of ${value.byteLength} bytes: ${MAX_KEYVALUE_BYTES} are the most`);
      }
      const folder = this.#values();
      try {
        writeWhole(folder, value);
        folder.renameAt(UNFINISHED, folder, name);
      } catch (error) {
        // What is not whole must not take room; that it may not be there is no news.
        present(() => folder.unlinkFileAt(UNFINISHED));
        throw error;
      }
      folder.sync();
    });
  }

  delete(key: string): void {
    answered(() => {
      const folder = this.#values();
      present(() => folder.unlinkFileAt(nameOf(key)));
      folder.sync();
    });
  }

  exists(key: string): boolean {
    return answered(() => present(() => this.#values().statAt({}, nameOf(key))) !== undefined);
  }

  /** In the order of the file names, a page at a time; a cursor is the number of keys before the page. */
  listKeys(cursor: bigint | undefined): { keys: string[]; cursor: bigint | undefined } {
    return answered(() => {
      const names = this.#names().sort();
      const start = Number(cursor ?? 0n);
      const end = start + KEYVALUE_KEYS_PER_PAGE;
      const keys = names.slice(start, end).map((digits) => Buffer.from(digits, "hex").toString());
      return { keys, cursor: end < names.length ? BigInt(end) : undefined };
    });
  }

  [Symbol.dispose](): void {
    this.#folder?.[Symbol.dispose]();
    this.#folder = undefined;
  }

  #names(): string[] {
    const entries = this.#values().readDirectory();
    try {
      const names: string[] = [];
      for (
        let entry = entries.readDirectoryEntry();
        entry !== undefined;
        entry = entries.readDirectoryEntry()
      ) {
        const digits = FILE_NAME.exec(entry.name)?.[1];
        if (digits !== undefined) names.push(digits);
      }
      return names;
    } finally {
      entries[Symbol.dispose]();
    }
  }

  /** The folder of the values, made with the first use. */
  #values(): Descriptor {
    if (this.#folder === undefined) {
      const open = () =>
        this.#root.openAt({}, FOLDER, { directory: true }, { read: true, mutateDirectory: true });
      this.#folder = present(open);
      if (this.#folder === undefined) {
        this.#root.createDirectoryAt(FOLDER);
        this.#root.sync();
        this.#folder = open();
      }
    }
    return this.#folder;
  }
}

/** @param root the module's private folder */
export function createKeyvalue(root: Descriptor) {
  return {
    store: {
      Bucket,
      open(identifier: string): Bucket {
        if (!BUCKET_NAMES.includes(identifier)) throw new KeyvalueError({ tag: "no-such-store" });
        return new Bucket(root);
      },
    },
    atomics: {
      /** A number is kept as its decimal digits. */
      increment(bucket: Bucket, key: string, delta: bigint): bigint {
        const digits = Buffer.from(checked(bucket).get(key) ?? [0x30]).toString();
        if (!/^\d{1,20}$/.test(digits)) throw other(`the value of "${key}" is no number`);
        const count = BigInt(digits) + delta;
        if (count > MAX_COUNT) throw other(`the value of "${key}" would be more than a u64 holds`);
        bucket.set(key, Buffer.from(`${count}`));
        return count;
      },
    },
    batch: {
      getMany(bucket: Bucket, keys: readonly string[]): ([string, Uint8Array] | undefined)[] {
        // The values are outside the worker's heap and its limit, and a key may be named any number of times.
        let sizeBytes = 0;
        return keys.map((key) => {
          const value = checked(bucket).get(key);
          if (value === undefined) return undefined;
          sizeBytes += value.byteLength;
          if (sizeBytes > MAX_KEYVALUE_BATCH_BYTES) {
            throw other(`values of more than ${MAX_KEYVALUE_BATCH_BYTES} bytes at once`);
          }
          return [key, value];
        });
      },
      setMany(bucket: Bucket, entries: readonly (readonly [string, Uint8Array])[]): void {
        for (const [key, value] of entries) checked(bucket).set(key, value);
      },
      deleteMany(bucket: Bucket, keys: readonly string[]): void {
        for (const key of keys) checked(bucket).delete(key);
      },
    },
  };
}

/** A component says which of its arguments are buckets. */
function checked(bucket: Bucket): Bucket {
  if (!(bucket instanceof Bucket)) throw new TypeError("not a bucket");
  return bucket;
}

function nameOf(key: string): string {
  const bytes = Buffer.from(key);
  if (bytes.byteLength > MAX_KEYVALUE_KEY_BYTES) {
    throw other(`a key of ${bytes.byteLength} bytes: ${MAX_KEYVALUE_KEY_BYTES} are the most`);
  }
  return `k${bytes.toString("hex")}`;
}

function readWhole(file: Descriptor): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let atEnd = false; !atEnd; ) {
    const [bytes, isLast] = file.read(BigInt(MAX_KEYVALUE_BYTES), BigInt(length));
    parts.push(bytes);
    length += bytes.byteLength;
    atEnd = isLast || length > MAX_KEYVALUE_BYTES;
  }
  // It may have written the file itself.
  if (length > MAX_KEYVALUE_BYTES) throw other(`a value of more than ${MAX_KEYVALUE_BYTES} bytes`);
  return Buffer.concat(parts);
}

function writeWhole(folder: Descriptor, value: Uint8Array): void {
  const file = folder.openAt({}, UNFINISHED, { create: true, truncate: true }, { write: true });
  try {
    // A disk that is full cuts a write short; the next one says why.
    for (let written = 0; written < value.byteLength; ) {
      written += Number(file.write(value.subarray(written), BigInt(written)));
    }
    file.sync();
  } finally {
    file[Symbol.dispose]();
  }
}

function other(val: string): KeyvalueError {
  return new KeyvalueError({ tag: "other", val });
}

/** What `work` gives; undefined for a file that is not there. */
function present<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof FilesystemError && error.payload === "no-entry") return undefined;
    throw error;
  }
}

/** The filesystem's own codes become texts: wasi:keyvalue has none for a full disk or a quota. */
function answered<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof FilesystemError)) throw error;
    throw new KeyvalueError({ tag: "other", val: error.payload }, { cause: error });
  }
}
