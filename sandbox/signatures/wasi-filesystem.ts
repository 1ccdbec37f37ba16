/** wasi:filesystem 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import {
  bool,
  borrow,
  enumeration,
  flags,
  func,
  type InterfaceSignature,
  list,
  methods,
  none,
  option,
  own,
  record,
  resource,
  result,
  string,
  tuple,
  u8,
  u64,
  variant,
} from "./notation.ts";
import { datetime } from "./wasi-clocks.ts";
import { inputStream, ioError, outputStream } from "./wasi-io.ts";

const descriptor = resource("descriptor");
const errorCode = enumeration(
  "access",
  "would-block",
  "already",
  "bad-descriptor",
  "busy",
  "deadlock",
  "quota",
  "exist",
  "file-too-large",
  "illegal-byte-sequence",
  "in-progress",
  "interrupted",
  "invalid",
  "io",
  "is-directory",
  "loop",
  "too-many-links",
  "message-size",
  "name-too-long",
  "no-device",
  "no-entry",
  "no-lock",
  "insufficient-memory",
  "insufficient-space",
  "not-directory",
  "not-empty",
  "not-recoverable",
  "unsupported",
  "no-tty",
  "no-such-device",
  "overflow",
  "not-permitted",
  "pipe",
  "read-only",
  "invalid-seek",
  "text-file-busy",
  "cross-device",
);
const advice = enumeration("normal", "sequential", "random", "will-need", "dont-need", "no-reuse");
const descriptorFlags = flags(
  "read",
  "write",
  "file-integrity-sync",
  "data-integrity-sync",
  "requested-write-sync",
  "mutate-directory",
);
const descriptorType = enumeration(
  "unknown",
  "block-device",
  "character-device",
  "directory",
  "fifo",
  "symbolic-link",
  "regular-file",
  "socket",
);
const newTimestamp = variant({ "no-change": none, now: none, timestamp: datetime });
const directoryEntryStream = resource("directory-entry-stream");
const descriptorStat = record({
  type: descriptorType,
  "link-count": u64,
  size: u64,
  "data-access-timestamp": option(datetime),
  "data-modification-timestamp": option(datetime),
  "status-change-timestamp": option(datetime),
});
const pathFlags = flags("symlink-follow");
const openFlags = flags("create", "directory", "exclusive", "truncate");
const metadataHashValue = record({ lower: u64, upper: u64 });
const directoryEntry = record({ type: descriptorType, name: string });

export const wasiFilesystem = {
  "wasi:filesystem/types": {
    resources: {
      descriptor,
      "input-stream": inputStream,
      "output-stream": outputStream,
      "directory-entry-stream": directoryEntryStream,
      error: ioError,
    },
    functions: {
      "filesystem-error-code": func({ err: borrow(ioError) }, option(errorCode)),
      ...methods("descriptor", descriptor, {
        "read-via-stream": func({ offset: u64 }, result(own(inputStream), errorCode)),
        "write-via-stream": func({ offset: u64 }, result(own(outputStream), errorCode)),
        "append-via-stream": func({}, result(own(outputStream), errorCode)),
        advise: func({ offset: u64, length: u64, advice: advice }, result(none, errorCode)),
        "sync-data": func({}, result(none, errorCode)),
        "get-flags": func({}, result(descriptorFlags, errorCode)),
        "get-type": func({}, result(descriptorType, errorCode)),
        "set-size": func({ size: u64 }, result(none, errorCode)),
        "set-times": func(
          { "data-access-timestamp": newTimestamp, "data-modification-timestamp": newTimestamp },
          result(none, errorCode),
        ),
        read: func({ length: u64, offset: u64 }, result(tuple(list(u8), bool), errorCode)),
        write: func({ buffer: list(u8), offset: u64 }, result(u64, errorCode)),
        "read-directory": func({}, result(own(directoryEntryStream), errorCode)),
        sync: func({}, result(none, errorCode)),
        "create-directory-at": func({ path: string }, result(none, errorCode)),
        stat: func({}, result(descriptorStat, errorCode)),
        "stat-at": func({ "path-flags": pathFlags, path: string }, result(descriptorStat, errorCode)),
        "set-times-at": func(
          {
            "path-flags": pathFlags,
            path: string,
            "data-access-timestamp": newTimestamp,
            "data-modification-timestamp": newTimestamp,
          },
          result(none, errorCode),
        ),
        "link-at": func(
          {
            "old-path-flags": pathFlags,
            "old-path": string,
            "new-descriptor": borrow(descriptor),
            "new-path": string,
          },
          result(none, errorCode),
        ),
        "open-at": func(
          { "path-flags": pathFlags, path: string, "open-flags": openFlags, flags: descriptorFlags },
          result(own(descriptor), errorCode),
        ),
        "readlink-at": func({ path: string }, result(string, errorCode)),
        "remove-directory-at": func({ path: string }, result(none, errorCode)),
        "rename-at": func(
          { "old-path": string, "new-descriptor": borrow(descriptor), "new-path": string },
          result(none, errorCode),
        ),
        "symlink-at": func({ "old-path": string, "new-path": string }, result(none, errorCode)),
        "unlink-file-at": func({ path: string }, result(none, errorCode)),
        "is-same-object": func({ other: borrow(descriptor) }, bool),
        "metadata-hash": func({}, result(metadataHashValue, errorCode)),
        "metadata-hash-at": func(
          { "path-flags": pathFlags, path: string },
          result(metadataHashValue, errorCode),
        ),
      }),
      ...methods("directory-entry-stream", directoryEntryStream, {
        "read-directory-entry": func({}, result(option(directoryEntry), errorCode)),
      }),
    },
  },
  "wasi:filesystem/preopens": {
    resources: { descriptor },
    functions: {
      "get-directories": func({}, list(tuple(own(descriptor), string))),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
