/** `wasi:filesystem/types.error-code` (WASI 0.2), and how the system's errors become one. */

/** The codes that this host answers with. */
export type FilesystemErrorCode =
  | "access"
  | "would-block"
  | "bad-descriptor"
  | "busy"
  | "quota"
  | "exist"
  | "file-too-large"
  | "illegal-byte-sequence"
  | "interrupted"
  | "invalid"
  | "io"
  | "is-directory"
  | "loop"
  | "too-many-links"
  | "name-too-long"
  | "no-device"
  | "no-entry"
  | "insufficient-memory"
  | "insufficient-space"
  | "not-directory"
  | "not-empty"
  | "unsupported"
  | "no-such-device"
  | "overflow"
  | "not-permitted"
  | "pipe"
  | "read-only"
  | "invalid-seek"
  | "text-file-busy"
  | "cross-device";

/** Thrown as jco's convention has it: the guest sees `payload` as the error case of its `result`. */
export class FilesystemError extends Error {
  override readonly name = "FilesystemError";
  readonly payload: FilesystemErrorCode;

  constructor(payload: FilesystemErrorCode, options?: ErrorOptions) {
    super(payload, options);
    this.payload = payload;
  }
}

const CODES: Readonly<Record<string, FilesystemErrorCode>> = {
  EACCES: "access",
  EAGAIN: "would-block",
  EBADF: "bad-descriptor",
  EBUSY: "busy",
  EDQUOT: "quota",
  EEXIST: "exist",
  EFBIG: "file-too-large",
  EILSEQ: "illegal-byte-sequence",
  EINTR: "interrupted",
  EINVAL: "invalid",
  EIO: "io",
  EISDIR: "is-directory",
  ELOOP: "loop",
  // Neither has a code of its own: the process, or the system, holds as many files open as it can.
  EMFILE: "insufficient-memory",
  ENFILE: "insufficient-memory",
  EMLINK: "too-many-links",
  ENAMETOOLONG: "name-too-long",
  ENODEV: "no-device",
  ENOENT: "no-entry",
  ENOMEM: "insufficient-memory",
  ENOSPC: "insufficient-space",
  ENOTDIR: "not-directory",
  ENOTEMPTY: "not-empty",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
  ENXIO: "no-such-device",
  EOVERFLOW: "overflow",
  EPERM: "not-permitted",
  EPIPE: "pipe",
  EROFS: "read-only",
  ESPIPE: "invalid-seek",
  ETXTBSY: "text-file-busy",
  EXDEV: "cross-device",
};

/** Does the system's work; whatever it refuses is thrown as `FilesystemError`. Other errors are the host's own. */
export function attempt<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!isSystemError(error)) {
      throw error;
    }
    throw new FilesystemError(CODES[error.code] ?? "io", { cause: error });
  }
}

/** What `work` gives, or undefined when the system answers with one of these errors. */
export function unless<Result>(errors: readonly string[], work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (isSystemError(error) && errors.includes(error.code)) {
      return undefined;
    }
    throw error;
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}
